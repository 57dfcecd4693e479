//! What each worker is doing, for callers that ask whether a worker is idle.

use std::{
    sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed},
    thread,
};

use crossbeam_utils::CachePadded;
use executor_core::task::Ended;

use crate::counts::TaskCounts;

/// What one worker is doing and has done. Only the worker changes it, a few times for each task, so it has a cache line
/// of its own.
///
/// The counters of [`Sleep`](crate::sleep::Sleep) say how many workers search or sleep. This distinguishes the others.
pub(crate) struct Phase(CachePadded<Line>);

struct Line {
    phase: AtomicU8,
    /// The tasks that ended on this worker, and on those that had its number before.
    ended: TaskCounts,
    /// The stale tasks that the worker has counted itself.
    stale: AtomicUsize,
}

/// The thread was started, and has not polled the queues yet.
const STARTING: u8 = 0;
/// The worker runs a task.
const BUSY: u8 = 1;
/// The worker polls the queues, searches, or sleeps.
const FREE: u8 = 2;
/// The worker runs the initializer, or there is none with this number.
const UNAVAILABLE: u8 = 3;

/// What a worker did before it became busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Before {
    /// It had never polled the queues, and so counted as idle.
    Starting,
    Polling,
}

/// How often [`has_idle`] yields the processor to a worker that has ended a task and is about to take the next one or
/// to search. After that it treats the worker as busy.
const YIELDS: usize = 500;

impl Phase {
    /// Returns the phase of a worker before its start, which runs no initializer.
    #[cfg(any(all(test, not(loom)), feature = "rayon"))]
    pub(crate) fn starting() -> Phase {
        Phase::in_phase(STARTING)
    }

    /// Returns the phase of a worker that was not started.
    pub(crate) fn of_no_worker() -> Phase {
        Phase::in_phase(UNAVAILABLE)
    }

    fn in_phase(phase: u8) -> Phase {
        let phase = AtomicU8::new(phase);
        Phase(CachePadded::new(Line { phase, ended: TaskCounts::default(), stale: AtomicUsize::new(0) }))
    }

    /// Notes that a worker is about to be started. The thread that starts it calls this, before.
    pub(crate) fn set_starting(&self, initializes: bool) {
        // ORDERING: the start of the thread orders this before what the worker does.
        self.0.phase.store(if initializes { UNAVAILABLE } else { STARTING }, Relaxed);
    }

    /// Notes that the worker has left, or was not started after all.
    pub(crate) fn set_gone(&self) {
        // ORDERING: as in `set_busy`.
        self.0.phase.store(UNAVAILABLE, Relaxed);
        // The pool counts the worker's stale tasks from now on.
        self.set_stale(0);
    }

    /// Notes that the worker begins to run something.
    pub(crate) fn set_busy(&self) -> Before {
        // ORDERING: only the worker changes it. The fences of `IdleWatch` ensure that waiters do not miss the change.
        let before = self.0.phase.load(Relaxed);
        self.0.phase.store(BUSY, Relaxed);
        if before == STARTING { Before::Starting } else { Before::Polling }
    }

    /// Notes that the worker has finished what it ran.
    pub(crate) fn set_free(&self) {
        // ORDERING: as in `set_busy`.
        self.0.phase.store(FREE, Relaxed);
    }

    /// Returns `true` if the worker runs a task.
    pub(crate) fn is_busy(&self) -> bool {
        // ORDERING: as in `set_busy`.
        self.0.phase.load(Relaxed) == BUSY
    }

    /// Counts a task that has ended on the worker, which is the caller.
    #[inline]
    pub(crate) fn count(&self, ended: Ended) {
        self.0.ended.add_as_only_writer(ended);
    }

    /// Returns the tasks that have ended on the worker.
    pub(crate) fn ended(&self) -> &TaskCounts {
        &self.0.ended
    }

    /// Publishes how many stale tasks the worker has counted. The caller is the worker.
    pub(crate) fn set_stale(&self, count: usize) {
        // ORDERING: the number is a statistic, on which nothing depends.
        self.0.stale.store(count, Relaxed);
    }

    pub(crate) fn stale(&self) -> usize {
        // ORDERING: as in `set_stale`.
        self.0.stale.load(Relaxed)
    }
}

/// Returns `true` if one of the workers is idle. `searches_or_sleeps` returns whether the counters of
/// [`Sleep`](crate::sleep::Sleep) count one.
pub(crate) fn has_idle<'a, W: Iterator<Item = &'a Phase>>(
    workers: impl Fn() -> W,
    searches_or_sleeps: impl Fn() -> bool,
) -> bool {
    for _ in 0..YIELDS {
        if searches_or_sleeps() {
            return true;
        }
        let mut is_one_free = false;
        for Phase(worker) in workers() {
            // ORDERING: as in `set_busy`.
            match worker.phase.load(Relaxed) {
                STARTING => return true,
                FREE => is_one_free = true,
                _ => {}
            }
        }
        if !is_one_free {
            return false;
        }
        thread::yield_now();
    }
    false
}

/// Returns `true` if one of the workers is not busy. On a rayon pool, such a worker is idle for the executor.
#[cfg(feature = "rayon")]
pub(crate) fn is_one_free(workers: &[Phase]) -> bool {
    // ORDERING: as in `set_busy`.
    workers.iter().any(|Phase(worker)| worker.phase.load(Relaxed) != BUSY)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_idle_before_its_first_poll_and_while_it_searches_or_sleeps() {
        let workers = [Phase::of_no_worker(), Phase::starting()];
        workers[0].set_starting(true);
        let has_idle = |searches_or_sleeps: &dyn Fn() -> bool| has_idle(|| workers.iter(), searches_or_sleeps);
        assert!(has_idle(&|| false), "one has not polled the queues yet");
        assert_eq!(workers[1].set_busy(), Before::Starting);
        assert!(!has_idle(&|| false), "one initializes, and one runs a task");
        workers[1].set_free();
        let asked = std::cell::Cell::new(0);
        let sleeps_at_last = || asked.replace(asked.get() + 1) == 3;
        assert!(has_idle(&sleeps_at_last), "it was between two tasks");
        assert!(!has_idle(&|| false), "a worker that makes no progress is treated as busy");
        assert_eq!(workers[1].set_busy(), Before::Polling);
    }
}
