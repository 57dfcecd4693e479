//! The trait that a back-end implements, and the ways to stop a back-end.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{Error, Task};

/// The trait that a back-end implements. `Box<dyn Backend>` is an executor that can be swapped.
///
/// It is small on purpose: everything else that users call is in [`Executor`](crate::Executor), which every back-end
/// has.
///
/// # Contract
///
/// - Every task that `schedule` accepts is run, completed or dropped (which fails its future). None is kept forever.
/// - `schedule` after `close` returns [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown), and does not run the task.
/// - If a bounded back-end is full, `schedule` blocks if [`Task::may_wait`] returns `true`, and otherwise returns
///   [`ErrorKind::QueueFull`](crate::ErrorKind::QueueFull). [`poll_room`](Backend::poll_room) never blocks, and gives
///   room in the order in which submitters came, blocked ones included.
/// - `close` and `join` may be called any number of times and from any thread, even from a task or a callback of this
///   back-end. `close` returns immediately; `join` from one of the back-end's own threads must not wait for itself.
/// - Dropping the back-end is `close(Shutdown::Drain)` and then `join(None)`.
/// - No lock of the back-end is held while a task or a callback runs.
///
/// # Examples
///
/// A back-end that starts a thread for each task:
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::{sync::Mutex, thread::JoinHandle, time::Duration};
/// use concurrent_futures::{Backend, Error, ErrorKind, Executor, Shutdown, Task};
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
    /// Accepts a task, and runs it now or later, locally or remotely.
    ///
    /// # Errors
    ///
    /// [`ShutDown`](crate::ErrorKind::ShutDown) after `close`, [`QueueFull`](crate::ErrorKind::QueueFull) if the queue
    /// is full and the task must not wait, [`Broken`](crate::ErrorKind::Broken) if no worker can be started any more,
    /// [`Encode`](crate::ErrorKind::Encode) if the arguments cannot be encoded. In each case the task did not run.
    fn schedule(&self, task: Task) -> Result<(), Error>;

    /// Stops accepting tasks, and drains, cancels or terminates those it has. Returns immediately.
    ///
    /// A later call can only be stricter. The order is drain, cancel, terminate.
    fn close(&self, mode: Shutdown);

    /// Waits until every worker has ended, at most for `timeout`; `None` waits without a time-out.
    ///
    /// Returns whether every worker has ended. Workers only end after `close`; without one, this waits until another
    /// thread calls it. So it is not `join` of the crate `threadpool`, which waits for the tasks of an open pool: wait
    /// for their futures, or call `ThreadPoolExecutor::wait_idle`. Called from one of the back-end's own workers it
    /// immediately returns `false`, because that worker has not ended.
    fn join(&self, timeout: Option<Duration>) -> bool;

    /// Returns how many tasks can run at the same time.
    fn max_workers(&self) -> usize;

    /// Returns a handle through which tasks can be submitted after the borrow of the executor has ended.
    ///
    /// [`Executor::map_with`](crate::Executor::map_with) with a `buffersize` submits its later items through it. It
    /// must not keep the workers alive: once the executor is shut down, its `schedule` returns `ShutDown`. The default
    /// is `None`, and then `buffersize` is an error.
    fn handle(&self) -> Option<Arc<dyn Backend>> {
        None
    }

    /// Asks for room for a task in a bounded queue, without blocking. If it is `Ready(Ok(()))`, the next
    /// [`schedule`](Backend::schedule) of this task does not fail because the queue is full. If it is `Pending`, the
    /// waker of the last call is woken when there is room, or the back-end is closed.
    ///
    /// [`Executor::submit_async`](crate::Executor::submit_async) calls this, and so does the stream of a buffered map,
    /// on the [`handle`](Backend::handle). The default is always ready. So if a bounded back-end does not implement
    /// this, `submit_async` returns [`QueueFull`](crate::ErrorKind::QueueFull), and such a stream blocks.
    ///
    /// # Errors
    ///
    /// The same as for [`schedule`](Backend::schedule), but not `QueueFull`.
    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let _ = (task, context);
        Poll::Ready(Ok(()))
    }

    /// Called instead of `schedule` if a task for which [`poll_room`](Backend::poll_room) was called will not be
    /// submitted: its waker is not woken, and room that it was given belongs to the next one.
    fn give_up_room(&self, task: &Task) {
        let _ = task;
    }
}

/// What happens to the tasks that are not done when an executor is closed.
///
/// Dropping an executor is [`Drain`](Shutdown::Drain). Python's counterparts: `shutdown()`,
/// `shutdown(cancel_futures=True)`, and `terminate_workers()` followed by `kill_workers()`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::time::Duration;
/// use concurrent_futures::{Executor, InlineExecutor, Shutdown};
/// InlineExecutor::new().shutdown(Shutdown::Terminate { grace: Duration::from_secs(1) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Every accepted task still runs.
    Drain,
    /// Running tasks finish; queued tasks are cancelled.
    CancelPending,
    /// Queued tasks are cancelled. Running tasks are asked to stop, and after `grace` are stopped where the back-end
    /// can do that.
    ///
    /// Processes get `SIGTERM` immediately and `SIGKILL` after `grace`. Threads cannot be stopped: a task can check
    /// [`is_cancelled`](crate::task::Context::is_cancelled) and return.
    Terminate {
        /// How long a task may continue after it was asked to stop.
        grace: Duration,
    },
}

macro_rules! forward_backend {
    ($($pointer:ty),*) => {$(
        impl<B: Backend + ?Sized> Backend for $pointer {
            #[inline]
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
            fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
                (**self).poll_room(task, context)
            }
            fn give_up_room(&self, task: &Task) {
                (**self).give_up_room(task);
            }
        }
    )*};
}

forward_backend!(&B, Box<B>, Arc<B>);
