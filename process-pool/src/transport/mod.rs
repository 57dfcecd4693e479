//! How the parent and one worker talk: a stream of bytes each way, and who may start a task.
//!
//! Each worker has a link of its own, and the parent is at the other end of all of them. Nothing is shared between
//! workers, so one that dies in the middle of anything leaves the others' links as they were.
//!
//! A link is a socketpair, whose closing tells either side that the other is gone. With [`Transport::Socket`] it also
//! carries the bytes; with [`Transport::Ring`] the bytes go through shared memory, and the socket only wakes the
//! parent.
//!
//! Both are behind the same traits: [`Outbox`] and [`Inbox`] in the parent, which never block, [`Port`] in the worker,
//! which does.

#[cfg(not(target_os = "linux"))]
mod no_report;
#[cfg(target_os = "linux")]
pub(crate) mod ring;
pub(crate) mod socket;
mod unread;

#[cfg(not(target_os = "linux"))]
pub(crate) use no_report::Report;
#[cfg(target_os = "linux")]
pub(crate) use ring::report::Report;
pub(crate) use unread::bytes_in_pipe;

use std::{io, sync::Arc};

/// The parent takes no more than this out of a worker's standard error at once.
pub(crate) const STDERR_AT_ONCE: usize = 64 << 10;

/// How arguments and results travel between this process and its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transport {
    /// Shared memory, a ring for each direction. Only on Linux; elsewhere, and where the system refuses shared memory,
    /// [`Socket`](Transport::Socket) takes its place.
    #[default]
    Ring,
    /// A Unix socket. Works on every Unix, and costs a few system calls for each task. A worker then has one task at a
    /// time, for nobody but the parent can say whether a task has started.
    Socket,
}

/// The parent's sending end. It belongs to whoever holds the pool's lock.
pub(crate) trait Outbox: Send {
    /// Takes as much of these two parts as there is room for, one behind the other, and answers how many bytes that
    /// were.
    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize>;

    /// Wakes the worker, if it sleeps, after something was sent.
    fn ring_bell(&mut self);

    /// Asks to be woken when there is room again, after [`send`](Outbox::send) took less than it was given, or when a
    /// task that was withdrawn has left the worker's queue. True: there is room by now, try again.
    fn want_room(&mut self) -> bool;

    /// Whether the worker has still to read what was sent, where there are no [`Claims`] to say what it has begun with.
    fn is_unread(&self) -> bool {
        false
    }

    /// How many bytes of what was sent the worker has not taken. None: nobody can tell.
    fn unread(&self) -> Option<u64> {
        None
    }

    /// Who may start which task, if worker and parent decide that together; see [`Claims`].
    fn claims(&self) -> Option<&dyn Claims>;
}

/// The parent's receiving end. It belongs to whoever listens: the supervisor, or a thread that waits for a result.
pub(crate) trait Inbox: Send {
    /// Appends what has arrived, `most` bytes of it, and answers how much that was. `UnexpectedEof`: the worker has
    /// closed its end.
    fn receive(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize>;

    /// Takes the bells that have rung. To be called before looking at anything, for what rings later is to be heard.
    fn hush(&mut self);

    /// Asks to be woken when something arrives. False: something has arrived by now, look again.
    fn arm(&mut self) -> bool;

    /// Whether [`disarm`](Inbox::disarm) works.
    fn can_disarm(&self) -> bool;

    /// Asks that the supervisor is not woken, by who is going to look without. False: it is woken all the same.
    fn disarm(&mut self) -> bool;

    /// Whether something has arrived. An error, or the other side's end, is nothing.
    fn has_something(&self) -> bool;
}

/// The items of a batch are counted modulo this in a claim; what matters is that neighbours differ.
pub(crate) const ITEM_MODULUS: u64 = 1 << 20;

/// Which of the tasks in a worker's queue have started: decided by compare-and-swap between parent and worker, so that
/// a task that was withdrawn never starts, and one that has started is never withdrawn.
pub(crate) trait Claims {
    /// How many tasks may be in the worker's hands.
    fn slots(&self) -> u64;
    /// The last task that the worker has taken off its queue, started or not.
    fn taken(&self) -> u64;
    /// Says that this task is about to be sent.
    fn offer(&self, sequence: u64);
    /// Takes a task back. False: it has started.
    fn withdraw(&self, sequence: u64) -> bool;
    /// What is known of a task.
    fn claim(&self, sequence: u64) -> Claim;
    /// Forbids a task that runs to finish, so that killing its worker costs this task and no other. For a batch, `item`
    /// is the item that was seen to run. False: it has finished, or is at another item.
    fn condemn(&self, sequence: u64, item: u64) -> bool;
    /// Asks a task that runs to stop.
    fn ask_to_stop(&self, sequence: u64);
    /// When the running task, or the running item of a batch, was started, on the monotonic clock. To be read after its
    /// [`claim`](Claims::claim): then the time is this item's, or a later one's.
    fn started_at(&self) -> std::time::Duration;
}

/// What is known of a task in a worker's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It has not started.
    Offered,
    /// It runs; of a batch, this item does, modulo [`ITEM_MODULUS`].
    Running { item: u64 },
    /// It has finished, and the reply is under way.
    Finished,
    /// It was withdrawn, condemned, or its slot holds another task: a worker gone wild may write anything here.
    Gone,
}

/// The worker's end of a link. It blocks.
pub(crate) trait Port {
    /// Fills the buffer.
    fn read(&mut self, into: &mut [u8]) -> io::Result<()>;
    /// Appends this many bytes, growing the vector as they come.
    fn read_to(&mut self, into: &mut Vec<u8>, count: usize) -> io::Result<()>;
    /// Sends everything, one part behind the other.
    fn write(&mut self, first: &[u8], second: &[u8]) -> io::Result<()>;
    /// Wakes the parent, if it sleeps, after something was written.
    fn ring_bell(&mut self) -> io::Result<()>;
    /// Sees to it that what was written reaches the parent even if this process ends right now. It need not wake the
    /// parent.
    fn hand_over(&mut self) -> io::Result<()>;
    /// Starts a task. False: it was withdrawn.
    fn start(&mut self, sequence: u64) -> io::Result<bool>;
    /// Goes on from one item of a batch to the next. False: the task was condemned, and this process is about to be
    /// killed.
    fn advance(&mut self, sequence: u64, item: u64) -> bool;
    /// Ends a task, before its reply is written. False: as for [`advance`](Port::advance).
    fn finish(&mut self, sequence: u64, item: u64) -> bool;
    /// Notes when the task, or the item of a batch, started.
    fn note_time(&mut self);
    /// Answers, from any thread, whether the task with this number was asked to stop.
    fn stop_probe(&self) -> Arc<dyn Fn(u64) -> bool + Send + Sync>;
}

/// The time on the monotonic clock, which is the same for all processes of a machine.
pub(crate) fn monotonic_now() -> std::time::Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    std::time::Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
