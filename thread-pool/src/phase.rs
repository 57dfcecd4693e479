//! What each worker is at, for those who want to know whether one is idle.

use std::{
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    thread,
};

use crossbeam_utils::CachePadded;

/// A worker's own cell. Only the worker changes it, twice for each task, so it has a cache line to itself.
///
/// The counters of [`Sleep`](crate::sleep::Sleep) know who searches and who sleeps. This tells the rest apart.
pub(crate) struct Phase(CachePadded<AtomicU8>);

/// Its thread was started, and has not looked for a task yet.
const STARTING: u8 = 0;
/// It runs a task or the initializer, or has left.
const BUSY: u8 = 1;
/// It looks for a task, searches, or sleeps.
const FREE: u8 = 2;

/// A worker that has ended a task is about to take the next, or to search. Who asks meanwhile yields the processor to
/// it this often, and then takes it for busy.
const YIELDS: usize = 500;

impl Phase {
    /// Of a worker that is going to be started.
    pub(crate) fn starting(initializes: bool) -> Phase {
        Phase(CachePadded::new(AtomicU8::new(if initializes { BUSY } else { STARTING })))
    }

    /// It begins to run something, or has left. True: it had not looked for a task before.
    pub(crate) fn set_busy(&self) -> bool {
        // ORDERING: only the worker changes it. That one who waits does not miss it is the affair of the fences of
        // `IdleWatch`.
        let first = self.0.load(Relaxed) == STARTING;
        self.0.store(BUSY, Relaxed);
        first
    }

    /// It has run it.
    pub(crate) fn set_free(&self) {
        // ORDERING: as in `set_busy`.
        self.0.store(FREE, Relaxed);
    }
}

/// Whether one of the workers is idle. `searches_or_sleeps` tells whether one is counted as such.
pub(crate) fn has_idle(workers: &[Phase], searches_or_sleeps: impl Fn() -> bool) -> bool {
    for _ in 0..YIELDS {
        if searches_or_sleeps() {
            return true;
        }
        let mut is_one_free = false;
        for Phase(worker) in workers {
            // ORDERING: as in `set_busy`.
            match worker.load(Relaxed) {
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

/// Whether one of the workers runs nothing, where each is idle as long as it does not.
#[cfg(feature = "rayon")]
pub(crate) fn is_one_free(workers: &[Phase]) -> bool {
    // ORDERING: as in `set_busy`.
    workers.iter().any(|Phase(worker)| worker.load(Relaxed) != BUSY)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_idle_from_its_start_and_while_it_searches_or_sleeps() {
        let workers = [Phase::starting(true), Phase::starting(false)];
        assert!(has_idle(&workers, || false), "one has not looked for a task yet");
        assert!(workers[1].set_busy());
        assert!(!has_idle(&workers, || false), "one initializes, and one runs a task");
        workers[1].set_free();
        let asked = std::cell::Cell::new(0);
        let sleeps_at_last = || asked.replace(asked.get() + 1) == 3;
        assert!(has_idle(&workers, sleeps_at_last), "it was between two tasks");
        assert!(!has_idle(&workers, || false), "one who does not get on is taken for busy");
        assert!(!workers[1].set_busy());
    }
}
