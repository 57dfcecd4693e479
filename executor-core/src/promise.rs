//! The producer's half of a future that no executor runs.

use std::{fmt, marker::PhantomData};

use crate::{
    Error, ErrorKind, Future, TaskOptions,
    task::{Completed, kinds::Promised, rights::Completing, typed::Typed},
};

/// Makes a future and the promise that resolves it: for back-ends, and for bridging to code with callbacks. Python's
/// counterpart is `Future()`.
///
/// ```
/// let (promise, future) = executor_core::promise::<u64>();
/// assert!(promise.set_running_or_notify_cancel());
/// promise.set_result(42)?;
/// assert_eq!(future.result(None)?, 42);
/// # Ok::<(), executor_core::Error>(())
/// ```
pub fn promise<T: Send + 'static>() -> (Promise<T>, Future<T>) {
    let (own, typed) = Typed::allocate(Promised::<T>(PhantomData), TaskOptions::new(), true);
    (Promise { typed: own, takes: PhantomData }, Future::new(typed))
}

/// Resolves one future. Dropped without having done so, it resolves the future with an error, so nobody waits for ever.
/// Python's counterpart is the part of `Future` that is "for use by executors".
///
/// ```
/// use executor_core::{ErrorKind, promise};
/// let (promise, future) = promise::<u64>();
/// drop(promise);
/// assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::Broken);
/// ```
///
/// It is invariant in `T`, because it takes a `T` in. Otherwise safe code could hand in a value of a wider type than
/// the one that the future reads:
///
/// ```compile_fail,E0308
/// use executor_core::{Promise, promise};
/// type AnyText = for<'a> fn(&'a str) -> &'static str;
/// type StaticText = fn(&'static str) -> &'static str;
///
/// let (promise, future) = promise::<AnyText>();
/// let wider: Promise<StaticText> = promise;
/// wider.set_result(|text| text)?;
/// let dangling = future.result(None)?(&String::from("gone at the end of this line"));
/// # Ok::<(), executor_core::Error>(())
/// ```
pub struct Promise<T: Send + 'static> {
    typed: Typed<T>,
    takes: PhantomData<fn(T)>,
}

impl<T: Send + 'static> Promise<T> {
    /// Says that the work starts. False: the future was cancelled (or resolved), so do not start. After it answered
    /// true, the future cannot be cancelled any more, and a second call answers false.
    ///
    /// ```
    /// let (promise, future) = executor_core::promise::<u64>();
    /// if promise.set_running_or_notify_cancel() {
    ///     assert!(future.running() && !future.cancel());
    ///     promise.set_result(1)?;
    /// }
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    #[must_use = "false means that the work must not be done"]
    pub fn set_running_or_notify_cancel(&self) -> bool {
        self.typed.task.state.begin()
    }

    /// Resolves the future with a value. Its callbacks run here and now.
    ///
    /// ```
    /// # use executor_core::{ErrorKind, promise};
    /// let (promise, future) = promise::<u64>();
    /// promise.set_result(1)?;
    /// assert_eq!(promise.set_result(2).unwrap_err().kind(), ErrorKind::InvalidState);
    /// assert_eq!(future.result(None)?, 1);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidState`](ErrorKind::InvalidState) if it was resolved or cancelled before; what it had is kept.
    pub fn set_result(&self, value: T) -> Result<(), Error> {
        drop(Completed::of(self.start_completing()?.value(&self.typed, value)));
        Ok(())
    }

    /// Resolves the future with an error. Its callbacks run here and now.
    ///
    /// ```
    /// # use executor_core::{Error, ErrorKind, promise};
    /// let (promise, future) = promise::<u64>();
    /// promise.set_exception(Error::new(ErrorKind::Other, "the printer is on fire"))?;
    /// assert_eq!(future.result(None).unwrap_err().to_string(), "the printer is on fire");
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set_result`](Promise::set_result).
    pub fn set_exception(&self, error: Error) -> Result<(), Error> {
        drop(Completed::of(self.start_completing()?.error(error)));
        Ok(())
    }

    fn start_completing(&self) -> Result<Completing, Error> {
        Completing::start(&self.typed.task, true).ok_or_else(|| {
            let state = self.typed.task.state.snapshot().name();
            Error::new(ErrorKind::InvalidState, format!("this promise was resolved before: its future is {state}"))
        })
    }
}

impl<T: Send + 'static> Drop for Promise<T> {
    fn drop(&mut self) {
        if self.typed.task.state.snapshot().must_be_completed_by_owner() {
            let error =
                Error::new(ErrorKind::Broken, "the promise was dropped without a result: its producer has ended");
            // Somebody may cancel it at this moment, which resolves it as well.
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
