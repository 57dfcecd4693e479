//! The timers of a pool.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use super::ids::{Assignment, SlotId, WorkerId};

/// The check that is due at a point in time. A timer is never cancelled: it names its worker, slot or task, and has no
/// effect if that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A task of this worker may have used up its time limit.
    Limit(WorkerId),
    /// Tasks may be waiting behind a long task of this worker.
    Stall(WorkerId),
    /// The grace of a worker that was asked to leave is over.
    Kill(WorkerId),
    /// The time to reply is over for a task that could not be condemned when it was stopped.
    NoReply(Assignment),
    /// The time to become ready is over.
    Start(WorkerId),
    /// A worker has had a task, or has been starting, for a while. It may have been stopped by a signal, which nothing
    /// else reports.
    Stopped(WorkerId),
    /// The time to exit is over for a worker that has closed its link.
    LinkClosed(WorkerId),
    /// Starting a worker in this slot failed and is tried again.
    Restart(SlotId),
    /// The queue may have more memory than it needs.
    Trim,
    /// Workers may have been idle for so long that the pool does not keep them.
    Idle,
    /// A worker has written a part of a line, which is forwarded even if the rest has not arrived.
    Line(WorkerId),
    /// The standard error of the workers is not read while this program's own is full. It may accept more now.
    Logs,
    /// The callback thread could not be started. It is tried again.
    Callbacks,
}

/// The timers that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
    /// How many timers were left when those without effect were last removed.
    kept: usize,
}

impl Timers {
    /// Sets a timer. Returns `true` if it is due before all others, so that the waiting supervisor must be woken.
    pub(super) fn set(&mut self, at: Instant, timer: Timer) -> bool {
        let is_next = self.next().is_none_or(|next| at < next);
        self.heap.push(Reverse((at, timer)));
        is_next
    }

    /// Returns `true` if there may be many timers without effect.
    pub(super) fn is_crowded(&self) -> bool {
        const FEW: usize = 64;
        self.heap.len() >= FEW.max(2 * self.kept)
    }

    pub(super) fn retain(&mut self, has_effect: impl Fn(Instant, &Timer) -> bool) {
        self.heap.retain(|Reverse((at, timer))| has_effect(*at, timer));
        self.heap.shrink_to(2 * self.heap.len());
        self.kept = self.heap.len();
    }

    /// Postpones the timers that end something. The others only check something, and are set again.
    pub(super) fn postpone(&mut self, time: Duration) {
        let postponed = |Reverse((at, timer)): Reverse<(Instant, Timer)>| {
            let is_end = matches!(timer, Timer::Kill(_) | Timer::Start(_) | Timer::LinkClosed(_));
            let later = at.checked_add(time).filter(|_| is_end);
            Reverse((later.unwrap_or(at), timer))
        };
        self.heap = std::mem::take(&mut self.heap).into_iter().map(postponed).collect();
    }

    /// Returns when the next timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Removes and returns the next timer, if it is due by now.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}

impl Timer {
    /// Returns the slot whose replies must be read before the timer is handled, so that the worker's progress up to
    /// then counts.
    pub(crate) fn slot_to_read(self) -> Option<SlotId> {
        match self {
            Timer::Limit(id) | Timer::Stopped(id) => Some(id.slot),
            Timer::NoReply(task) => Some(task.slot),
            _ => None,
        }
    }
}
