//! How many tasks have ended, and how.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use executor_core::task::Ended;

/// Counts the tasks that have ended, each by the way in which it did.
///
/// A worker counts before the future of the task is done, so a caller that has the result sees it counted.
#[derive(Default)]
pub(crate) struct TaskCounts {
    done: AtomicU64,
    /// With panics.
    failed: AtomicU64,
    panics: AtomicU64,
}

/// Counts at one moment.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) panics: u64,
}

impl TaskCounts {
    /// Counts a task. Only one thread may count here: then this needs no locked instruction.
    #[inline]
    pub(crate) fn add_as_only_writer(&self, ended: Ended) {
        // ORDERING: the state of the task orders this before a reader that has seen the task done.
        let add = |count: &AtomicU64| count.store(count.load(Relaxed) + 1, Relaxed);
        match ended {
            Ended::Value => add(&self.done),
            _ => self.each_failure(ended, add),
        }
    }

    /// Counts a task, on any thread.
    pub(crate) fn add(&self, ended: Ended) {
        // ORDERING: as above.
        let add = |count: &AtomicU64| {
            count.fetch_add(1, Relaxed);
        };
        match ended {
            Ended::Value => add(&self.done),
            _ => self.each_failure(ended, add),
        }
    }

    #[cold]
    fn each_failure(&self, ended: Ended, add: impl Fn(&AtomicU64)) {
        add(&self.failed);
        if ended == Ended::Panic {
            add(&self.panics);
        }
    }

    /// Adds these counts to the totals.
    pub(crate) fn add_to(&self, totals: &mut Totals) {
        // ORDERING: as in `add_as_only_writer`.
        totals.done += self.done.load(Relaxed);
        totals.failed += self.failed.load(Relaxed);
        totals.panics += self.panics.load(Relaxed);
    }
}
