//! The workers of a pool: which of them sleep, how many there are, and how many there may be.
//!
//! A worker is counted from the moment at which a thread decides to start it, until it decides to leave. Both decisions
//! are made under the lock of this state, so that the number never leaves its bounds for another reason than a change
//! of the bounds. The protocol in `README.md` says why no task is left without a worker meanwhile.

use std::time::Duration;

/// How many workers a pool has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Width {
    pub(crate) most: usize,
    /// How many are kept without tasks, and for how long the others are, if not all are kept.
    pub(crate) kept: Option<(usize, Duration)>,
}

impl Width {
    /// Returns the width of a pool that keeps all its workers.
    #[cfg(test)]
    pub(crate) fn fixed(workers: usize) -> Width {
        Width { most: workers, kept: None }
    }

    /// Returns how many workers there are without tasks.
    pub(crate) fn least(&self) -> usize {
        self.kept.map_or(self.most, |(least, _)| least.min(self.most))
    }
}

/// See the [module](self).
pub(super) struct Workers {
    /// The workers that sleep. The last one to begin its sleep is woken first, because its caches are the warmest.
    pub(super) sleepers: Vec<usize>,
    /// How many workers there are.
    pub(super) count: usize,
    pub(super) width: Width,
    /// Whether the system has refused a thread since a worker last fell asleep. Until then, the pool asks for no other.
    pub(super) start_was_refused: bool,
    pub(super) is_closed: bool,
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

    pub(super) fn may_start(&self) -> bool {
        self.count < self.width.most && !self.is_closed && !self.start_was_refused
    }

    pub(super) fn has_surplus(&self) -> bool {
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

/// Returns how many of this number of workers may search at the same time.
pub(super) fn max_searching(workers: usize) -> u32 {
    workers.div_ceil(2).min(num_cpus::get()) as u32
}
