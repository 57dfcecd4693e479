//! Counting the workers that are started and those that leave, and changing how many there may be.

use std::sync::atomic::Ordering::*;

use super::{
    Found, Sleep,
    workers::{Workers, max_searching},
};

impl Sleep {
    /// Publishes what follows from the number of workers. Call this under the lock after each change.
    pub(super) fn note_width(&self, workers: &Workers) {
        // ORDERING: a worker that reads an old value sees the new one at its next look.
        self.has_surplus.store(workers.has_surplus(), Relaxed);
        self.counters.set_may_grow(workers.may_start());
    }

    /// Counts one more worker, which the caller starts, if there may be one.
    pub(super) fn count_one_more(&self, workers: &mut Workers) -> Found {
        if !workers.may_start() {
            return Found::Yes;
        }
        workers.count += 1;
        self.note_width(workers);
        Found::MustStart
    }

    /// Stops counting this number of workers that were to be started, because the system has refused a thread.
    pub(crate) fn starts_were_refused(&self, count: usize) {
        let mut workers = self.workers.lock();
        workers.count -= count;
        workers.start_was_refused = true;
        self.note_width(&workers);
    }

    /// Makes the workers that were started all that the pool keeps. Returns how many there may be.
    pub(crate) fn make_do_with(&self, started: usize) -> usize {
        let mut workers = self.workers.lock();
        workers.count = started;
        match &mut workers.width.kept {
            None => workers.width.most = started,
            Some((least, _)) => *least = started,
        }
        self.note_width(&workers);
        workers.width.most
    }

    /// Stops counting a sleeping worker if it is one too many, or if it has slept for long enough and need not be kept.
    /// Returns `false` if it stays, or was woken.
    #[cold]
    pub(super) fn try_leave(&self, index: usize, has_timed_out: bool) -> bool {
        let mut workers = self.workers.lock();
        let is_needed = if has_timed_out { workers.count <= workers.width.least() } else { !workers.has_surplus() };
        if is_needed {
            return false;
        }
        let Some(position) = workers.sleepers.iter().position(|sleeper| *sleeper == index) else { return false };
        workers.sleepers.remove(position);
        workers.count -= 1;
        // In this order: a submitter that no longer sees the sleeper sees that it may start a worker.
        self.note_width(&workers);
        self.counters.leave_sleep();
        self.park_slots[index].mark_awake();
        true
    }

    /// Returns how many workers there are.
    pub(crate) fn workers(&self) -> usize {
        self.workers.lock().count
    }

    /// Returns `true` if there may be more workers than there should be.
    pub(crate) fn has_surplus(&self) -> bool {
        // ORDERING: see `note_width`. The lock decides.
        self.has_surplus.load(Relaxed)
    }

    /// Stops counting the calling worker, which does not sleep, if it is one too many.
    #[cold]
    pub(crate) fn try_leave_awake(&self) -> bool {
        let mut workers = self.workers.lock();
        let leaves = workers.has_surplus();
        if leaves {
            workers.count -= 1;
            self.note_width(&workers);
        }
        leaves
    }

    /// Counts a worker again that could not leave.
    pub(crate) fn stays(&self) {
        let mut workers = self.workers.lock();
        workers.count += 1;
        self.note_width(&workers);
    }

    /// Changes the largest number of workers. Returns how many the caller must start, which are counted already, or
    /// `None` if the pool is closed.
    pub(crate) fn resize(&self, most: usize) -> Option<usize> {
        let mut workers = self.workers.lock();
        if workers.is_closed {
            return None;
        }
        workers.width.most = most;
        let missing = workers.width.least().saturating_sub(workers.count);
        workers.count += missing;
        workers.start_was_refused = false;
        self.note_width(&workers);
        // ORDERING: see `try_start_searching`.
        self.max_searching.store(max_searching(most), Relaxed);
        let surplus = workers.count.saturating_sub(most);
        let asleep: Vec<usize> = workers.sleepers.iter().copied().take(surplus).collect();
        drop(workers);
        // Each of them looks whether it is one too many.
        asleep.into_iter().for_each(|index| self.park_slots[index].unparker.unpark());
        Some(missing)
    }
}
