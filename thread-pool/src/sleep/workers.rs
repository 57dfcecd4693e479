//! The workers of a pool: which of them sleep, how many there are, and how many there may be.
//!
//! A worker is counted from the moment at which a thread decides to start it, until it decides to leave. Both decisions
//! are made under the lock of this state, so that the number never leaves its bounds for another reason than a change
//! of the bounds. The protocol in `README.md` says why no task is left without a worker meanwhile.

use std::{sync::atomic::Ordering::*, time::Duration};

use super::{Found, Sleep, Width};

/// See the [module](self).
pub(super) struct Workers {
    /// The workers that sleep. The last one to begin its sleep is woken first, because its caches are the warmest.
    pub(super) sleepers: Vec<usize>,
    /// How many workers there are.
    count: usize,
    width: Width,
    /// Whether the system has refused a thread since a worker last fell asleep. Until then, the pool asks for no other.
    start_was_refused: bool,
    is_closed: bool,
}

impl Workers {
    pub(super) fn new(width: Width) -> Workers {
        Workers {
            sleepers: Vec::with_capacity(width.most),
            count: width.least(),
            width,
            start_was_refused: false,
            is_closed: false,
        }
    }

    fn may_start(&self) -> bool {
        self.count < self.width.most && !self.is_closed && !self.start_was_refused
    }

    fn has_surplus(&self) -> bool {
        self.count > self.width.most && !self.is_closed
    }

    pub(super) fn all_sleep(&self) -> bool {
        self.sleepers.len() == self.count
    }

    /// Returns how long a worker that falls asleep now may sleep before it checks whether the pool still needs it.
    pub(super) fn time_to_sleep(&self) -> Option<Duration> {
        match self.width.kept {
            _ if self.has_surplus() => Some(Duration::ZERO),
            Some((_, timeout)) if self.count > self.width.least() => Some(timeout),
            _ => None,
        }
    }

    /// Lets the pool ask the system for threads again. Returns `true` if it did not before.
    pub(super) fn forget_refusal(&mut self) -> bool {
        std::mem::take(&mut self.start_was_refused)
    }

    /// Notes that the pool is closed. From then on workers leave in another way, and none is started.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }
}

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
        self.workers.lock().count += 1;
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

/// Returns how many of this number of workers may search at the same time.
pub(super) fn max_searching(workers: usize) -> u32 {
    workers.div_ceil(2).min(num_cpus::get()) as u32
}
