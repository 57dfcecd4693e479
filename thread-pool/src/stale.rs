//! Stale tasks: tasks that are still in a queue, but were cancelled there or run inline by a task that waits for them.
//!
//! A stale task holds memory until it is dropped. A worker drops one when it finds it, but all workers may be busy for
//! a long time while other threads go on cancelling. So the thread that makes a task stale removes all stale tasks when
//! their number reaches [`limit`]. Then there are never many more stale tasks than waiting ones, and the cost of
//! removing one does not depend on the length of the queues.

use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

/// Counts the stale tasks in the queues.
pub(crate) struct StaleCount {
    /// It may be below zero for a moment, because a stale task may be found before it is counted.
    count: AtomicIsize,
    /// The number at which the stale tasks are removed.
    limit: AtomicIsize,
}

/// Whether there are so many stale tasks that they must be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Stale {
    Few,
    TooMany,
}

/// The smallest number of stale tasks that is worth a search.
const MIN_LIMIT: usize = 64;

/// Returns the number of stale tasks that starts the next removal, if this number of tasks waits after the last one. It
/// is half of that number, because only waiting tasks become stale.
pub(crate) fn limit(waiting: usize) -> usize {
    MIN_LIMIT.max(waiting / 2)
}

impl Default for StaleCount {
    fn default() -> StaleCount {
        StaleCount { count: AtomicIsize::new(0), limit: AtomicIsize::new(MIN_LIMIT as isize) }
    }
}

impl StaleCount {
    /// Counts tasks that became stale.
    pub(crate) fn add(&self, more: usize) -> Stale {
        // ORDERING: a late count only delays the removal.
        let before = self.count.fetch_add(more as isize, Relaxed);
        Stale::among(before + more as isize, self.limit.load(Relaxed))
    }

    /// Subtracts stale tasks that were found or removed.
    pub(crate) fn remove(&self, found: usize) {
        // ORDERING: as in `add`.
        self.count.fetch_sub(found as isize, Relaxed);
    }

    /// Returns the number, for display.
    pub(crate) fn get(&self) -> usize {
        // ORDERING: as in `add`.
        self.count.load(Relaxed).max(0) as usize
    }

    pub(crate) fn check(&self) -> Stale {
        // ORDERING: as in `add`.
        Stale::among(self.count.load(Relaxed), self.limit.load(Relaxed))
    }

    /// Sets the limit after a removal that left this number of waiting tasks.
    pub(crate) fn set_limit(&self, waiting: usize) {
        // ORDERING: as in `add`.
        self.limit.store(limit(waiting) as isize, Relaxed);
    }
}

impl Stale {
    fn among(count: isize, limit: isize) -> Stale {
        if count >= limit { Stale::TooMany } else { Stale::Few }
    }
}
