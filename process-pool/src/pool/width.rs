//! The bounds of the number of workers.

use std::time::Duration;

/// How long a worker that the pool need not keep stays without a task, unless the builder says otherwise.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The bounds of the number of workers.
pub(super) struct Width {
    /// The number of slots that are used: those with the lowest numbers.
    pub(super) most: usize,
    /// How many workers are kept without tasks, or `None` if all are.
    pub(super) kept: Option<usize>,
    /// How long the others are kept without a task.
    pub(super) idle_timeout: Duration,
    /// Whether the supervisor was asked to start workers.
    pub(super) is_asked: bool,
    /// Whether a timer is set to check for idle workers.
    pub(super) idle_check_is_set: bool,
}

impl Width {
    pub(super) fn new(most: usize, kept: Option<usize>, idle_timeout: Option<Duration>) -> Width {
        let idle_timeout = idle_timeout.unwrap_or(IDLE_TIMEOUT);
        Width { most, kept, idle_timeout, is_asked: false, idle_check_is_set: false }
    }

    /// Returns the largest number of workers.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Returns how many workers there are without tasks.
    pub(super) fn least(&self) -> usize {
        self.kept.map_or(self.most, |kept| kept.min(self.most))
    }
}
