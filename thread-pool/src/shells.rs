//! How many tasks in the queues are empty shells, and when that is too many.

use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

/// Counts shells: tasks that are still in a queue but were cancelled there, or were run inline by a task that waits for
/// them.
///
/// A shell holds the memory of its task. A worker drops it when it finds it, but the workers may be busy for long while
/// others go on cancelling. So whoever makes the next shell takes them all out once there are as many as
/// [`limit`] says: then there are never many more than tasks that wait, and taking one out costs the same however long
/// the queues are.
pub(crate) struct Shells {
    /// Below zero at times, because a shell may be found before it is counted.
    count: AtomicIsize,
    /// The number at which they are taken out.
    limit: AtomicIsize,
}

/// So few are not worth looking for.
const FEW: usize = 64;

/// How many shells there may be until they are taken out again, if so many tasks wait after they were taken out. Half
/// of these, because it is them that turn into shells.
pub(crate) fn limit(waiting: usize) -> usize {
    FEW.max(waiting / 2)
}

impl Default for Shells {
    fn default() -> Shells {
        Shells { count: AtomicIsize::new(0), limit: AtomicIsize::new(FEW as isize) }
    }
}

impl Shells {
    /// There are more. True: so many that they should be taken out.
    #[must_use]
    pub(crate) fn add(&self, more: usize) -> bool {
        // ORDERING: a count that is late leaves shells where they are for a while.
        let before = self.count.fetch_add(more as isize, Relaxed);
        before + more as isize >= self.limit.load(Relaxed)
    }

    /// Some were found or taken out.
    pub(crate) fn remove(&self, found: usize) {
        // ORDERING: as in `add`.
        self.count.fetch_sub(found as isize, Relaxed);
    }

    /// Whether there still are too many.
    pub(crate) fn are_too_many(&self) -> bool {
        // ORDERING: as in `add`.
        self.count.load(Relaxed) >= self.limit.load(Relaxed)
    }

    /// They were taken out, and so many tasks wait.
    pub(crate) fn set_limit(&self, waiting: usize) {
        // ORDERING: as in `add`.
        self.limit.store(limit(waiting) as isize, Relaxed);
    }
}
