//! A future whose value is read many times.
#![allow(unsafe_code)]

use std::{
    fmt,
    future::IntoFuture,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::{Awaited, Error, Future, TaskId, task::typed::Read, waiting};

/// A handle that can be cloned, and whose [`result`](SharedFuture::result) clones the value. See [`Future::shared`].
///
/// It goes to other threads if the value is `Sync`, because several of them may look at it at once. A result that is
/// dear to clone is best returned in an `Arc`, from a task on threads. Python's counterpart is any future, for objects
/// are shared there.
///
/// It can be awaited, by value and by reference, any number of times and by several at once; each gets a clone.
///
/// ```
/// # use executor_core::{Executor, InlineExecutor};
/// let shared = InlineExecutor::new().submit(|n: u64| vec![n; 3], 7)?.shared();
/// let other = shared.clone();
/// assert_eq!(shared.result(None)?, other.result(None)?);
/// # Ok::<(), executor_core::Error>(())
/// ```
pub struct SharedFuture<T> {
    future: Future<T>,
    /// Several handles, so several threads, read one value: that asks for `T: Sync`, as an `Arc<T>` does.
    reads: PhantomData<Arc<T>>,
}

impl<T: Send + Clone + 'static> SharedFuture<T> {
    pub(crate) fn new(future: Future<T>) -> SharedFuture<T> {
        future.task().state.share_value();
        SharedFuture { future, reads: PhantomData }
    }

    /// The id of the task.
    pub fn id(&self) -> TaskId {
        self.future.id()
    }

    /// As [`Future::done`].
    pub fn done(&self) -> bool {
        self.future.done()
    }

    /// As [`Future::running`].
    pub fn running(&self) -> bool {
        self.future.running()
    }

    /// As [`Future::cancelled`].
    pub fn cancelled(&self) -> bool {
        self.future.cancelled()
    }

    /// As [`Future::cancel`].
    pub fn cancel(&self) -> bool {
        self.future.cancel()
    }

    /// As [`Future::terminate`].
    pub fn terminate(&self, grace: Duration) -> bool {
        self.future.terminate(grace)
    }

    /// As [`Future::run_inline`].
    pub fn run_inline(&self) -> bool {
        self.future.run_inline()
    }

    /// As [`Future::run_inline_or_fail`].
    pub fn run_inline_or_fail(&self) -> bool {
        self.future.run_inline_or_fail()
    }

    /// Waits for the task and clones its value: any number of times, from any thread.
    ///
    /// # Errors
    ///
    /// As [`Future::result`]; [`InvalidState`](crate::ErrorKind::InvalidState) only if a callback had moved the value
    /// out before the future was shared.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        waiting::wait_for(self.future.task(), timeout.into(), || {
            // SAFETY: `self` is a shared handle, borrowed by this thread.
            unsafe { clone_value(&self.future) }
        })
    }

    /// As [`Future::exception`].
    ///
    /// # Errors
    ///
    /// As [`Future::exception`].
    pub fn exception(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<Error>, Error> {
        self.future.exception(timeout)
    }
}

/// Clones the value, if it is there.
///
/// # Safety
///
/// - The future is that of a shared handle of the calling thread: a [`SharedFuture`] or an [`AwaitedShared`].
unsafe fn clone_value<T: Send + Clone + 'static>(future: &Future<T>) -> Read<T> {
    // SAFETY: by `reads`, handles are on several threads only if `T: Sync`, which is what lets them hold a `&T` at the
    // same time; and nothing but a shared handle reads the value once it is shared.
    unsafe { future.typed().with_value(T::clone) }
}

/// What `shared_future.await` polls: as [`Awaited`], but it clones the value.
///
/// ```
/// use std::{pin::pin, task::{Context, Poll, Waker}};
/// use executor_core::{Error, Executor, InlineExecutor, SharedFuture};
///
/// async fn twice(shared: &SharedFuture<u64>) -> Result<u64, Error> {
///     Ok(shared.await? + shared.clone().await?)
/// }
/// let shared = InlineExecutor::new().submit(|n: u64| n * 2, 21)?.shared();
/// // Any runtime will do; here the value is there at the first poll.
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

    /// For `.await`, on any runtime. Dropping what this returns does not touch the task.
    fn into_future(self) -> AwaitedShared<T> {
        // SAFETY: the reader is called by the `AwaitedShared` alone, with its own future, on the thread that polls it.
        let awaited = Awaited::reading(self.future, |future| unsafe { clone_value(future) });
        AwaitedShared { awaited, reads: PhantomData }
    }
}

impl<T: Send + Clone + 'static> IntoFuture for &SharedFuture<T> {
    type Output = Result<T, Error>;
    type IntoFuture = AwaitedShared<T>;

    /// For `.await` that leaves the handle where it is.
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
