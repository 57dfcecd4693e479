//! The calling thread's own queue, if it is a worker.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use crossbeam_deque::Worker as Deque;
use executor_core::{Task, host::HostId};

use crate::shells;

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

struct Local {
    pool: HostId,
    deque: Rc<Deque<Task>>,
    /// Shells that this thread has made, and supposes in its own queue.
    shells: Cell<usize>,
    /// The number at which it takes them out.
    limit: Cell<usize>,
}

/// Makes the calling thread a worker that nested submits go to, until the guard is dropped.
pub(crate) fn enter(pool: HostId, deque: Rc<Deque<Task>>) -> Guard {
    LOCAL.set(Some(Local { pool, deque, shells: Cell::new(0), limit: Cell::new(shells::limit(0)) }));
    Guard
}

#[must_use]
pub(crate) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        LOCAL.set(None);
    }
}

/// Calls code with the thread's own queue. None: it is not a worker of this pool.
fn with<R>(pool: HostId, code: impl FnOnce(&Local) -> R) -> Option<R> {
    // A thread whose locals are gone already is no worker any more.
    LOCAL.try_with(|local| local.borrow().as_ref().filter(|local| local.pool == pool).map(code)).ok().flatten()
}

/// Puts a task into the calling thread's own queue. It comes back if the thread is not a worker of this pool.
pub(crate) fn push(pool: HostId, task: Task) -> Result<(), Task> {
    let mut task = Some(task);
    with(pool, |local| {
        if let Some(task) = task.take() {
            local.deque.push(task);
        }
    });
    task.map_or(Ok(()), Err)
}

/// What became of a shell that was counted.
#[must_use]
pub(crate) enum Counted {
    /// The calling thread is not a worker of this pool, or not one with a queue of its own.
    Elsewhere,
    Here,
    /// There were too many here, so they were taken out, to be dropped outside of every lock.
    TakenOut {
        shells: Vec<Task>,
        /// So many were counted here but are not in this queue.
        missing: usize,
    },
}

/// Counts a shell that the calling thread has made.
pub(crate) fn add_shell(pool: HostId) -> Counted {
    let count = |local: &Local| {
        local.shells.set(local.shells.get() + 1);
        if local.shells.get() >= local.limit.get() { local.take_out_shells() } else { Counted::Here }
    };
    with(pool, count).unwrap_or(Counted::Elsewhere)
}

/// Notes that the calling thread has found a shell. False: it had counted none, so it is one of another thread's.
pub(crate) fn remove_shell(pool: HostId) -> bool {
    let found = |local: &Local| match local.shells.get() {
        0 => false,
        shells => {
            local.shells.set(shells - 1);
            true
        }
    };
    with(pool, found).unwrap_or(false)
}

impl Local {
    /// Takes the shells out of the own queue. The others go once round, so they stay in order; each is out of sight for
    /// a moment, so the caller announces them afterwards.
    fn take_out_shells(&self) -> Counted {
        let mut shells = Vec::new();
        for _ in 0..self.deque.len() {
            match self.deque.pop() {
                Some(task) if task.has_left_queue() => shells.push(task),
                Some(task) => self.deque.push(task),
                None => break,
            }
        }
        self.limit.set(shells::limit(self.deque.len()));
        let missing = self.shells.replace(0).saturating_sub(shells.len());
        Counted::TakenOut { shells, missing }
    }
}
