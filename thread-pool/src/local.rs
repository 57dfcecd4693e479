//! The calling thread's own queue, if it is a worker.

use std::{cell::RefCell, rc::Rc};

use crossbeam_deque::Worker as Deque;
use executor_core::{Task, host::HostId};

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

struct Local {
    pool: HostId,
    deque: Rc<Deque<Task>>,
}

/// Makes the calling thread a worker that nested submits go to, until the guard is dropped.
pub(crate) fn enter(pool: HostId, deque: Rc<Deque<Task>>) -> Guard {
    LOCAL.set(Some(Local { pool, deque }));
    Guard
}

#[must_use]
pub(crate) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        LOCAL.set(None);
    }
}

/// Puts a task into the calling thread's own queue. It comes back if the thread is not a worker of this pool.
pub(crate) fn push(pool: HostId, task: Task) -> Result<(), Task> {
    let mut task = Some(task);
    // A thread whose locals are gone already is no worker any more.
    let _ = LOCAL.try_with(|local| {
        if let Some(local) = &*local.borrow()
            && local.pool == pool
            && let Some(task) = task.take()
        {
            local.deque.push(task);
        }
    });
    task.map_or(Ok(()), Err)
}
