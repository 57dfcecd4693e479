//! Applying a worker's replies.

use std::time::Instant;

use executor_core::{
    Error,
    codec::{self, Bytes, handles::Handle},
};

use super::{InFlight, Stage, WorkerHandle};
use crate::{
    SandboxStatus,
    frame::{Body, ProtocolError, Reply, ReplyKind, read_names},
    pool::{completion::Completion, job::Job},
    sys::signals::Signal,
    transport::descriptors::{self, Pulled},
};

/// The effect of a reply.
pub(crate) enum ReplyEffect {
    /// The worker is ready, and has reported its sandbox if it has one.
    Ready(Option<Box<SandboxStatus>>),
    /// It cannot become ready, for this reason.
    Declined(Error),
    /// Some items of a batch have outcomes.
    Progress,
    /// A task has ended.
    Completed(Completion),
}

impl WorkerHandle {
    /// Applies one reply.
    ///
    /// # Errors
    ///
    /// If no healthy worker would send it now: it is a second greeting, or is not about the next task.
    pub(crate) fn on_reply(
        &mut self,
        reply: Reply,
        body: Body<'_>,
        now: Instant,
    ) -> Result<ReplyEffect, ProtocolError> {
        if let Some(completion) = self.on_plain_outcome(reply, &body, now) {
            return Ok(ReplyEffect::Completed(completion));
        }
        match reply.kind {
            ReplyKind::Ready if !self.was_ready => {
                self.was_ready = true;
                self.progress = now;
                if self.stage == Stage::Starting {
                    self.stage = Stage::Ready;
                }
                Ok(ReplyEffect::Ready(codec::decode(&body).ok().map(Box::new)))
            }
            ReplyKind::NotReady if !self.was_ready => Ok(ReplyEffect::Declined(Error::decode(&body))),
            ReplyKind::Ready | ReplyKind::NotReady => Err(ProtocolError),
            ReplyKind::Adopt => self.on_handles(reply.sequence, &body).map(|()| ReplyEffect::Progress),
            ReplyKind::Lost => {
                let names = read_names(&body).ok_or(ProtocolError)?;
                if self.carried.lose(&names) { Ok(ReplyEffect::Progress) } else { Err(ProtocolError) }
            }
            kind if !self.expects(kind == ReplyKind::Outcomes) => Err(ProtocolError),
            ReplyKind::Outcome | ReplyKind::Outcomes => match self.on_outcome(reply.sequence, body, now)? {
                Some((job, outcome)) => Ok(ReplyEffect::Completed(job.into_completion(outcome))),
                None => Ok(ReplyEffect::Progress),
            },
        }
    }

    /// Applies the outcome of a task about which nothing is special, as most are. It does what
    /// [`on_outcome`](WorkerHandle::on_outcome) would do. Returns `None` for anything else.
    #[inline]
    fn on_plain_outcome(&mut self, reply: Reply, body: &Body<'_>, now: Instant) -> Option<Completion> {
        let Body::Borrowed(outcome) = body else { return None };
        let is_plain = |task: &InFlight| task.sequence == reply.sequence && task.job.is_plain();
        let is_expected = reply.kind == ReplyKind::Outcome && self.in_flight.front().is_some_and(is_plain);
        if !is_expected || self.verdict.is_some() || self.backlog.is_some() {
            return None;
        }
        self.has_replied = true;
        self.dequeued = self.dequeued.max(reply.sequence);
        (self.progress, self.was_idle) = (now, false);
        let task = self.in_flight.pop_front()?;
        Some(Completion::Reply(task.job.task, Bytes::from(*outcome)))
    }

    /// Takes the descriptors of the handles that belong to the next outcome of a task.
    ///
    /// # Errors
    ///
    /// If the worker does not have the task, if the channel has no such message, or if there are too many.
    #[cold]
    fn on_handles(&mut self, sequence: u64, names: &[u8]) -> Result<(), ProtocolError> {
        let names = read_names(names).filter(|names| (1..=descriptors::MOST).contains(&names.len()));
        let (Some(names), Some(channel)) = (names, self.carried.channel()) else { return Err(ProtocolError) };
        let pulled = channel.pull(names.len()).map_err(|_| ProtocolError)?;
        let (files, lost) = match pulled {
            Pulled::All(files) => (files, false),
            Pulled::Some(files) => (files, true),
        };
        let received = names.iter().zip(files).map(|(name, file)| Handle::received(*name, file));
        let is_unsent = self.backlog.as_ref().is_some_and(|backlog| backlog.sequence == sequence);
        let task = self.in_flight.front_mut().filter(|task| task.sequence == sequence && !is_unsent);
        if task.ok_or(ProtocolError)?.job.receive(received, lost) { Ok(()) } else { Err(ProtocolError) }
    }

    /// Returns `true` if the next reply may be of this kind: about a batch, or about a single task.
    fn expects(&self, is_batch: bool) -> bool {
        self.in_flight.front().is_some_and(|task| task.job.is_batch() == is_batch)
    }

    /// Applies the outcome of a task, or of some items of it. Returns the task if this was its last outcome.
    ///
    /// # Errors
    ///
    /// If the worker does not have the task, or was not sent all of it. A withdrawn task has no outcome.
    pub(crate) fn on_outcome(
        &mut self,
        sequence: u64,
        outcome: Body<'_>,
        now: Instant,
    ) -> Result<Option<(Job, Bytes)>, ProtocolError> {
        // Replies come in the order of the requests.
        let task = self.in_flight.front().filter(|task| task.sequence == sequence).ok_or(ProtocolError)?;
        if self.backlog.as_ref().is_some_and(|backlog| backlog.sequence == sequence) {
            return Err(ProtocolError);
        }
        let verdict = self.verdict.as_ref().filter(|verdict| verdict.sequence == sequence);
        let (is_condemned, most) =
            (verdict.is_some(), verdict.map_or(u64::MAX, |verdict| verdict.item.saturating_sub(task.job.received())));
        if most == 0 {
            // This outcome is too late: the worker is being killed because of this very task or item.
            self.signal(Signal::KILL);
            return Ok(None);
        }
        self.has_replied = true;
        self.dequeued = self.dequeued.max(sequence);
        let task = self.in_flight.front_mut().ok_or(ProtocolError)?;
        (task.since, task.was_seen) = (now, true);
        let Some(reply) = task.job.outcome(outcome, most) else { return Ok(None) };
        // An item of a batch is no progress, because the tasks behind a batch wait for all of its items.
        (self.progress, self.was_idle) = (now, false);
        let mut task = self.in_flight.pop_front().ok_or(ProtocolError)?;
        if self.carried.fresh > 0 {
            self.carried.fresh -= task.job.take_fresh();
        }
        if is_condemned {
            self.signal(Signal::KILL);
        }
        Ok(Some((task.job, reply)))
    }

    /// Counts bytes that have arrived from the worker.
    pub(crate) fn count_received(&mut self, bytes: usize) {
        self.bytes_received += bytes as u64;
    }

    /// Returns the memory of an argument that the worker has read and that is not needed again, for a reply of this
    /// length. New memory costs more than the copy into it.
    pub(crate) fn spare_memory(&mut self, sequence: u64, length: u64) -> Option<Bytes> {
        let is_sent = self.backlog.as_ref().is_none_or(|backlog| backlog.sequence != sequence);
        if !is_sent || !self.has_started(sequence) {
            return None;
        }
        // A task behind the first has not started, whatever its claim is.
        self.in_flight.front_mut().filter(|task| task.sequence == sequence)?.job.spend(length)
    }
}
