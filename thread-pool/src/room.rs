//! The bound of a bounded queue.

use executor_core::Error;
use parking_lot::{Condvar, Mutex};

/// Counts the tasks that wait, and has submitters wait while they are too many.
///
/// A place is given free by whoever ends a task's waiting, and exactly one does: the worker that claims it, the pool that
/// withdraws it, or the core, through `Host::left_queue`, when it was cancelled or run on the spot. The claim of the task
/// decides between them, so a cancelled task that is still in a lane is not counted when it is found there.
pub(crate) struct Room {
    capacity: usize,
    state: Mutex<State>,
    /// There is room again, or there never will be.
    changed: Condvar,
}

struct State {
    /// More than the capacity, at times: workers of the pool are let in over the bound.
    waiting: usize,
    closed: bool,
}

/// Why there is no place.
#[must_use]
pub(crate) enum NoRoom {
    Full,
    Closed,
}

impl Room {
    pub(crate) fn new(capacity: usize) -> Room {
        Room { capacity, state: Mutex::new(State { waiting: 0, closed: false }), changed: Condvar::new() }
    }

    /// Takes a place, waiting for one if that is allowed.
    pub(crate) fn enter(&self, may_wait: bool) -> Result<(), NoRoom> {
        let mut state = self.state.lock();
        while !state.closed && state.waiting >= self.capacity {
            if !may_wait {
                return Err(NoRoom::Full);
            }
            self.changed.wait(&mut state);
        }
        if state.closed {
            return Err(NoRoom::Closed);
        }
        state.waiting += 1;
        Ok(())
    }

    /// Takes a place whether there is one or not: for a worker of the pool, which would wait for itself.
    pub(crate) fn enter_over_the_bound(&self) {
        self.state.lock().waiting += 1;
    }

    /// Gives a place free.
    pub(crate) fn leave(&self) {
        let mut state = self.state.lock();
        state.waiting -= 1;
        let room = state.waiting < self.capacity;
        drop(state);
        if room {
            self.changed.notify_one();
        }
    }

    /// Sends away everybody who waits, and who comes later.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    pub(crate) fn full(&self, pool: &str) -> Error {
        Error::queue_full(pool, self.capacity)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting
    }
}
