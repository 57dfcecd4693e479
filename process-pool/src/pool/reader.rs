//! The receiving end of a worker's link, and the decision which thread reads it next.
//!
//! The supervisor reads replies when the worker rings the doorbell or when a timer is due. A thread that waits for a
//! result also reads them, for a short while before it sleeps. Then the result of a short task reaches that thread
//! without a third thread and without a system call. See `README.md` for why no reply is left unread.

use std::{io, time::Instant};

use executor_core::codec::Bytes;

use super::pace::Pace;
use crate::{
    frame::{CompleteReply, ProtocolError, Replies, Reply, Space},
    telemetry,
    transport::Inbox,
};

/// See the [module](self).
pub(crate) struct ReplyReader {
    inbox: Box<dyn Inbox>,
    frames: Replies,
    readers: Readers,
    next_read: NextRead,
    polling: Polling,
    pace: Pace,
    /// The reader of the worker's events, which are read before its replies are applied.
    telemetry: telemetry::Reader,
}

/// Which threads may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readers {
    /// The supervisor until the worker is ready, and then any thread. Only the supervisor handles replies before that.
    SupervisorUntilReady,
    /// The supervisor. It must know how much a worker without a report had written when it replied.
    Supervisor,
    AnyThread,
    /// No thread, because the worker has broken the protocol.
    NoThread,
}

/// What makes a thread read the next reply when no thread is reading any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextRead {
    /// Not decided. The thread that reads now decides before it stops.
    Undecided,
    /// The supervisor, when the worker rings.
    Doorbell,
    /// The supervisor, when a timer is due. The worker need not ring.
    Timer,
    /// The supervisor, at a doorbell or a timer, whichever is first: a thread that stopped polling without its result
    /// has armed the doorbell while the timer was set.
    DoorbellOrTimer,
}

impl NextRead {
    fn is_doorbell_armed(self) -> bool {
        matches!(self, NextRead::Doorbell | NextRead::DoorbellOrTimer)
    }

    fn is_timer_set(self) -> bool {
        matches!(self, NextRead::Timer | NextRead::DoorbellOrTimer)
    }

    fn of(doorbell: bool, timer: bool) -> NextRead {
        match (doorbell, timer) {
            (false, false) => NextRead::Undecided,
            (true, false) => NextRead::Doorbell,
            (false, true) => NextRead::Timer,
            (true, true) => NextRead::DoorbellOrTimer,
        }
    }
}

/// What threads other than the supervisor do with the reader.
#[derive(Debug, Default)]
struct Polling {
    /// How many threads are polling.
    threads: usize,
    /// Whether one of them has read something since the supervisor last read.
    have_read: bool,
    /// Whether the supervisor left the last doorbell to them.
    had_doorbell: bool,
}

/// The supervisor's reaction to a doorbell.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDoorbell {
    Read,
    /// Other threads are reading, so it reads later.
    ReadLater,
}

/// What the supervisor does after it has read everything.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterRead {
    /// It reads again when a timer is due, and the worker need not ring.
    ReadAgain,
    /// It must arm the doorbell.
    ArmDoorbell,
}

/// Whether a thread may stop reading.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Armed {
    /// The doorbell rings for the next reply.
    Yes,
    /// More has arrived meanwhile, so the thread must read again.
    MoreHasArrived,
}

impl ReplyReader {
    /// Makes a reader that accepts replies of up to `longest` bytes.
    pub(crate) fn new(inbox: Box<dyn Inbox>, longest: u64) -> ReplyReader {
        ReplyReader {
            inbox,
            frames: Replies::up_to(longest),
            readers: Readers::SupervisorUntilReady,
            next_read: NextRead::Undecided,
            polling: Polling::default(),
            pace: Pace::from(Instant::now()),
            telemetry: telemetry::Reader::default(),
        }
    }

    /// Sets what reads the worker's events.
    pub(crate) fn set_telemetry(&mut self, reader: telemetry::Reader) {
        self.telemetry = reader;
    }

    /// Returns what reads the worker's events.
    pub(super) fn telemetry(&mut self) -> &mut telemetry::Reader {
        &mut self.telemetry
    }

    /// Lets only the supervisor read.
    pub(crate) fn keep_for_supervisor(&mut self) {
        self.readers = Readers::Supervisor;
    }

    /// Lets other threads read, because the worker is ready.
    pub(super) fn on_ready(&mut self) {
        if self.readers == Readers::SupervisorUntilReady {
            self.readers = Readers::AnyThread;
        }
    }

    /// Stops all reading, because the worker has broken the protocol.
    pub(super) fn close(&mut self) {
        self.readers = Readers::NoThread;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.readers == Readers::NoThread
    }

