//! What a back-end implements, and how it is told to stop.

use std::{sync::Arc, time::Duration};

use crate::{Error, Task};

/// What a back-end implements. `Box<dyn Backend>` is the executor that can be swapped.
///
/// Small on purpose: everything else that users call is in [`Executor`](crate::Executor), which every back-end gets.
///
/// # Contract
///
/// - Every task that `schedule` accepted is resolved: it is run, completed, or dropped (which resolves its future with
///   an error). None is kept for ever.
/// - `schedule` after `close` answers [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown), and nothing of the task
///   runs.
/// - A bounded back-end waits in `schedule` while it is full if [`Task::may_wait`] says so, and otherwise answers
///   [`ErrorKind::QueueFull`](crate::ErrorKind::QueueFull).
/// - `close` and `join` may be called any number of times and from any thread, also from a task or a callback of this
///   very back-end. `close` returns at once; `join` from one of the back-end's own threads must not wait for itself.
/// - Dropping the back-end is `close(Shutdown::Drain)` and then `join(None)`.
/// - No lock of the back-end is held while a task or a callback runs.
///
/// # Examples
///
/// A back-end that starts a thread for each task:
///
/// ```
/// use std::{sync::Mutex, thread::JoinHandle, time::Duration};
/// use executor_core::{Backend, Error, ErrorKind, Executor, Shutdown, Task};
///
/// #[derive(Default)]
/// struct ThreadPerTask {
///     threads: Mutex<Option<Vec<JoinHandle<()>>>>,
/// }
///
/// impl Backend for ThreadPerTask {
///     fn schedule(&self, task: Task) -> Result<(), Error> {
///         let mut threads = self.threads.lock().unwrap();
///         let Some(threads) = threads.as_mut() else {
///             return Err(Error::new(ErrorKind::ShutDown, "this executor was shut down"));
///         };
///         threads.push(std::thread::spawn(move || task.run()));
///         Ok(())
///     }
///     fn close(&self, _: Shutdown) {}
///     fn join(&self, _: Option<Duration>) -> bool {
///         let threads = self.threads.lock().unwrap().take();
///         threads.into_iter().flatten().all(|thread| thread.join().is_ok())
///     }
///     fn max_workers(&self) -> usize {
///         usize::MAX
///     }
/// }
///
/// let executor = ThreadPerTask { threads: Mutex::new(Some(Vec::new())) };
/// assert_eq!(executor.submit(|n: u64| n + 1, 41)?.result(None)?, 42);
/// executor.shutdown(Shutdown::Drain);
/// # Ok::<(), Error>(())
/// ```
pub trait Backend: Send + Sync {
    /// Takes a task and runs it, now or later, here or elsewhere.
    ///
    /// # Errors
    ///
    /// [`ShutDown`](crate::ErrorKind::ShutDown) after `close`, [`QueueFull`](crate::ErrorKind::QueueFull) where the
    /// task must not wait, [`Broken`](crate::ErrorKind::Broken) where no worker can be had any more,
    /// [`Encode`](crate::ErrorKind::Encode) where the arguments could not be written down. The task did not run.
    fn schedule(&self, task: Task) -> Result<(), Error>;

    /// Stops accepting tasks, and deals with those it has as `mode` says. Returns at once.
    ///
    /// A second call may only be stricter: draining, then cancelling, then terminating.
    fn close(&self, mode: Shutdown);

    /// Waits until every worker is gone, at most for `timeout`; `None` waits as long as it takes.
    ///
    /// True: every worker is gone. Without an earlier `close` the workers do not go, so it waits for somebody to call
    /// it. Called from one of the back-end's own workers it answers false at once, for that worker is not gone.
    fn join(&self, timeout: Option<Duration>) -> bool;

    /// How many tasks can run at the same time.
    fn max_workers(&self) -> usize;

    /// A handle that owns what `schedule` needs, for submitting when the borrow of the executor is over.
    ///
    /// [`Executor::map_with`](crate::Executor::map_with) with a `buffersize` submits its later items through it. It
    /// must not keep the workers alive: once the executor is shut down, it answers `ShutDown`. The default is `None`,
    /// and `buffersize` is then refused with a typed error.
    fn handle(&self) -> Option<Arc<dyn Backend>> {
        None
    }
}

/// What becomes of the tasks that are not done when an executor is closed.
///
/// Dropping an executor is [`Drain`](Shutdown::Drain). Python's counterparts: `shutdown()`,
/// `shutdown(cancel_futures=True)`, and `terminate_workers()` followed by `kill_workers()`.
///
/// ```
/// use std::time::Duration;
/// use executor_core::{Executor, InlineExecutor, Shutdown};
/// InlineExecutor::new().shutdown(Shutdown::Terminate { grace: Duration::from_secs(1) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Everything that was accepted still runs.
    Drain,
    /// What runs is finished; what waits is cancelled.
    CancelPending,
    /// What waits is cancelled; what runs is asked to stop, and after `grace` is stopped where the back-end can do
    /// that.
    ///
    /// Processes get `SIGTERM` at once and `SIGKILL` after `grace`. Threads cannot be stopped: a task sees
    /// [`is_cancelled`](crate::task::Context::is_cancelled) and may leave by itself.
    Terminate {
        /// How long a task that was asked to stop may take over it.
        grace: Duration,
    },
}

macro_rules! forward_backend {
    ($($pointer:ty),*) => {$(
        impl<B: Backend + ?Sized> Backend for $pointer {
            fn schedule(&self, task: Task) -> Result<(), Error> {
                (**self).schedule(task)
            }
            fn close(&self, mode: Shutdown) {
                (**self).close(mode);
            }
            fn join(&self, timeout: Option<Duration>) -> bool {
                (**self).join(timeout)
            }
            fn max_workers(&self) -> usize {
                (**self).max_workers()
            }
            fn handle(&self) -> Option<Arc<dyn Backend>> {
                (**self).handle()
            }
        }
    )*};
}

forward_backend!(&B, Box<B>, Arc<B>);
