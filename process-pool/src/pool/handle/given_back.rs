//! Time that does not count against a time limit, because this whole program was stopped.

use std::time::Duration;

/// How much of an item's run time, by its worker's clock, does not count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GivenBack {
    /// The task, and its item.
    to: (u64, u64),
    time: Duration,
}

impl GivenBack {
    pub(super) fn to(self, sequence: u64, item: u64) -> Duration {
        if self.to == (sequence, item) { self.time } else { Duration::ZERO }
    }

    /// Gives this item more time. The time that another item was given no longer matters.
    pub(super) fn add(&mut self, sequence: u64, item: u64, time: Duration) {
        *self = GivenBack { to: (sequence, item), time: self.to(sequence, item) + time };
    }
}
