//! The frames that are sent over a link. Each has a fixed head and a body.
//!
//! All numbers are little-endian. Bodies are opaque here: arguments and outcomes are decoded where they are used.

#[cfg(test)]
mod properties;
mod replies;

use executor_core::{
    codec::handles::Name,
    function::{Address, batch},
};

pub(crate) use replies::{Body, CompleteReply, ProtocolError, Replies, Space};

/// A request from the parent to a worker.
///
/// ```text
/// kind u32 | batch u32 | sequence u64 | task u64 | offset i64 | fingerprint u64 | attempt u32 | name u32 | body u64
/// | name | body
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) kind: RequestKind,
    /// The number of items of a batch, or 0 for a single argument.
    pub(crate) batch: u32,
    /// The number of the task among the tasks of one worker, from 1 on.
    pub(crate) sequence: u64,
    /// The id of the task's future.
    pub(crate) task: u64,
    pub(crate) function: Address,
    /// The number of this attempt, from 1 on.
    pub(crate) attempt: u32,
    /// The length of the name, or 0 if the task has the name of its function.
    pub(crate) name: u32,
    pub(crate) body: u64,
}

/// The action that a [`Request`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum RequestKind {
    /// Run this once, before any task.
    Initialize = 1,
    /// Run this task.
    Run = 2,
    /// Run this task, and record when it starts.
    RunTimed = 3,
    /// Leave.
    Retire = 4,
    /// Ask the running task to stop.
    Stop = 5,
    /// Take a message of descriptors from the channel. The body has their names.
    Adopt = 6,
    /// Forget the handles whose names are in the body.
    Forget = 7,
}

impl RequestKind {
    /// Returns `true` if the request runs a task.
    #[inline]
    pub(crate) fn is_task(self) -> bool {
        matches!(self, RequestKind::Run | RequestKind::RunTimed)
    }
}

impl Request {
    pub(crate) const SIZE: usize = 56;

    /// Returns a request without a name and a body.
    pub(crate) fn bare(kind: RequestKind) -> Request {
        let function = Address { offset: 0, fingerprint: 0 };
        Request { kind, batch: 0, sequence: 0, task: 0, function, attempt: 0, name: 0, body: 0 }
    }

    /// Returns the head, as bytes.
    #[inline]
    pub(crate) fn to_bytes(self) -> [u8; Request::SIZE] {
        let mut bytes = [0; Request::SIZE];
        bytes[..4].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.batch.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.task.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.function.offset.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.function.fingerprint.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.attempt.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.name.to_le_bytes());
        bytes[48..].copy_from_slice(&self.body.to_le_bytes());
        bytes
    }

    /// Appends the head.
    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.to_bytes());
    }

    /// Decodes a head. Returns `None` if there is no such kind.
    pub(crate) fn read(bytes: &[u8; Request::SIZE]) -> Option<Request> {
        let mut fields = Fields(bytes);
        let kind = match fields.u32() {
            1 => RequestKind::Initialize,
            2 => RequestKind::Run,
            3 => RequestKind::RunTimed,
            4 => RequestKind::Retire,
            5 => RequestKind::Stop,
            6 => RequestKind::Adopt,
            7 => RequestKind::Forget,
            _ => return None,
        };
        Some(Request {
            kind,
            batch: fields.u32(),
            sequence: fields.u64(),
            task: fields.u64(),
            function: Address { offset: fields.u64() as i64, fingerprint: fields.u64() },
            attempt: fields.u32(),
            name: fields.u32(),
            body: fields.u64(),
        })
    }
}

/// A reply from a worker to the parent.
///
/// ```text
/// kind u32 | zero u32 | sequence u64 | body u64 | body
/// ```
///
/// The head of [`Outcomes`](ReplyKind::Outcomes) is followed by records instead of a body (see
/// [`batch`](executor_core::function::batch)), and `body` is their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) kind: ReplyKind,
    pub(crate) sequence: u64,
    pub(crate) body: u64,
}

/// The meaning of a [`Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum ReplyKind {
    /// The worker takes tasks.
    Ready = 1,
    /// The worker cannot take tasks. The body is the error.
    NotReady = 2,
    /// The outcome of a task.
    Outcome = 3,
    /// The outcomes of items of a batch, which come one by one.
    Outcomes = 4,
    /// The next outcome of the task has handles, whose descriptors are a message in the channel. The body has their
    /// names. Between the records of a batch the head is [another](batch::NO_RECORD).
    Adopt = 5,
    /// Descriptors could not be received. The body has their names.
    Lost = 6,
}

impl Reply {
    pub(super) const SIZE: usize = 24;

    pub(crate) fn to_bytes(self) -> [u8; Reply::SIZE] {
        let mut bytes = [0; Reply::SIZE];
        bytes[..4].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..].copy_from_slice(&self.body.to_le_bytes());
        bytes
    }

    /// Decodes a head. Returns `None` if there is no such kind.
    pub(super) fn read(bytes: &[u8; Reply::SIZE]) -> Option<Reply> {
        let mut fields = Fields(bytes);
        let kind = match fields.u32() {
            1 => ReplyKind::Ready,
            2 => ReplyKind::NotReady,
            3 => ReplyKind::Outcome,
            4 => ReplyKind::Outcomes,
            5 => ReplyKind::Adopt,
            6 => ReplyKind::Lost,
            _ => return None,
        };
        let _ = fields.u32();
        Some(Reply { kind, sequence: fields.u64(), body: fields.u64() })
    }
}

/// Appends names of handles, as bodies have them.
pub(crate) fn write_names(names: impl IntoIterator<Item = Name>, into: &mut Vec<u8>) {
    names.into_iter().for_each(|name| into.extend_from_slice(&name));
}

/// Reads names of handles. Returns `None` if the body has no whole number of names.
pub(crate) fn read_names(body: &[u8]) -> Option<Vec<Name>> {
    let names = body.chunks_exact(size_of::<Name>());
    let is_whole = names.remainder().is_empty();
    is_whole.then(|| names.filter_map(|name| name.try_into().ok()).collect())
}

/// Returns the bytes that announce an [`Adopt`](ReplyKind::Adopt) with this many names between the records of a batch.
pub(crate) fn adopt_in_batch(count: usize) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&batch::NO_RECORD.to_le_bytes());
    bytes[4..].copy_from_slice(&(count as u32).to_le_bytes());
    bytes
}

/// Reads the fields of a head one after the other. Its array is long enough for them.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u32(&mut self) -> u32 {
        self.next().map_or(0, u32::from_le_bytes)
    }

    fn u64(&mut self) -> u64 {
        self.next().map_or(0, u64::from_le_bytes)
    }

    fn next<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_the_wire() {
        let request = Request {
            kind: RequestKind::RunTimed,
            batch: 3,
            sequence: 1 << 40,
            task: 7,
            function: Address { offset: -5, fingerprint: u64::MAX },
            attempt: 2,
            name: 9,
            body: 1 << 33,
        };
        let mut bytes = Vec::new();
        request.write(&mut bytes);
        assert_eq!(Request::read(bytes.first_chunk().expect("a head")), Some(request));
        assert_eq!(bytes.len(), Request::SIZE);
    }
}
