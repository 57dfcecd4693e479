//! The remaining steps for a task that is done.

use std::fmt;

use super::{
    cell::TaskRef,
    rights::Written,
    state::Owed,
    waiter::{Waiter, notify},
};

/// The remaining steps of the thread that completed a task: dropping the arguments if the task never ran, and notifying
/// the waiters.
///
/// Dropping this does both, on the current thread and in this order, so a back-end must drop it outside its locks. A
/// thread that must not run user code calls [`wake_threads`](Completed::wake_threads), and lets another thread drop the
/// rest.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Task, TaskOptions};
/// let (task, future) = Task::from_closure(TaskOptions::new(), || 1);
/// future.add_done_callback(|_| println!("done"));
/// let completed = task.run_quietly().expect("the task is queued");
/// assert!(future.done() && completed.has_callbacks());
/// drop(completed); // prints
/// ```
#[must_use = "dropping this runs the callbacks, on this thread"]
pub struct Completed {
    task: Option<TaskRef>,
    waiters: Vec<Waiter>,
}

impl Completed {
    /// Makes the value for the thread that made the task DONE.
    #[inline]
    pub(super) fn new(task: TaskRef, owed: Owed) -> Completed {
        let waiters = match owed {
            Owed::Notification => task.waiters().take(),
            Owed::Nothing => Vec::new(),
        };
        Completed { task: Some(task), waiters }
    }

    /// Marks the task of a written output as done.
    #[inline]
    pub(crate) fn of(written: Written) -> Completed {
        let (task, owed) = written.finish();
        Completed::new(task, owed)
    }

    pub(super) fn nothing() -> Completed {
        Completed { task: None, waiters: Vec::new() }
    }

    /// Returns whether there are callbacks, which dropping this runs. A waker is user code too: see
    /// [`wake_threads`](Completed::wake_threads).
    pub fn has_callbacks(&self) -> bool {
        self.waiters.iter().any(|waiter| matches!(waiter, Waiter::Callback(_) | Waiter::View(_)))
    }

    /// Wakes the threads that wait for the task, which runs no user code. Returns the rest if dropping it runs user
    /// code: a waker, a callback, the `Drop` of an argument or a result. This is for threads of a back-end that must
    /// not be blocked by user code.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Task, TaskOptions};
    /// let (task, future) = Task::from_closure(TaskOptions::new(), || 1);
    /// future.add_done_callback(|_| println!("done"));
    /// let completed = task.run_quietly().expect("the task is queued");
    /// let rest = completed.wake_threads().expect("there is a callback");
    /// std::thread::spawn(|| drop(rest)).join().unwrap(); // prints
    /// ```
    pub fn wake_threads(mut self) -> Option<Completed> {
        let task = self.task.take()?;
        if !self.waiters.is_empty() {
            let waiters = std::mem::take(&mut self.waiters);
            self.waiters = waiters.into_iter().filter_map(Waiter::wake_thread).collect();
        }
        let runs_code = !self.waiters.is_empty() || task.state.snapshot().has_work();
        self.task = Some(if runs_code { task } else { task.release()? });
        Some(self)
    }
}

impl Drop for Completed {
    #[inline]
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
