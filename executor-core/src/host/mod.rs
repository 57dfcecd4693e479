//! How a future reaches the back-end that has its task.
//!
//! Most of what a future does needs no back-end: it waits on the task's own state. A few rare questions do: withdrawing
//! a task that already lies in a worker's own queue, whether such a task has started, stopping one that runs, and
//! telling a bounded queue that one of its tasks left early. A back-end that wants to be asked registers a [`Host`],
//! and writes its [`HostId`] on the tasks it accepts. The id is looked up when a question comes, so a task carries four
//! bytes instead of a counted reference that every submit and every completion would fight over.
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
//! use executor_core::{Task, TaskId, TaskOptions, host::{self, Host}};
//!
//! #[derive(Default)]
//! struct Queue {
//!     left: AtomicUsize,
//! }
//! impl Host for Queue {
//!     fn left_queue(&self, _: TaskId) {
//!         self.left.fetch_add(1, Ordering::Relaxed);
//!     }
//! }
//! let queue = Arc::new(Queue::default());
//! let host: Arc<dyn Host> = queue.clone();
//! let registration = host::register(Arc::downgrade(&host));
//!
//! let (task, future) = Task::from_closure(TaskOptions::new(), || ());
//! task.attach(registration.id());
//! assert!(future.cancel());
//! assert_eq!(queue.left.load(Ordering::Relaxed), 1);
//! ```

mod id;
mod registry;
mod waiting;

pub use id::HostId;
pub use registry::{Registration, register};
pub use waiting::Waiting;

use std::time::Duration;

use crate::{Error, ErrorKind, TaskId, spin::SpinBudget};

pub use crate::idle::IdleWatch;

/// Runs code of the user's that nobody waits for, as a back-end does that reports what it is doing. A panic is printed
/// and ends here.
///
/// ```
/// executor_core::host::contain(|| panic!("told, and gone"));
/// ```
pub fn contain(code: impl FnOnce()) {
    crate::catch::contain(code);
}

/// What a back-end can be asked about a task that carries its [`HostId`]. No lock of the core is held meanwhile.
pub trait Host: Send + Sync {
    /// Withdraws a task that lies in a worker's own queue, and cancels it. True: it did not start and never will, and
    /// its future is done. `place` is what [`Task::place`](crate::Task::place) was given.
    ///
    /// Of two threads that ask at once, one finds the task and the other does not. So that both callers hear that it
    /// was cancelled, call [`Task::cancel`](crate::Task::cancel) before the lock is released under which the task was
    /// found, and drop what it answers afterwards: only that drop runs code of the user's.
    fn withdraw(&self, task: TaskId, place: u64) -> bool {
        let _ = (task, place);
        false
    }

    /// Whether a task that was placed in a worker's own queue has started there.
    fn started(&self, task: TaskId, place: u64) -> bool {
        let _ = (task, place);
        false
    }

    /// Stops a task that runs, by force once `grace` is over. True: it will be stopped, unless it ends before.
    fn terminate(&self, task: TaskId, place: u64, grace: Duration) -> bool {
        let _ = (task, place, grace);
        false
    }

    /// Asks a task that runs to stop, where it can look: see
    /// [`Context::is_cancelled`](crate::task::Context::is_cancelled).
    fn ask_to_stop(&self, task: TaskId, place: u64) {
        let _ = (task, place);
    }

    /// Spins for a thread that waits for a task of this host, before the thread sleeps. Returns whether the result
    /// [is ready](Waiting::is_ready). A host whose replies come from elsewhere handles them here.
    fn poll_replies(&self, waiting: &Waiting<'_>, budget: &mut SpinBudget) -> bool {
        budget.spin_with_backoff(waiting.backoff, || waiting.is_ready())
    }

    /// Whether a worker of this host is idle, so that it will take the next task that waits.
    ///
    /// A worker that waits with a time-out asks before it runs the awaited task itself. A host that does not know
    /// returns true, which is the default: then the time-out holds, and the task is left to the other workers. One that
    /// returns true has an [`idle_watch`](Host::idle_watch), or its workers wait until their time-outs.
    fn has_idle_worker(&self) -> bool {
        true
    }

    /// Where workers wait for [`has_idle_worker`](Host::has_idle_worker) to become false.
    fn idle_watch(&self) -> Option<&IdleWatch> {
        None
    }

    /// Runs code on another thread with a fresh stack, as a worker of this host, and waits for its end.
    ///
    /// A worker that waits for a task asks for this when half of its own stack is used up, because the awaited task
    /// runs on top of it. `size` is that of its own stack, if it is known.
    ///
    /// # Errors
    ///
    /// Why there is none; then the code was not run. The default is that there never is one.
    fn run_on_fresh_stack(&self, size: Option<usize>, code: &mut (dyn FnMut() + Send)) -> Result<(), Error> {
        let _ = (size, code);
        Err(Error::new(ErrorKind::InvalidState, "this back-end has no fresh stacks"))
    }

    /// A task left the queue without the back-end's doing: it was cancelled, or run by a task that waits for it.
    fn left_queue(&self, task: TaskId) {
        let _ = task;
    }

    /// As [`left_queue`](Host::left_queue), for a host that wants to know which of its tasks that was: `place` is what
    /// [`Task::note_place`](crate::Task::note_place) or [`Task::place`](crate::Task::place) was given last, and 0
    /// before. It may be out of date, so compare the ids.
    fn left_queue_at(&self, task: TaskId, place: u64) {
        let _ = place;
        self.left_queue(task);
    }
}
