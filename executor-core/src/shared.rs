//! A future whose value can be read many times.
#![allow(unsafe_code)]

use std::{
    fmt,
    future::IntoFuture,
    hash::{Hash, Hasher},
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    Awaited, Error, Future, TaskId, result_callback,
    task::{typed::Read, view},
    waiting,
};

/// A handle that can be cloned, and whose [`result`](SharedFuture::result) clones the value. See [`Future::shared`].
///
/// It can be sent to other threads if the value is `Sync`, because several threads may read the value at the same time.
/// A task on threads can return a result that is expensive to clone in an `Arc`. Python's counterpart is any future,
/// because Python shares objects.
///
/// It can be awaited by value and by reference, any number of times and by several tasks at the same time. Each
/// receives a clone.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor};
/// let shared = InlineExecutor::new().submit(|n: u64| vec![n; 3], 7)?.shared();
/// let other = shared.clone();
/// assert_eq!(shared.result(None)?, other.result(None)?);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct SharedFuture<T> {
    future: Future<T>,
    /// Several handles on several threads read one value. That requires `T: Sync`, as an `Arc<T>` does.
    reads: PhantomData<Arc<T>>,
}

impl<T: Send + Clone + 'static> SharedFuture<T> {
    pub(crate) fn new(future: Future<T>) -> SharedFuture<T> {
        future.task().state.share_value();
        SharedFuture { future, reads: PhantomData }
    }

    pub(crate) fn future(&self) -> &Future<T> {
        &self.future
    }

    /// Returns the id of the task.
    pub fn id(&self) -> TaskId {
        self.future.id()
    }

    /// Returns whether the task is done; see [`Future::done`].
    pub fn done(&self) -> bool {
        self.future.done()
    }

    /// Returns whether the task runs; see [`Future::running`].
    pub fn running(&self) -> bool {
        self.future.running()
    }

    /// Returns whether the task was cancelled; see [`Future::cancelled`].
    pub fn cancelled(&self) -> bool {
        self.future.cancelled()
    }

    /// Cancels the task; see [`Future::cancel`].
    pub fn cancel(&self) -> bool {
        self.future.cancel()
    }

    /// Cancels or stops the task; see [`Future::terminate`].
    pub fn terminate(&self, grace: Duration) -> bool {
        self.future.terminate(grace)
    }

    /// Runs the task inline; see [`Future::run_inline`].
    pub fn run_inline(&self) -> bool {
        self.future.run_inline()
    }

    /// Runs the task inline, or fails it; see [`Future::run_inline_or_fail`].
    pub fn run_inline_or_fail(&self) -> bool {
        self.future.run_inline_or_fail()
    }

    /// Waits for the task and clones its value. It can be called any number of times, from any thread.
    ///
    /// # Errors
    ///
    /// The same as for [`Future::result`], but [`InvalidState`](crate::ErrorKind::InvalidState) only if a callback had
    /// moved the value out before the future was shared, or the waits are nested too deep.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        waiting::wait_for(self.future.task(), timeout.into(), || {
            // SAFETY: `self` is a shared handle, borrowed by this thread.
            unsafe { clone_value(&self.future) }
        })
    }

    /// Waits for the task and returns its error; see [`Future::exception`].
    ///
    /// # Errors
    ///
    /// The same as for [`Future::exception`].
    pub fn exception(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<Error>, Error> {
        self.future.exception(timeout)
    }
}

