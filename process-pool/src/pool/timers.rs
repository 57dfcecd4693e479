//! What is to be looked at later.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// What is due at a point in time. Each names what it was set for, and is forgotten if that has changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A task of this unit may have run for as long as it is allowed to.
    Limit { unit: usize },
    /// Tasks may wait behind a long one in this unit.
    Stall { unit: usize },
    /// A worker that was asked to go has had its time.
    Kill { unit: usize, generation: u64 },
    /// A worker that was started has not answered.
    Late { unit: usize, generation: u64 },
    /// A worker has had something in its hands for a while: it may have been stopped, of which nothing else tells.
    Look { unit: usize, generation: u64 },
    /// A worker that has closed its link has had the time to end.
    Unlinked { unit: usize, generation: u64 },
    /// Starting a worker failed: try again.
    Start { unit: usize },
}

/// The timers that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(Instant, Timer)>>);

impl Timers {
    /// Sets one. True: it is the next that is due, so whoever waits for the others has to know.
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) -> bool {
        let is_next = self.next().is_none_or(|next| at < next);
        self.0.push(Reverse((at, timer)));
        is_next
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// The next one that is due by now.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, timer))| timer)
    }
}
