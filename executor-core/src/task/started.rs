//! A task that was taken out of the queue and has not begun to run.

use std::fmt;

use super::{completed::Completed, ended::Ended, rights::Claimed, state::Owed};
use crate::{Error, ErrorKind};

/// A task that is about to run. See [`Task::start`](super::Task::start). If this is dropped, the task fails.
#[must_use = "a started task must be run, and fails if this is dropped"]
pub struct Started(Option<Claimed>);

impl Started {
    #[inline]
    pub(super) fn new(claimed: Claimed) -> Started {
        Started(Some(claimed))
    }

    /// Runs the task, and leaves the notification to the caller.
    pub fn run(mut self) -> Completed {
        match self.0.take() {
            Some(claimed) => Completed::of(claimed.run()),
            None => Completed::nothing(),
        }
    }

    /// Runs the task and then its callbacks. Before its future is done, calls `count` with how the task has ended, so
    /// that a caller that has the result sees it counted.
    ///
    /// Every task of a pool runs through this, so it is part of its callers, although there are several.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; }
    /// use concurrent_futures::{Task, TaskOptions, task::Ended};
    ///
    /// let (task, future) = Task::from_closure(TaskOptions::new(), || 6 * 7);
    /// let mut values = 0;
    /// let started = task.start().expect("it was not cancelled");
    /// started.run_to_end(|ended| values += u32::from(ended == Ended::Value));
    /// assert_eq!((future.result(None)?, values), (42, 1));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[inline(always)]
    pub fn run_to_end(mut self, count: impl FnOnce(Ended)) {
        if let Some(claimed) = self.0.take() {
            let written = claimed.run();
            count(written.ended());
            // What ran has no work left, so without waiters only the reference is to be dropped.
            match written.finish() {
                (task, Owed::Nothing) => task.drop_beside_others(),
                (task, owed) => drop(Completed::new(task, owed)),
            }
        }
    }
}

impl Drop for Started {
    #[inline]
    fn drop(&mut self) {
        if let Some(claimed) = self.0.take() {
            fail_unrun(claimed);
        }
    }
}

#[cold]
fn fail_unrun(claimed: Claimed) {
    let error = Error::new(ErrorKind::Broken, "the executor dropped this task when it was about to run");
    drop(Completed::of(claimed.fail(error)));
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started")
    }
}
