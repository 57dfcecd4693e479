//! The steps of a run, decoded from the fuzzer's bytes.

use std::time::Duration;

use crate::transport::ring::fuzzing::RawAccess;

/// The fuzzer's bytes that are not used yet. After their end everything is zero.
pub(super) struct Bytes<'a>(&'a [u8]);

/// One action of the worker or the program.
pub(super) enum Step<'a> {
    /// The worker writes a word of the shared memory.
    WriteWord { offset: usize, value: u64 },
    /// The worker adds to a word of the shared memory.
    AddToWord { offset: usize, delta: u64 },
    /// The worker writes the claim of one of its tasks.
    WriteClaim { task: u8, item: u8, state: u8 },
    /// The worker sends bytes in the form of a reply.
    SendFrame(Frame<'a>),
    /// The worker sends arbitrary bytes.
    SendBytes(&'a [u8]),
    /// The worker sends one byte more often than any buffer holds.
    SendRepeated { byte: u8, count: usize },
    /// The worker sends a message of descriptors.
    SendDescriptors { count: u8 },
    /// The worker writes to the socket, which on a ring is the doorbell.
    RingDoorbell(&'a [u8]),
    /// The worker takes the requests that were sent to it, and the program reads.
    TakeRequests,
    /// The worker dies.
    Die,
    /// The supervisor reads.
    Read,
    /// The program submits a task. [`Program::submit`](super::program::Program::submit) has the kinds.
    Submit { kind: u8, has_limit: bool },
    /// The program cancels a task that the worker has.
    Cancel { task: u8 },
    /// The program terminates a task that the worker has.
    Terminate { task: u8, grace: Duration },
    /// Time passes, and timers are due.
    Pass(Duration),
}

/// A reply, some fields of which may be false.
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    /// Which of the worker's tasks it is about, unless `sequence` is set.
    pub(super) task: u8,
    pub(super) sequence: Option<u64>,
    /// The length that it announces, if not the real one.
    pub(super) announced: Option<u64>,
    pub(super) body: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes(bytes)
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn small(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// Returns a number, usually one of the kinds that break arithmetic.
    fn word(&mut self) -> u64 {
        match self.byte() % 6 {
            0 => u64::from(self.byte()),
            1 => u64::MAX - u64::from(self.byte()),
            2 => 1 << (self.byte() % 64),
            3 => (1 << (self.byte() % 64)) - 1,
            4 => u64::from(self.small()),
            _ => self.take(8).iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        }
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

impl<'a> Step<'a> {
    /// Decodes the next step, unless all bytes are used up. The steps that find most are the most frequent.
    pub(super) fn decode(bytes: &mut Bytes<'a>) -> Option<Step<'a>> {
        if bytes.0.is_empty() {
            return None;
        }
        Some(match bytes.byte() % 21 {
            0 | 1 => {
                Step::WriteWord { offset: RawAccess::offset(bytes.byte(), bytes.small()) & !7, value: bytes.word() }
            }
            // Only words that have a meaning.
            2 => Step::AddToWord { offset: RawAccess::offset(bytes.byte() % 10, 0) & !7, delta: bytes.word() },
            3 | 4 => Step::WriteClaim { task: bytes.byte(), item: bytes.byte(), state: bytes.byte() % 16 },
            5..=8 => Step::SendFrame(Frame::decode(bytes)),
            9 => {
                let length = usize::from(bytes.small());
                Step::SendBytes(bytes.take(length))
            }
            10 => Step::SendRepeated { byte: bytes.byte(), count: usize::from(bytes.small()) * 8 },
            11 => Step::RingDoorbell(bytes.take(16)),
            12 | 13 => Step::Read,
            14 => Step::Submit { kind: bytes.byte(), has_limit: bytes.byte() % 2 == 0 },
            15 => Step::Cancel { task: bytes.byte() },
            16 => Step::Terminate { task: bytes.byte(), grace: Duration::from_millis(u64::from(bytes.byte() % 2)) },
            17 => Step::Pass(Duration::from_millis(u64::from(bytes.byte()))),
            18 => Step::TakeRequests,
            19 => Step::SendDescriptors { count: bytes.byte() % 70 },
            _ => Step::Die,
        })
    }
}

impl<'a> Frame<'a> {
    /// The kind of a reply with the outcome of a task.
    const OUTCOME: u8 = crate::frame::ReplyKind::Outcome as u8;

    fn decode(bytes: &mut Bytes<'a>) -> Frame<'a> {
        let false_fields = bytes.byte();
        let kind = if false_fields & 1 == 0 { Frame::OUTCOME } else { bytes.byte() };
        let (task, sequence) = if false_fields & 2 == 0 { (bytes.byte(), None) } else { (0, Some(bytes.word())) };
        let length = usize::from(if false_fields & 4 == 0 { bytes.byte() } else { bytes.byte() % 4 });
        let body = bytes.take(length);
        let announced = (false_fields & 8 != 0).then(|| bytes.word());
        Frame { kind, task, sequence, announced, body }
    }
}
