//! The producer's half of a future that no executor runs.

use std::{fmt, marker::PhantomData};

use crate::{
    Error, ErrorKind, Future,
    task::{Completed, kinds::Promised, rare::Rare, rights::Completing, typed::Typed},
};

/// Makes a future and the promise that completes it, for back-ends and for code with callbacks. Python's counterpart is
/// `Future()`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// let (promise, future) = concurrent_futures::promise::<u64>();
/// assert!(promise.set_running_or_notify_cancel());
/// promise.set_result(42)?;
/// assert_eq!(future.result(None)?, 42);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn promise<T: Send + 'static>() -> (Promise<T>, Future<T>) {
    let (own, typed) = Typed::allocate(Promised::<T>(PhantomData), Rare::none(), true);
    (Promise { typed: own, takes: PhantomData }, Future::new(typed))
}

/// Completes one future. If it is dropped before, the future fails, so that no thread waits forever. Python's
/// counterpart is the part of `Future` that is "for use by executors".
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{ErrorKind, promise};
/// let (promise, future) = promise::<u64>();
/// drop(promise);
/// assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::Broken);
/// ```
///
/// It is invariant in `T`, because it accepts a `T`. Otherwise safe code could pass a value of a wider type than the
/// one that the future reads:
///
/// ```compile_fail,E0308
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Promise, promise};
/// type AnyText = for<'a> fn(&'a str) -> &'static str;
/// type StaticText = fn(&'static str) -> &'static str;
///
/// let (promise, future) = promise::<AnyText>();
/// let wider: Promise<StaticText> = promise;
/// wider.set_result(|text| text)?;
/// let dangling = future.result(None)?(&String::from("gone at the end of this line"));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct Promise<T: Send + 'static> {
    typed: Typed<T>,
    takes: PhantomData<fn(T)>,
}

impl<T: Send + 'static> Promise<T> {
    /// Marks the work as started. Returns `false` if the future was cancelled or completed: then the work must not
    /// start. After it has returned `true`, the future cannot be cancelled any more, and a second call returns `false`.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// let (promise, future) = concurrent_futures::promise::<u64>();
    /// if promise.set_running_or_notify_cancel() {
    ///     assert!(future.running() && !future.cancel());
    ///     promise.set_result(1)?;
    /// }
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[must_use = "false means that the work must not be done"]
    pub fn set_running_or_notify_cancel(&self) -> bool {
        self.typed.task.state.begin()
    }

    /// Completes the future with a value, and runs its callbacks.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{ErrorKind, promise};
    /// let (promise, future) = promise::<u64>();
    /// promise.set_result(1)?;
    /// assert_eq!(promise.set_result(2).unwrap_err().kind(), ErrorKind::InvalidState);
    /// assert_eq!(future.result(None)?, 1);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidState`](ErrorKind::InvalidState) if the future was completed or cancelled before. It keeps its first
    /// outcome.
    pub fn set_result(&self, value: T) -> Result<(), Error> {
        drop(Completed::of(self.start_completing()?.value(&self.typed, value)));
        Ok(())
    }

    /// Completes the future with an error, and runs its callbacks.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Error, ErrorKind, promise};
    /// let (promise, future) = promise::<u64>();
    /// promise.set_exception(Error::new(ErrorKind::Other, "the printer is on fire"))?;
    /// assert_eq!(future.result(None).unwrap_err().to_string(), "the printer is on fire");
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The same as for [`set_result`](Promise::set_result).
    pub fn set_exception(&self, error: Error) -> Result<(), Error> {
        drop(Completed::of(self.start_completing()?.error(error)));
        Ok(())
    }

    fn start_completing(&self) -> Result<Completing, Error> {
        Completing::start(&self.typed.task, true).ok_or_else(|| {
            let state = self.typed.task.state.snapshot().name();
            Error::new(ErrorKind::InvalidState, format!("this promise was completed before: its future is {state}"))
        })
    }
}

impl<T: Send + 'static> Drop for Promise<T> {
    fn drop(&mut self) {
        if self.typed.task.state.snapshot().must_be_completed_by_owner() {
            let error =
                Error::new(ErrorKind::Broken, "the promise was dropped without a result: its producer has ended");
            // This fails if another thread cancels the future at this moment. The future is then done.
            let _ = self.set_exception(error);
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.typed.task;
        f.debug_struct("Promise").field("id", &task.id.as_u64()).field("state", &task.state.snapshot()).finish()
    }
}
