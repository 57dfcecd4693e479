//! How a future calls the back-end that has its task.
//!
//! Most operations of a future need no back-end, because the future waits on the task's own state. A few rare ones do:
//! withdrawing a task from a worker's own queue, finding out whether such a task has started, stopping a running task,
//! and notifying a bounded queue that a task has left it early. A back-end that supports them registers a [`Host`], and
//! sets its [`HostId`] on the tasks that it accepts. The host is looked up when it is needed, so a task carries four
//! bytes instead of a counted reference, for which all submitting and completing threads would contend.
//!
//! ```
//! # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
//! use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
//! use concurrent_futures::{Task, TaskId, TaskOptions, backend::host::{self, Host}};
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

use crate::{Error, ErrorKind, TaskId, spin::SpinBudget, task::Ended};

pub use crate::idle::IdleWatch;

/// Runs user code that no thread waits for, such as a callback of a back-end. A panic is reported by the panic hook and
/// ends here.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
/// concurrent_futures::backend::host::contain(|| panic!("reported, and contained"));
/// ```
pub fn contain(code: impl FnOnce()) {
    crate::catch::contain(code);
}

/// The operations of a back-end on the tasks that carry its [`HostId`]. No lock of this crate is held during a call.
pub trait Host: Send + Sync {
    /// Withdraws a task from a worker's own queue, and cancels it. Returns whether it did: then the task never starts,
    /// and its future is done. `place` is what [`Task::place`](crate::Task::place) received.
    ///
    /// If two threads call this at the same moment, only one of them finds the task. So that the other one sees the
    /// task cancelled too, call [`Task::cancel`](crate::Task::cancel) before releasing the lock under which the task
    /// was found, and drop what it returns after releasing the lock: only that drop runs user code.
    fn withdraw(&self, task: TaskId, place: u64) -> bool {
        let _ = (task, place);
        false
    }

    /// Returns whether a task that was placed in a worker's own queue has started there.
    fn started(&self, task: TaskId, place: u64) -> bool {
        let _ = (task, place);
        false
    }

    /// Stops a running task, by force after `grace`. Returns whether it will be stopped, unless it ends before.
    fn terminate(&self, task: TaskId, place: u64, grace: Duration) -> bool {
        let _ = (task, place, grace);
        false
    }

    /// Asks a running task to stop, which [`Context::is_cancelled`](crate::task::Context::is_cancelled) reports.
    fn ask_to_stop(&self, task: TaskId, place: u64) {
        let _ = (task, place);
    }

    /// Spins for a thread that waits for a task of this host, before the thread sleeps. Returns whether the result
    /// [is ready](Waiting::is_ready). A host that runs tasks remotely handles replies here.
    fn poll_replies(&self, waiting: &Waiting<'_>, budget: &mut SpinBudget) -> bool {
        budget.spin_with_backoff(waiting.backoff, || waiting.is_ready())
    }

    /// Returns whether a worker of this host is idle, so that it will take the next queued task.
    ///
    /// A worker that waits with a time-out calls this before it runs the awaited task inline. The default is `true`,
    /// for hosts that cannot find out: then the wait ends at its time-out, and the task is left to the other workers. A
    /// host that returns `true` should have an [`idle_watch`](Host::idle_watch), or its workers wait until their
    /// time-outs.
    fn has_idle_worker(&self) -> bool {
        true
    }

    /// Returns the watch that wakes workers when [`has_idle_worker`](Host::has_idle_worker) becomes `false`.
    fn idle_watch(&self) -> Option<&IdleWatch> {
        None
    }

    /// Runs code on another thread with a fresh stack, as a worker of this host, and waits until it ends.
    ///
    /// A worker that waits for a task calls this when half of its own stack is used, because the awaited task runs on
    /// top of the waiting one. `size` is the size of the worker's own stack, if it is known.
    ///
    /// # Errors
    ///
    /// Returns an error that says why there is no fresh stack. Then the code was not run. The default always returns
    /// one.
    fn run_on_fresh_stack(&self, size: Option<usize>, code: &mut (dyn FnMut() + Send)) -> Result<(), Error> {
        let _ = (size, code);
        Err(Error::new(ErrorKind::InvalidState, "this back-end has no fresh stacks"))
    }

    /// Called when another thread takes a task out of the queue: it was cancelled, or a task that waits for it runs it.
    fn left_queue(&self, task: TaskId) {
        let _ = task;
    }

    /// Called after a task of this host was cancelled in the queue. [`left_queue`](Host::left_queue) was called before,
    /// so this is for a host that counts.
    fn was_cancelled(&self) {}

    /// Called after a task that waits for another one has run it, or has failed it because there is no stack for it,
    /// and before the future of that one is done. [`left_queue`](Host::left_queue) was called before, so this is for a
    /// host that counts.
    fn ended_inline(&self, ended: Ended) {
        let _ = ended;
    }

    /// Called as [`left_queue`](Host::left_queue) is, for a host that needs to find the task. `place` is the last one
    /// that [`Task::note_place`](crate::Task::note_place) or [`Task::place`](crate::Task::place) received, or 0 if
    /// there was none. It may be out of date, so compare the ids.
    fn left_queue_at(&self, task: TaskId, place: u64) {
        let _ = place;
        self.left_queue(task);
    }
}
