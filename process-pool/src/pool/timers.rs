//! What is to be looked at later.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use super::{Stage, State};

/// What is due at a point in time. Each names what it was set for, and is forgotten if that has changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A task of this unit may have run for as long as it is allowed to.
    Limit { unit: usize },
    /// Tasks may wait behind a long one in this unit.
    Stall { unit: usize },
    /// A worker that was asked to go has had its time.
    Kill { unit: usize, generation: u64 },
    /// A task that was to be stopped and could not be condemned has had the time to answer.
    Insist { unit: usize, sequence: u64 },
    /// A worker that was started has not answered.
    Late { unit: usize, generation: u64 },
    /// A worker has had something in its hands for a while: it may have been stopped, of which nothing else tells.
    Look { unit: usize, generation: u64 },
    /// A worker that has closed its link has had the time to end.
    Unlinked { unit: usize, generation: u64 },
    /// Starting a worker failed: try again.
    Start { unit: usize },
    /// The queue may have more room than it needs.
    Trim,
    /// A worker has written a part of a line, which is passed on although the rest has not come.
    Line { unit: usize, generation: u64 },
    /// Nothing more of the workers' standard error is read because this program's own takes nothing: see whether it
    /// does.
    Logs,
    /// There was no thread to run callbacks in: try again.
    Callbacks,
}

/// The timers that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// How many were left when those that mean nothing any more were last thrown out.
    kept: usize,
}

impl Timers {
    /// Sets one. True: it is the next that is due, so whoever waits for the others has to know.
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) -> bool {
        let is_next = self.next().is_none_or(|next| at < next);
        self.heap.push(Reverse((at, timer)));
        is_next
    }

    /// Whether there may be many that mean nothing any more: a timer is not taken back when what it was set for is
    /// over.
    fn is_crowded(&self) -> bool {
        const FEW: usize = 64;
        self.heap.len() >= FEW.max(2 * self.kept)
    }

    fn retain(&mut self, means_something: impl Fn(Instant, &Timer) -> bool) {
        self.heap.retain(|Reverse((at, timer))| means_something(*at, timer));
        self.heap.shrink_to(2 * self.heap.len());
        self.kept = self.heap.len();
    }

    /// Moves those by this much that are the end of somebody's time. The others only have somebody look, and set again.
    fn postpone(&mut self, time: Duration) {
        let postponed = |Reverse((at, timer)): Reverse<(Instant, Timer)>| {
            let is_end = matches!(timer, Timer::Kill { .. } | Timer::Late { .. } | Timer::Unlinked { .. });
            let later = at.checked_add(time).filter(|_| is_end);
            Reverse((later.unwrap_or(at), timer))
        };
        self.heap = std::mem::take(&mut self.heap).into_iter().map(postponed).collect();
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// The next one that is due by now.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}

impl State {
    /// This whole program was stopped at that moment and for so long, so nothing could get on: whatever had begun has
    /// that much more time.
    pub(crate) fn give_back(&mut self, from: Instant, time: Duration) {
        self.timers.postpone(time);
        self.units.iter_mut().for_each(|unit| unit.give_back(from, time));
    }

    /// Sets a timer; see [`Timers::set`].
    pub(crate) fn set_timer(&mut self, at: Instant, timer: Timer) -> bool {
        if self.timers.is_crowded() {
            let units = &self.units;
            self.timers.retain(|at, timer| {
                let lives = |unit: usize, generation| {
                    units.get(unit).is_some_and(|unit| unit.generation == generation && unit.process.is_some())
                };
                match *timer {
                    Timer::Limit { unit } => units[unit].limit_due == Some(at),
                    Timer::Stall { unit } => units[unit].stall_due == Some(at),
                    Timer::Insist { unit, sequence } => {
                        units[unit].flights().iter().any(|flight| flight.sequence == sequence)
                    }
                    Timer::Late { unit, generation } => lives(unit, generation) && units[unit].stage == Stage::Starting,
                    Timer::Kill { unit, generation }
                    | Timer::Look { unit, generation }
                    | Timer::Unlinked { unit, generation }
                    | Timer::Line { unit, generation } => lives(unit, generation),
                    Timer::Start { unit } => units[unit].stage == Stage::Vacant,
                    Timer::Trim | Timer::Logs | Timer::Callbacks => true,
                }
            });
        }
        self.timers.set(at, timer)
    }
}