impl<T: Send + Clone + 'static> SharedFuture<T> {
    /// Calls a function once the task is done; see [`Future::add_done_callback`]. The function receives a handle of its
    /// own task, from which it can clone the value.
    ///
    /// The thread that completes the task calls it, so the value must be `Sync`: other threads may read it meanwhile.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let shared = InlineExecutor::new().submit(|n: u64| n + 1, 1)?.shared();
    /// shared.add_done_callback(|shared| assert_eq!(shared.result(None).unwrap(), 2));
    /// assert_eq!(shared.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn add_done_callback(&self, callback: impl FnOnce(&SharedFuture<T>) + Send + 'static)
    where
        T: Sync,
    {
        self.future.add_done_callback(move |future| {
            callback(&SharedFuture { future: future.alias(), reads: PhantomData });
        });
    }

    /// Calls a function with the outcome of the task; see [`Future::add_result_callback`]. Unlike there, a function
    /// that is added late receives the value too.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let shared = InlineExecutor::new().submit(|n: u64| n + 1, 1)?.shared();
    /// shared.add_result_callback(|result| assert!(result.is_ok_and(|value| *value == 2)));
    /// assert_eq!(shared.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn add_result_callback(&self, callback: impl FnOnce(Result<&T, &Error>) + Send + 'static) {
        let Err(late) = result_callback::offer(self.future.typed(), callback) else { return };
        // The task is done, and its value stays where it is.
        let mut late = Some(late);
        let read = waiting::wait_for(self.future.task(), None, || {
            let show = |value: &T| late.take().into_iter().for_each(|view| view::show_value(view, value));
            // SAFETY: as for `clone_value`: this thread has a shared handle.
            unsafe { self.future.typed().with_value(show) }
        });
        if let (Some(view), Err(error)) = (late, read) {
            view::refuse(view, &error);
        }
    }
}

/// Clones the value, if the task is done.
///
/// # Safety
///
/// - The future belongs to a shared handle of the calling thread: a [`SharedFuture`] or an [`AwaitedShared`].
unsafe fn clone_value<T: Send + Clone + 'static>(future: &Future<T>) -> Read<T> {
    // SAFETY: by `reads`, handles are on several threads only if `T: Sync`, which allows them to hold a `&T` at the
    // same time. Once the value is shared, only shared handles read it.
    unsafe { future.typed().with_value(T::clone) }
}

/// The future that `shared_future.await` polls. It works as [`Awaited`] does, but clones the value.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::{pin::pin, task::{Context, Poll, Waker}};
/// use concurrent_futures::{Error, Executor, InlineExecutor, SharedFuture};
///
/// async fn twice(shared: &SharedFuture<u64>) -> Result<u64, Error> {
///     Ok(shared.await? + shared.clone().await?)
/// }
/// let shared = InlineExecutor::new().submit(|n: u64| n * 2, 21)?.shared();
/// // Any runtime works; here the value is ready at the first poll.
/// let sum = pin!(twice(&shared)).poll(&mut Context::from_waker(Waker::noop()));
/// assert!(matches!(sum, Poll::Ready(Ok(84))));
/// # Ok::<(), Error>(())
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct AwaitedShared<T: Send + 'static> {
    awaited: Awaited<T>,
    /// As in [`SharedFuture`].
    reads: PhantomData<Arc<T>>,
}

impl<T: Send + Clone + 'static> IntoFuture for SharedFuture<T> {
    type Output = Result<T, Error>;
    type IntoFuture = AwaitedShared<T>;

    /// Makes the future for `.await`, on any runtime. Dropping it does not affect the task.
    fn into_future(self) -> AwaitedShared<T> {
        // SAFETY: only the `AwaitedShared` calls the reader, with its own future, on the thread that polls it.
        let awaited = Awaited::reading(self.future, |future| unsafe { clone_value(future) });
        AwaitedShared { awaited, reads: PhantomData }
    }
}

impl<T: Send + Clone + 'static> IntoFuture for &SharedFuture<T> {
    type Output = Result<T, Error>;
    type IntoFuture = AwaitedShared<T>;

    /// Makes a future for `.await`, and keeps the handle.
    fn into_future(self) -> AwaitedShared<T> {
        self.clone().into_future()
    }
}

impl<T: Send + Clone + 'static> std::future::Future for AwaitedShared<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.awaited).poll(context)
    }
}

impl<T: Send + 'static> Unpin for AwaitedShared<T> {}

impl<T: Send + 'static> fmt::Debug for AwaitedShared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.awaited.fmt(f)
    }
}

/// Two shared futures are equal if they are handles of the same task, so every clone is equal to the original.
impl<T> PartialEq for SharedFuture<T> {
    fn eq(&self, other: &SharedFuture<T>) -> bool {
        self.future == other.future
    }
}

impl<T> Eq for SharedFuture<T> {}

impl<T> Hash for SharedFuture<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.future.hash(state);
    }
}

impl<T: Send + 'static> Clone for SharedFuture<T> {
    fn clone(&self) -> SharedFuture<T> {
        SharedFuture { future: self.future.alias(), reads: PhantomData }
    }
}

impl<T> fmt::Debug for SharedFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.future.fmt(f)
    }
}
