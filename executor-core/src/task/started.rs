//! A task that was taken out of the queue and has not begun to run.

use std::fmt;

use super::{completed::Completed, rights::Claimed};
use crate::{Error, ErrorKind};

/// A task that is about to run. See [`Task::start`](super::Task::start). If this is dropped, the task fails.
#[must_use = "a started task must be run, and fails if this is dropped"]
pub struct Started(Option<Claimed>);

impl Started {
    #[inline]
    pub(super) fn new(claimed: Claimed) -> Started {
        Started(Some(claimed))
    }

    /// Runs the task, and leaves the notification to the caller. Every task of every pool runs through this, so it is
    /// part of its callers, although there are several.
    #[inline(always)]
    pub fn run(mut self) -> Completed {
        match self.0.take() {
            Some(claimed) => Completed::of(claimed.run()),
            None => Completed::nothing(),
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
