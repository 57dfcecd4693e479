//! Counts of a pool's events.

use super::completion::Completion;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    pub(super) deaths: u64,
    pub(super) restarts: u64,
}

impl Counters {
    /// Counts tasks that have ended.
    pub(crate) fn count_all(&mut self, completions: &[Completion]) {
        for completion in completions {
            match completion.has_value() {
                Some(true) => self.done += 1,
                Some(false) => self.failed += 1,
                None => self.cancelled += 1,
            }
        }
    }

    pub(crate) fn count_cancel(&mut self) {
        self.cancelled += 1;
    }

    pub(crate) fn count_death(&mut self) {
        self.deaths += 1;
    }

    pub(crate) fn count_restart(&mut self) {
        self.restarts += 1;
    }
}
