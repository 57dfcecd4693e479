//! The error type of the library.
//!
//! An [`Error`] is one pointer wide, so `Result<u64, Error>` takes two words. Cloning it is cheap, so every waiter of a
//! future can have its own copy.

mod death;
pub mod escape;
mod flatten;
mod io;
mod kind;
mod panic;
mod task_error;
mod wire;

pub use death::WorkerDeath;
pub use flatten::FlattenResult;
pub use kind::ErrorKind;
pub use panic::Panic;
pub use task_error::TaskError;

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

/// The error of a task, a wait or an executor.
///
/// The message, which [`Display`](fmt::Display) shows, is for people: it names the object, the likely cause and the
/// next step. Programs use [`kind`](Error::kind), [`panic`](Error::panic) and [`worker_death`](Error::worker_death). An
/// error can itself be the argument or the result of a task.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Error, ErrorKind, Executor, InlineExecutor};
///
/// fn half(n: u64) -> Result<u64, Error> {
///     if n % 2 == 0 { Ok(n / 2) } else { Err(Error::new(ErrorKind::InvalidArgument, format!("{n} is odd"))) }
/// }
/// let error = InlineExecutor::new().submit(half, 7)?.result(None)?.unwrap_err();
/// assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidArgument, "7 is odd"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

/// The name under which serde knows the errors of this library that have a message, and may have a source.
pub(crate) const MESSAGE: &str = "concurrent_futures::Message";

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename = "concurrent_futures::Message")]
struct Inner {
    kind: ErrorKind,
    message: String,
    detail: Detail,
    item: Option<Item>,
}

/// The item of a map that has failed.
#[derive(Clone, Serialize, Deserialize)]
struct Item {
    number: usize,
    name: Option<Box<str>>,
}

#[derive(Clone, Serialize, Deserialize)]
enum Detail {
    Nothing,
    Panic(Panic),
    Death(WorkerDeath),
}

impl Error {
    /// Creates an error with a kind and a message.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::Other, "no such queue: create it with `queue add`");
    /// assert_eq!(error.kind(), ErrorKind::Other);
    /// assert_eq!(error.to_string(), "no such queue: create it with `queue add`");
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::with_detail(kind, message.into(), Detail::Nothing)
    }

    fn with_detail(kind: ErrorKind, message: String, detail: Detail) -> Error {
        Error(Arc::new(Inner { kind, message, detail, item: None }))
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the panic of the task, if the kind is [`ErrorKind::Panicked`].
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let future = InlineExecutor::new().submit(|n: u64| n.checked_sub(9).expect("at least nine"), 1)?;
    /// let error = future.result(None).unwrap_err();
    /// let panic = error.panic().unwrap();
    /// assert_eq!((panic.message(), panic.worker()), ("at least nine", "inline"));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn panic(&self) -> Option<&Panic> {
        match &self.0.detail {
            Detail::Panic(panic) => Some(panic),
            _ => None,
        }
    }

    /// Returns how the worker process ended, if an error has that cause: [`ErrorKind::WorkerDied`], and other kinds for
    /// which a worker is ended, such as [`ErrorKind::TimeLimit`].
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Error, ErrorKind, WorkerDeath};
    /// let death = WorkerDeath::new(4711).with_signal(Some(9)).with_task("parse");
    /// let error = Error::from_death(ErrorKind::WorkerDied, "task `parse`: its worker was killed", death);
    /// assert_eq!(error.worker_death().unwrap().signal(), Some(9));
    /// ```
    pub fn worker_death(&self) -> Option<&WorkerDeath> {
        match &self.0.detail {
            Detail::Death(death) => Some(death),
            _ => None,
        }
    }

    /// Returns which item of a [`map`](crate::Executor::map) has failed: 0 for the first input. It is `None` for an
    /// error that does not belong to one item, such as a time-out of the map.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let mut map = InlineExecutor::new().map(|n: u64| 12 / n, [3, 0])?;
    /// let error = map.nth(1).unwrap().unwrap_err();
    /// assert_eq!(error.item(), Some(1));
    /// assert!(error.to_string().starts_with("item 1: "));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn item(&self) -> Option<usize> {
        self.0.item.as_ref().map(|item| item.number)
    }

    /// Returns the name of the item, if the map [names its items](crate::MapOptions::name_by).
    pub fn item_name(&self) -> Option<&str> {
        self.0.item.as_ref()?.name.as_deref()
    }

    /// Returns the error as that of an item of a map.
    pub(crate) fn of_item(mut self, number: usize, name: Option<&str>) -> Error {
        let inner = Arc::make_mut(&mut self.0);
        inner.message = match name {
            Some(name) => format!("item {number} (`{}`): {}", escape::message(name), inner.message),
            None => format!("item {number}: {}", inner.message),
        };
        inner.item = Some(Item { number, name: name.map(Into::into) });
        self
    }

    /// Creates the error of a task that panicked. This is for authors of back-ends; `task` is the name of the task.
    pub fn panicked(task: &str, panic: Panic) -> Error {
        let message = format!("task `{task}` panicked: {panic}");
        Error::with_detail(ErrorKind::Panicked, message, Detail::Panic(panic))
    }

    /// Creates an error that was caused by the end of a worker process. This is for authors of back-ends.
    pub fn from_death(kind: ErrorKind, message: impl Into<String>, death: WorkerDeath) -> Error {
        Error::with_detail(kind, message.into(), Detail::Death(death))
    }

    /// Creates the error that [`Backend::schedule`](crate::Backend::schedule) returns after `close`. This is for
    /// authors of back-ends; `executor` is the name of the executor.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Error, ErrorKind};
    /// assert_eq!(Error::shut_down("parser").kind(), ErrorKind::ShutDown);
    /// ```
    pub fn shut_down(executor: &str) -> Error {
        Error::new(
            ErrorKind::ShutDown,
            format!(
                "cannot schedule new tasks: {executor} was shut down; build a new one, or submit before the shutdown"
            ),
        )
    }

    /// Creates the error that [`Backend::schedule`](crate::Backend::schedule) returns while a bounded executor is full.
    /// This is for authors of back-ends; `executor` is the name of the executor, and `capacity` its `queue_capacity`.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Error, ErrorKind};
    /// assert_eq!(Error::queue_full("parser", 100).kind(), ErrorKind::QueueFull);
    /// ```
    pub fn queue_full(executor: &str, capacity: usize) -> Error {
        Error::new(
            ErrorKind::QueueFull,
            format!(
                "{executor} is full: {capacity} tasks are queued; use `submit`, which waits, or a larger queue_capacity"
            ),
        )
    }

    pub(crate) fn cancelled(task: &str) -> Error {
        Error::new(ErrorKind::Cancelled, format!("task `{task}` was cancelled before it started"))
    }

    pub(crate) fn timed_out(task: &str, state: &str, waited: Duration) -> Error {
        Error::new(
            ErrorKind::Timeout,
            format!(
                "task `{task}` is still {state} after a wait of {waited:?}, which does not stop it: wait again, cancel \
                 it, or give it a time limit"
            ),
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.0.kind).field("message", &self.0.message);
        match &self.0.detail {
            Detail::Nothing => &mut debug,
            Detail::Panic(panic) => debug.field("panic", panic),
            Detail::Death(death) => debug.field("worker_death", death),
        }
        .finish()
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Option<Error>>(), size_of::<usize>());
    }
}
