//! An event count: threads sleep until a state in shared memory has changed, without a lock around the sleep.
//!
//! A half word holds the number of the last notification and whether threads may be asleep:
//!
//! ```text
//! bits 31 to 1    bit 0
//! NOTIFICATIONS   WAITERS
//! ```
//!
//! A thread that waits [prepares](EventCount::prepare), looks at the state again, and sleeps only if no notification
//! came in between. A thread that has changed the state notifies, which is one load while no thread waits.
//!
//! - *No wake-up is lost.* A waiter sets WAITERS and then looks; a notifier changes the state and then reads the word.
//!   Between the two steps of each is a fence, so at least one sees what the other did. If the notifier sees WAITERS,
//!   it changes the number, and the waiter, which compares the word in the kernel, does not sleep or is woken.
//!   Where the change and the second look are made under the same lock, the lock takes the place of the fences.
//! - *WAITERS needs no count, which a dead waiter would spoil.* It is removed by a notifier that found no thread.
//!   A waiter that had set it and was not asleep yet finds another word, and sets it again.
//! - *A waiter that dies after it was woken takes one wake-up with it.* Therefore each sleep is bounded, and its thread
//!   looks at the state again.

use std::{
    sync::atomic::Ordering::{Relaxed, SeqCst},
    time::Duration,
};

use crate::sync::{SharedMemory, fence};

const WAITERS: u32 = 1;
const NOTIFICATION: u32 = 2;

/// The longest sleep of a thread that waits for other threads to do something, and not for a lock.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The place of an event count in the memory of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventCount {
    at: usize,
}

/// What the word was when a thread prepared to sleep.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Prepared(u32);

impl EventCount {
    pub(crate) const fn at(at: usize) -> EventCount {
        EventCount { at }
    }

    /// Announces that the calling thread may sleep. It must look at the state once more before it does.
    pub(crate) fn prepare(self, memory: &SharedMemory) -> Prepared {
        let seen = memory.half_word(self.at).fetch_or(WAITERS, Relaxed) | WAITERS;
        // ORDERING: with the fence in `notify`, either the caller sees the changed state, or the notifier sees WAITERS.
        fence(SeqCst);
        Prepared(seen)
    }

    /// Sleeps until a notification that came after [`prepare`](EventCount::prepare), or until the time is over.
    pub(crate) fn sleep(self, memory: &SharedMemory, prepared: Prepared, time: Duration) {
        memory.sleep_on(self.at, prepared.0, time);
    }

    /// Wakes one waiting thread, if there is one. The caller has changed the state.
    #[inline]
    pub(crate) fn notify_one(self, memory: &SharedMemory) {
        self.notify(memory, 1);
    }

    /// Wakes all waiting threads. The caller has changed the state.
    #[inline]
    pub(crate) fn notify_all(self, memory: &SharedMemory) {
        self.notify(memory, u32::MAX);
    }

    /// Wakes one waiting thread, if there is one. The caller has changed the state under a lock, and each waiting
    /// thread takes the same lock to look at the state after [`prepare`](EventCount::prepare).
    #[inline]
    pub(crate) fn notify_one_after_lock(self, memory: &SharedMemory) {
        // ORDERING: no fence. If the waiter had the lock first, it had announced itself before, and this thread sees
        // that because it has had the lock since. If this thread had it first, the waiter sees the changed state.
        self.wake_announced(memory, 1);
    }

    #[inline]
    fn notify(self, memory: &SharedMemory, most: u32) {
        // ORDERING: pairs with the fence in `prepare`.
        fence(SeqCst);
        self.wake_announced(memory, most);
    }

    #[inline]
    fn wake_announced(self, memory: &SharedMemory, most: u32) {
        if memory.half_word(self.at).load(Relaxed) & WAITERS != 0 {
            self.wake(memory, most);
        }
    }

    #[cold]
    fn wake(self, memory: &SharedMemory, most: u32) {
        let word = memory.half_word(self.at);
        let next = word.fetch_add(NOTIFICATION, Relaxed).wrapping_add(NOTIFICATION);
        // If another notifier came in between, the word stays as it is.
        if memory.wake(self.at, most) == 0 && word.compare_exchange(next, next & !WAITERS, Relaxed, Relaxed).is_ok() {
            // A thread that fell asleep since is not announced any more. After the exchange no other can.
            memory.wake(self.at, u32::MAX);
        }
    }
}
