//! Time that does not count against a time limit, because this whole program was stopped.

use std::time::Duration;

/// How much of the time that an item has run by its worker's clock does not count.
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

    /// Gives back more time, to this item. What another item was given back does not matter any more.
    pub(super) fn add(&mut self, sequence: u64, item: u64, time: Duration) {
        *self = GivenBack { to: (sequence, item), time: self.to(sequence, item) + time };
    }
}
