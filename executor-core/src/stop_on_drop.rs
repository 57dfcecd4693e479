//! A guard that stops its task when it is dropped.

use std::{
    fmt,
    future::IntoFuture,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use crate::{AsFuture, Awaited, Error, Future, task::queued};

/// The handle of a task that is not wanted any more once the handle is dropped: by a time-out, a `select!` that another
/// branch has won, or a client that is gone. [`Future::cancel_on_drop`] and [`Future::terminate_on_drop`] make it.
///
/// It can be awaited, by value and by `&mut`. It also dereferences to the [`Future`], so it can be waited for, stopped
/// and given callbacks. Dropping it does not wait for the end of the task, and does nothing if the task is done. A drop
/// that cancels the task runs its callbacks, as [`Future::cancel`] does. The counterparts in Python are a cancelled
/// `asyncio.Task`, whose awaited future is cancelled too, and `asyncio.timeout`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::promise;
///
/// let (promise, future) = promise::<u64>();
/// // A server would pass the guard to `timeout` or `select!`, which drop it.
/// let guard = future.cancel_on_drop();
/// assert!(!guard.done());
/// drop(guard);
/// assert!(!promise.set_running_or_notify_cancel(), "no one waits for the result, so the work must not start");
/// ```
#[must_use = "dropping this stops the task"]
pub struct StopOnDrop<T: Send + 'static> {
    awaited: Awaited<T>,
    how: How,
}

/// How the drop of a guard ends its task.
#[derive(Clone, Copy, Debug)]
enum How {
    /// The task is cancelled, or asked to stop if it runs.
    Cancel,
    /// The task is cancelled, or terminated after this time if it runs.
    Terminate(Duration),
    /// The task goes on.
    Keep,
}

impl<T: Send + 'static> Future<T> {
    /// Turns the handle into a guard: dropping it cancels the task. A task that runs is asked to stop, which
    /// [`Context::is_cancelled`](crate::task::Context::is_cancelled) reports, and goes on if it does not look at that.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let guard = InlineExecutor::new().submit(|n: u64| n + 1, 1)?.cancel_on_drop();
    /// assert_eq!(guard.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn cancel_on_drop(self) -> StopOnDrop<T> {
        StopOnDrop { awaited: self.into_future(), how: How::Cancel }
    }

    /// Turns the handle into a guard: dropping it stops the task as [`terminate`](Future::terminate) does. A worker
    /// process receives `SIGTERM` immediately, and `SIGKILL` after `grace`. The drop does not wait for that.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// # use std::time::Duration;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let guard = InlineExecutor::new().submit(|n: u64| n + 1, 1)?.terminate_on_drop(Duration::from_millis(100));
    /// assert_eq!(guard.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn terminate_on_drop(self, grace: Duration) -> StopOnDrop<T> {
        StopOnDrop { awaited: self.into_future(), how: How::Terminate(grace) }
    }
}

impl<T: Send + 'static> StopOnDrop<T> {
    /// Returns the future, and lets the task go on.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// let (promise, future) = concurrent_futures::promise::<u64>();
    /// drop(future.cancel_on_drop().keep());
    /// assert!(promise.set_running_or_notify_cancel());
    /// ```
    pub fn keep(mut self) -> Future<T> {
        self.how = How::Keep;
        self.awaited.future().alias()
    }
}

impl<T: Send + 'static> Deref for StopOnDrop<T> {
    type Target = Future<T>;

    fn deref(&self) -> &Future<T> {
        self.awaited.future()
    }
}

impl<T: Send + 'static> AsFuture for StopOnDrop<T> {
    type Output = T;

    fn as_future(&self) -> &Future<T> {
        self
    }
}

impl<T: Send + 'static> std::future::Future for StopOnDrop<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.awaited).poll(context)
    }
}

impl<T: Send + 'static> Drop for StopOnDrop<T> {
    fn drop(&mut self) {
        match self.how {
            How::Cancel => queued::stop(self.task()),
            How::Terminate(grace) => drop(self.terminate(grace)),
            How::Keep => {}
        }
    }
}

impl<T: Send + 'static> fmt::Debug for StopOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopOnDrop").field("future", &**self).field("how", &self.how).finish()
    }
}
