//! What is left to do when a task is done.

use std::fmt;

use super::{
    cell::TaskRef,
    waiter::{Waiter, notify},
};

/// What the one who completed a task owes: to drop the arguments if it never ran, and to notify those who wait for it.
/// Dropping this does both, on this thread and in this order. A back-end drops it outside of its locks; one whose own
/// threads must not run callbacks asks [`has_callbacks`](Completed::has_callbacks) and lets another thread drop it.
///
/// ```
/// use executor_core::{Task, TaskOptions};
/// let (task, future) = Task::from_closure(TaskOptions::new(), || 1);
/// future.add_done_callback(|_| println!("done"));
/// let completed = task.run_quietly().expect("nobody else has taken it");
/// assert!(future.done() && completed.has_callbacks());
/// drop(completed); // prints
/// ```
#[must_use = "dropping this runs the callbacks, on this thread"]
pub struct Completed {
    task: Option<TaskRef>,
    waiters: Vec<Waiter>,
}

impl Completed {
    /// For the one who made the task DONE.
    pub(super) fn new(task: TaskRef, waited: bool) -> Completed {
        let waiters = if waited { task.waiters.take() } else { Vec::new() };
        Completed { task: Some(task), waiters }
    }

    pub(super) fn nothing() -> Completed {
        Completed { task: None, waiters: Vec::new() }
    }

    /// Whether dropping this runs code of the user's: a callback.
    pub fn has_callbacks(&self) -> bool {
        self.waiters.iter().any(|waiter| matches!(waiter, Waiter::Callback(_)))
    }
}

impl Drop for Completed {
    fn drop(&mut self) {
        let Some(task) = &self.task else { return };
        if task.state.snapshot().has_work() {
            task.discard_work();
        }
        if !self.waiters.is_empty() {
            notify(task, std::mem::take(&mut self.waiters));
        }
    }
}

impl fmt::Debug for Completed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completed").field("waiters", &self.waiters.len()).finish()
    }
}
