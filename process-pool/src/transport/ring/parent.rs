//! The parent's ends of a ring.

use std::{
    io,
    sync::{Arc, atomic::Ordering::*},
};

use super::{
    claims::RingClaims,
    layout::{self, FOR_INPUT, FOR_ROOM},
    pipe::{Consumer, Direction, Producer},
    sync::{Doorbell, SharedMemory, fence},
};
use crate::transport::{Claims, Inbox, Outbox};

/// Makes both ends.
pub(super) fn ends(memory: Arc<SharedMemory>, doorbell: Doorbell) -> (RingOutbox, RingInbox) {
    let outbox =
        RingOutbox { sender: Producer::new(memory.clone(), Direction::ToWorker), claims: RingClaims(memory.clone()) };
    let inbox = RingInbox { receiver: Consumer::new(memory.clone(), Direction::ToParent), memory, doorbell };
    (outbox, inbox)
}

/// Wakes the worker, if it sleeps for this reason.
fn wake_worker(memory: &SharedMemory, reason: u32) {
    let sleeps = memory.half_word(layout::WORKER_SLEEPS);
    // ORDERING: this fence, after an index was stored, and the one in `RingPort::sleep_unless`, after the flag was set,
    // order the two: either the worker sees the new index, or this thread sees the flag.
    fence(SeqCst);
    if sleeps.load(Relaxed) == reason && sleeps.compare_exchange(reason, 0, Relaxed, Relaxed).is_ok() {
        memory.wake(layout::WORKER_SLEEPS);
    }
}

/// The sending end.
pub(crate) struct RingOutbox {
    sender: Producer,
    pub(super) claims: RingClaims,
}

impl Outbox for RingOutbox {
    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        self.sender.put(first, second)
    }

    fn ring_doorbell(&mut self) {
        wake_worker(&self.claims.0, FOR_INPUT);
    }

    fn want_room(&mut self) -> bool {
        // ORDERING: as in `RingInbox::arm`, with `RingPort::took` as the partner.
        self.claims.0.half_word(layout::PARENT_WANTS_ROOM).store(1, Relaxed);
        fence(SeqCst);
        // An error is reported by the next send.
        !matches!(self.sender.room(), Ok(0))
    }

    fn unread(&self) -> Option<u64> {
        // A worker that has overwritten the indices may have begun with everything.
        Some(self.sender.room().map_or(0, |room| (layout::CAPACITY - room) as u64))
    }

    fn claims(&self) -> Option<&dyn Claims> {
        Some(&self.claims)
    }
}

/// The receiving end.
pub(crate) struct RingInbox {
    receiver: Consumer,
    memory: Arc<SharedMemory>,
    doorbell: Doorbell,
}

impl RingInbox {
    /// Wakes a worker that may wait for room, after `count` bytes were taken.
    fn made_room(&self, count: usize) {
        if count > 0 && self.receiver.is_crowded() {
            wake_worker(&self.memory, FOR_ROOM);
        }
    }
}

impl Inbox for RingInbox {
    fn receive(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let count = self.receiver.take(most, into)?;
        self.made_room(count);
        Ok(count)
    }

    fn receive_in(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.receiver.fill(into)?;
        self.made_room(count);
        Ok(count)
    }

    fn drain_doorbell(&mut self) {
        self.doorbell.drain();
    }

    fn arm(&mut self) -> bool {
        // ORDERING: the fence, after the flag is set, and the one in `RingPort::ring_doorbell`, after the tail was
        // stored, order the two: either this thread sees the new tail, or the worker sees the flag.
        self.memory.half_word(layout::PARENT_SLEEPS).store(1, Relaxed);
        fence(SeqCst);
        self.receiver.held().is_ok_and(|held| held == 0)
    }

    fn can_disarm(&self) -> bool {
        true
    }

    fn disarm(&mut self) -> bool {
        // ORDERING: none is needed, because a ring that comes nevertheless only wakes the parent once too often.
        self.memory.half_word(layout::PARENT_SLEEPS).store(0, Relaxed);
        true
    }

    fn has_something(&self) -> bool {
        // An error is reported by the next receive.
        !matches!(self.receiver.held(), Ok(0))
    }
}
