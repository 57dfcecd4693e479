//! The local queue of the calling thread, if it is a worker.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use crossbeam_deque::Worker as Deque;
use executor_core::{Task, host::HostId};

use crate::stale;

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

struct Local {
    pool: HostId,
    deque: Rc<Deque<Task>>,
    /// The number of tasks that this thread made stale. They are assumed to be in its own queue.
    stale: Cell<usize>,
    /// The number at which this thread removes them.
    stale_limit: Cell<usize>,
}

/// Makes the calling thread a worker whose tasks submit to this queue, until the guard is dropped.
pub(crate) fn enter(pool: HostId, deque: Rc<Deque<Task>>) -> Guard {
    LOCAL.set(Some(Local { pool, deque, stale: Cell::new(0), stale_limit: Cell::new(stale::limit(0)) }));
    Guard
}

#[must_use]
pub(crate) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        LOCAL.set(None);
    }
}

/// Calls a function with the local queue. Returns `None` if the calling thread is not a worker of this pool.
fn with<R>(pool: HostId, code: impl FnOnce(&Local) -> R) -> Option<R> {
    // A thread whose thread locals are destroyed is no longer a worker.
    LOCAL.try_with(|local| local.borrow().as_ref().filter(|local| local.pool == pool).map(code)).ok().flatten()
}

/// Pushes a task into the local queue. Returns it if the calling thread is not a worker of this pool.
pub(crate) fn push(pool: HostId, task: Task) -> Result<(), Task> {
    let mut task = Some(task);
    with(pool, |local| {
        if let Some(task) = task.take() {
            local.deque.push(task);
        }
    });
    task.map_or(Ok(()), Err)
}

/// Where a stale task was counted.
#[must_use]
pub(crate) enum Counted {
    /// Not in a local queue: the calling thread is not a worker of this pool, or has no queue of its own.
    Remote,
    /// In the local queue.
    Local,
    /// In the local queue, whose stale tasks were too many and were removed.
    Removed {
        /// The caller must drop them outside of every lock.
        stale: Vec<Task>,
        /// The number of tasks that were counted in this queue but are in another one.
        missing: usize,
    },
}

/// Counts a task that the calling thread has made stale.
pub(crate) fn add_stale(pool: HostId) -> Counted {
    let count = |local: &Local| {
        local.stale.set(local.stale.get() + 1);
        if local.stale.get() >= local.stale_limit.get() { local.remove_stale() } else { Counted::Local }
    };
    with(pool, count).unwrap_or(Counted::Remote)
}

/// Subtracts one from the stale tasks of the calling thread, because it has found one. Returns `false` if it had
/// counted none, so that another thread must have counted this one.
#[must_use]
pub(crate) fn uncount_stale(pool: HostId) -> bool {
    let found = |local: &Local| match local.stale.get() {
        0 => false,
        stale => {
            local.stale.set(stale - 1);
            true
        }
    };
    with(pool, found).unwrap_or(false)
}

impl Local {
    /// Removes the stale tasks from the local queue. All others are popped and pushed again, so they stay in order.
    /// Each is invisible to other workers for a moment, so the caller must wake a worker afterwards.
    fn remove_stale(&self) -> Counted {
        let mut stale = Vec::new();
        for _ in 0..self.deque.len() {
            match self.deque.pop() {
                Some(task) if task.has_left_queue() => stale.push(task),
                Some(task) => self.deque.push(task),
                None => break,
            }
        }
        self.stale_limit.set(stale::limit(self.deque.len()));
        let missing = self.stale.replace(0).saturating_sub(stale.len());
        Counted::Removed { stale, missing }
    }
}
