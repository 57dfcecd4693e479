//! The handle of a scoped task, and where the task stores its result.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use executor_core::{Error, ErrorKind, SharedFuture, TaskId};
use parking_lot::Mutex;

use super::shared::{Shared, Ticket};

/// The handle of a task that a [`Scope`](super::Scope) has spawned.
#[must_use = "a scoped future has the result of its task, or its panic; drop it explicitly to let the scope raise a panic"]
pub struct ScopedFuture<'scope, R> {
    /// The error if the pool did not accept the task.
    accepted: Result<SharedFuture<()>, Error>,
    slot: Arc<Slot<R>>,
    scope: PhantomData<&'scope ()>,
}

/// Where a scoped task stores its result.
pub(super) struct Slot<R>(Mutex<Stored<R>>);

enum Stored<R> {
    /// The task has not ended, or its result was read.
    Nothing,
    Value(R),
    /// A panic that was not read, and the scope that raises it.
    Panic(Error, Arc<Shared>),
}

impl<R> Slot<R> {
    pub(super) fn new() -> Arc<Slot<R>> {
        Arc::new(Slot(Mutex::new(Stored::Nothing)))
    }

    /// Stores the result of the task. Returns the error of the task again.
    pub(super) fn store(&self, result: Result<R, Error>, ticket: &Ticket) -> Result<(), Error> {
        let (stored, result) = match result {
            Ok(value) => (Stored::Value(value), Ok(())),
            Err(error) => (Stored::Panic(error.clone(), ticket.scope()), Err(error)),
        };
        *self.0.lock() = stored;
        result
    }

    /// Takes out what is stored.
    fn take(&self) -> Stored<R> {
        std::mem::replace(&mut *self.0.lock(), Stored::Nothing)
    }
}

impl<R> Drop for Slot<R> {
    fn drop(&mut self) {
        if let Stored::Panic(error, scope) = self.take() {
            scope.add_unread(error);
        }
    }
}

impl<R: Send> ScopedFuture<'_, R> {
    pub(super) fn new(accepted: Result<SharedFuture<()>, Error>, slot: Arc<Slot<R>>) -> Self {
        ScopedFuture { accepted, slot, scope: PhantomData }
    }

    /// Returns the id of the task, or `None` if the pool did not accept it.
    pub fn id(&self) -> Option<TaskId> {
        self.accepted.as_ref().ok().map(SharedFuture::id)
    }

    /// Returns `true` if the task has ended or was cancelled, like [`Future::done`](executor_core::Future::done), or if
    /// the pool did not accept it.
    pub fn done(&self) -> bool {
        self.accepted.as_ref().map_or(true, SharedFuture::done)
    }

    /// Returns `true` while the task runs, like [`Future::running`](executor_core::Future::running).
    pub fn running(&self) -> bool {
        self.accepted.as_ref().is_ok_and(SharedFuture::running)
    }

    /// Returns `true` if the task was cancelled, like [`Future::cancelled`](executor_core::Future::cancelled).
    pub fn cancelled(&self) -> bool {
        self.accepted.as_ref().is_ok_and(SharedFuture::cancelled)
    }

    /// Cancels the task unless it has started, like [`Future::cancel`](executor_core::Future::cancel). Returns `true`
    /// if it will not run, even if the pool did not accept it.
    pub fn cancel(&self) -> bool {
        self.accepted.as_ref().map_or(true, SharedFuture::cancel)
    }

    /// Waits for the task and moves its value out. With `None` it waits without a time-out; with a zero duration it
    /// does not wait. A panic that this returns is not raised by the scope.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Future::result`](executor_core::Future::result), and the error with which the pool
    /// refused the task.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<R, Error> {
        let panic = match self.accepted.as_ref().map_err(Error::clone)?.result(timeout) {
            Ok(()) => None,
            Err(error) if error.panic().is_some() => Some(error),
            Err(error) => return Err(error),
        };
        match (panic, self.slot.take()) {
            (Some(panic), _) => Err(panic),
            (None, Stored::Value(value)) => Ok(value),
            (None, Stored::Nothing | Stored::Panic(..)) => Err(Error::new(
                ErrorKind::InvalidState,
                "the result of this scoped task was moved out before: store it at the first call",
            )),
        }
    }
}

impl<R> fmt::Debug for ScopedFuture<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedFuture").field(&self.accepted).finish()
    }
}