    /// Returns `true` if threads other than the supervisor may read.
    pub(super) fn is_open_to_all_threads(&self) -> bool {
        self.readers == Readers::AnyThread
    }

    /// Returns `true` if the supervisor is woken for each reply, whatever other threads do.
    pub(super) fn always_wakes_supervisor(&self) -> bool {
        !self.inbox.can_disarm()
    }

    /// Reads what has arrived, up to a bound, and returns how many bytes that was.
    pub(crate) fn fill(&mut self) -> io::Result<usize> {
        match self.frames.space() {
            Space::Vector(into, most) => self.inbox.receive(into, most),
            Space::Words(into, most) => {
                let count = self.inbox.receive_in(&mut into.room()[..most])?;
                into.advance(count);
                Ok(count)
            }
        }
    }

    /// Returns the next reply that has arrived completely.
    pub(super) fn next_reply(&mut self) -> Result<Option<CompleteReply<'_>>, ProtocolError> {
        self.frames.cut()
    }

    /// Returns the head of a long reply that has begun to arrive, once for each such reply.
    pub(super) fn long_reply_begun(&mut self) -> Option<Reply> {
        self.frames.begun()
    }

    /// Lends memory for the long reply that is arriving.
    pub(super) fn lend_memory(&mut self, memory: Bytes) {
        self.frames.lend(memory);
    }

    /// Returns `true` if a part of a reply has arrived.
    pub(crate) fn is_in_a_reply(&self) -> bool {
        self.frames.is_in_a_reply()
    }

    #[cfg(fuzzing)]
    pub(super) fn memory_held(&self) -> usize {
        self.frames.capacity()
    }

    /// Drains the doorbell before the supervisor reads.
    pub(crate) fn drain_doorbell(&mut self) -> OnDoorbell {
        self.inbox.drain_doorbell();
        if std::mem::take(&mut self.polling.have_read) {
            return OnDoorbell::ReadLater;
        }
        // A doorbell is left to them at most once in a row, because a thread that polls may have lost its processor.
        self.polling.had_doorbell = self.polling.threads > 0 && !self.polling.had_doorbell;
        if self.polling.had_doorbell { OnDoorbell::ReadLater } else { OnDoorbell::Read }
    }

    /// Decides what the supervisor does after it has read everything, among it the replies of `completed` tasks, so
    /// that the worker now has `left` tasks.
    pub(crate) fn choose_after_read(&mut self, completed: usize, left: usize) -> AfterRead {
        let is_fast = self.pace.is_fast(completed, left, Instant::now());
        let is_busy = std::mem::take(&mut self.polling.have_read) || is_fast;
        let reads_again = is_busy && self.disarm();
        self.next_read = NextRead::of(self.next_read.is_doorbell_armed(), reads_again);
        if reads_again { AfterRead::ReadAgain } else { AfterRead::ArmDoorbell }
    }

    /// Arms the doorbell.
    pub(crate) fn arm(&mut self) -> Armed {
        self.next_read = NextRead::of(true, self.next_read.is_timer_set());
        if self.inbox.arm() { Armed::Yes } else { Armed::MoreHasArrived }
    }

    /// Arms the doorbell, unless it is armed.
    pub(super) fn ensure_armed(&mut self) -> Armed {
        if self.next_read.is_doorbell_armed() { Armed::Yes } else { self.arm() }
    }

    /// Disarms the doorbell. Returns `false` if the doorbell rings in any case.
    fn disarm(&mut self) -> bool {
        let rings = self.next_read.is_doorbell_armed() && !self.inbox.disarm();
        self.next_read = NextRead::of(rings, self.next_read.is_timer_set());
        !rings
    }

    /// Disarms the doorbell, because a polling thread reads what arrives.
    pub(super) fn silence_doorbell(&mut self) {
        // If the doorbell cannot be disarmed, no thread has to arm it again.
        self.disarm();
    }

    /// Returns `true` if something has arrived.
    pub(super) fn has_something(&self) -> bool {
        self.inbox.has_something()
    }

    /// Records that a thread other than the supervisor reads.
    pub(super) fn note_read_by_other(&mut self) {
        self.polling.have_read = true;
    }

    pub(super) fn begin_polling(&mut self) {
        self.polling.threads += 1;
    }

    /// Records that a thread has stopped polling. Returns `true` if a timer is set at which the supervisor reads.
    pub(super) fn end_polling(&mut self) -> bool {
        // By now the slot may have another worker, which this thread has not polled.
        self.polling.threads = self.polling.threads.saturating_sub(1);
        self.next_read.is_timer_set()
    }
}
