//! The ends of a link, as traits that each kind of link implements.

use std::{io, sync::Arc};

use super::claims::Claims;

/// The parent's sending end, which is used under the pool's lock.
pub(crate) trait Outbox: Send {
    /// Takes as much of these two parts, one after the other, as there is space for, and returns how many bytes it has
    /// taken.
    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize>;

    /// Wakes the worker, if it sleeps, after something was sent.
    fn ring_doorbell(&mut self);

    /// Asks for a wake-up when there is space again, or when a withdrawn task has left the worker's queue. The caller
    /// does this after [`send`](Outbox::send) took less than it was given. Returns `true` if there is space already, so
    /// that the caller must try again.
    fn want_room(&mut self) -> bool;

    /// Returns `true` if the worker has not yet read everything that was sent. Only a link without [`Claims`] can tell.
    fn is_unread(&self) -> bool {
        false
    }

    /// Returns how many of the sent bytes the worker has not taken, or `None` if that is not known.
    fn unread(&self) -> Option<u64> {
        None
    }

    /// Returns the [`Claims`] of the worker's tasks, if worker and parent share any.
    fn claims(&self) -> Option<&dyn Claims>;
}

/// The parent's receiving end. It is used by the supervisor, or by a thread that waits for a result.
pub(crate) trait Inbox: Send {
    /// Appends what has arrived, up to `most` bytes, and returns how many bytes it has appended. `UnexpectedEof` means
    /// that the worker has closed its end.
    fn receive(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize>;

    /// Puts what has arrived at the start of the slice, as far as it fits, and returns how many bytes that is.
    /// Otherwise it is as [`receive`](Inbox::receive).
    fn receive_in(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// Drains the doorbell. The caller does this before it checks for replies, so that a later ring wakes it.
    fn drain_doorbell(&mut self);

    /// Asks for a wake-up when something arrives. Returns `false` if something has arrived already, so that the caller
    /// must check again.
    fn arm(&mut self) -> bool;

    /// Returns `true` if [`disarm`](Inbox::disarm) has an effect.
    fn can_disarm(&self) -> bool;

    /// Asks for no wake-up, because the caller will check without one. Returns `false` if the supervisor is woken
    /// nevertheless.
    fn disarm(&mut self) -> bool;

    /// Returns `true` if something has arrived. An error, or the end of the other side, does not count.
    fn has_something(&self) -> bool;
}

/// The worker's end of a link, which blocks.
pub(crate) trait Port {
    /// Fills the buffer.
    fn read(&mut self, into: &mut [u8]) -> io::Result<()>;
    /// Appends this many bytes, and grows the vector as they arrive.
    fn read_to(&mut self, into: &mut Vec<u8>, count: usize) -> io::Result<()>;
    /// Sends all of both parts, one after the other.
    fn write(&mut self, first: &[u8], second: &[u8]) -> io::Result<()>;
    /// Wakes the parent, if it sleeps, after something was written.
    fn ring_doorbell(&mut self) -> io::Result<()>;
    /// Ensures that what was written reaches the parent even if this process ends now. It need not wake the parent.
    fn hand_over(&mut self) -> io::Result<()>;
    /// Starts a task. Returns `false` if it was withdrawn.
    fn start(&mut self, sequence: u64) -> io::Result<bool>;
    /// Continues with the next item of a batch. Returns `false` if the task was condemned: this process is about to be
    /// killed.
    fn advance(&mut self, sequence: u64, item: u64) -> bool;
    /// Ends a task, before its reply is written. Returns `false` as [`advance`](Port::advance) does.
    fn finish(&mut self, sequence: u64, item: u64) -> bool;
    /// Notes when the task, or the item of a batch, started.
    fn note_time(&mut self);
    /// Returns a function that returns `true`, in any thread, if the task with this number was asked to stop.
    fn stop_probe(&self) -> Arc<dyn Fn(u64) -> bool + Send + Sync>;
}
