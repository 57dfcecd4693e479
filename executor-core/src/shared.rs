//! A future whose value is read many times.
#![allow(unsafe_code)]

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use crate::{Error, Future, TaskId, waiting};

/// A handle that can be cloned, and whose [`result`](SharedFuture::result) clones the value. See [`Future::shared`].
///
/// It goes to other threads if the value is `Sync`, because several of them may look at it at once. A result that is dear
/// to clone is best returned in an `Arc`, from a task on threads. Python's counterpart is any future, for objects are
/// shared there.
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
        future.task().state.share();
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

    /// As [`Future::run_on_the_spot`].
    pub fn run_on_the_spot(&self) -> bool {
        self.future.run_on_the_spot()
    }

    /// Waits for the task and clones its value: any number of times, from any thread.
    ///
    /// # Errors
    ///
    /// As [`Future::result`]; [`InvalidState`](crate::ErrorKind::InvalidState) only if a callback had moved the value out
    /// before the future was shared.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        let (typed, unpack) = (self.future.typed(), self.future.unpack_fn());
        waiting::wait_for(self.future.task(), timeout.into(), || {
            // SAFETY: by `reads`, handles are on several threads only if `T: Sync`, which is what lets them hold a `&T`
            // at the same time; and nothing but a shared handle reads the value once it is shared.
            unsafe { typed.with_value(unpack, T::clone) }
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
