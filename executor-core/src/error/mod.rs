//! What can go wrong, as one type.
//!
//! An [`Error`] is one pointer wide, so that `Result<u64, Error>` is two words, and cloning it is cheap, so that
//! everybody who waits for the same future can have it.

mod death;
pub mod escape;
mod panic;

pub use death::WorkerDeath;
pub use panic::Panic;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec;

/// What went wrong with a task, a wait or an executor.
///
/// Its message names the object, the likely cause and the next step; [`kind`](Error::kind) is for programs.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Serialize, Deserialize)]
struct Inner {
    kind: ErrorKind,
    message: String,
    detail: Detail,
}

#[derive(Serialize, Deserialize)]
enum Detail {
    Nothing,
    Panic(Panic),
    Death(WorkerDeath),
}

/// What kind of thing went wrong. Python's counterparts are the exceptions `TimeoutError` ([`Timeout`](Self::Timeout)),
/// `CancelledError`, `BrokenExecutor` ([`WorkerDied`](Self::WorkerDied), [`Broken`](Self::Broken)) and
/// `InvalidStateError`.
///
/// ```
/// use std::time::Duration;
/// use executor_core::{ErrorKind, promise};
/// let (_promise, future) = promise::<u64>();
/// match future.result(Duration::ZERO) {
///     Ok(value) => println!("{value}"),
///     Err(error) if error.kind() == ErrorKind::Timeout => println!("later, perhaps"),
///     Err(error) => println!("never: {error}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The *wait* ran out; the task goes on, and can be waited for again.
    Timeout,
    /// The task was cancelled before it started.
    Cancelled,
    /// The task panicked; see [`Error::panic`].
    Panicked,
    /// The worker process died under the task; see [`Error::worker_death`].
    WorkerDied,
    /// The task's own limit ran out and it was stopped.
    TimeLimit,
    /// The task was running and was stopped, by `Future::terminate` or `Shutdown::Terminate`.
    Terminated,
    /// The arguments or the result could not be written down.
    Encode,
    /// The arguments or the result could not be read on the other side.
    Decode,
    /// A bounded executor is full, and the caller did not want to wait.
    QueueFull,
    /// The executor was shut down before the task was submitted.
    ShutDown,
    /// The executor can run nothing any more; the message has the reason.
    Broken,
    /// The operation does not fit the state: a second `result()`, a second `set_result()`.
    InvalidState,
    /// An option or argument that can never work, such as zero workers.
    InvalidArgument,
    /// Anything else, such as a refusal by the operating system.
    Other,
}

impl Error {
    /// An error with a kind and a message. For authors of back-ends, and for tests.
    ///
    /// ```
    /// use executor_core::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::Other, "no such queue: create it with `queue add`");
    /// assert_eq!(error.kind(), ErrorKind::Other);
    /// assert_eq!(error.to_string(), "no such queue: create it with `queue add`");
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::with_detail(kind, message.into(), Detail::Nothing)
    }

    fn with_detail(kind: ErrorKind, message: String, detail: Detail) -> Error {
        Error(Arc::new(Inner { kind, message, detail }))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The panic, for [`ErrorKind::Panicked`].
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor};
    /// let future = InlineExecutor::new().submit(|n: u64| n.checked_sub(9).expect("at least nine"), 1)?;
    /// let error = future.result(None).unwrap_err();
    /// let panic = error.panic().unwrap();
    /// assert_eq!((panic.message(), panic.worker()), ("at least nine", "inline"));
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn panic(&self) -> Option<&Panic> {
        match &self.0.detail {
            Detail::Panic(panic) => Some(panic),
            _ => None,
        }
    }

    /// How the worker ended, for [`ErrorKind::WorkerDied`] and wherever else a worker's end was the cause.
    ///
    /// ```
    /// # use executor_core::{Error, ErrorKind, WorkerDeath};
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

    /// The error of a task that panicked.
    pub fn panicked(task: &str, panic: Panic) -> Error {
        let message = format!("task `{task}` panicked: {panic}");
        Error::with_detail(ErrorKind::Panicked, message, Detail::Panic(panic))
    }

    /// An error whose cause is the end of a worker.
    pub fn from_death(kind: ErrorKind, message: impl Into<String>, death: WorkerDeath) -> Error {
        Error::with_detail(kind, message.into(), Detail::Death(death))
    }

    /// What `schedule` answers once the executor is closed. For authors of back-ends; `executor` is its name.
    pub fn shut_down(executor: &str) -> Error {
        Error::new(
            ErrorKind::ShutDown,
            format!(
                "cannot schedule new tasks: {executor} was shut down; build a new one, or submit before the shutdown"
            ),
        )
    }

    /// What `schedule` answers while a bounded executor is full. For authors of back-ends.
    pub fn queue_full(executor: &str, capacity: usize) -> Error {
        Error::new(
            ErrorKind::QueueFull,
            format!(
                "{executor} is full: {capacity} tasks wait; use `submit` to wait for room, or a larger queue_capacity"
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
                "task `{task}` is still {state} after a wait of {waited:?}: it goes on; wait again, cancel it, or give it a time limit"
            ),
        )
    }

    /// Writes the error into bytes that [`Error::decode`] reads in another process of this program.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let start = into.len();
        if codec::write(&*self.0, into).is_err() {
            // Only where no stack is left; then the bytes are an error that cannot be read.
            into.truncate(start);
        }
    }

    /// Reads what [`Error::encode`] wrote. Bytes that are no error become an error that says so. The message is one
    /// that may be shown on a terminal, whatever the other process has sent.
    pub fn decode(bytes: &[u8]) -> Error {
        let mut inner: Option<Inner> = None;
        match (codec::read(bytes, &mut inner), inner) {
            (Ok(_), Some(inner)) => {
                let message = match escape::message(&inner.message) {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(message) => Some(message),
                };
                Error(Arc::new(Inner { message: message.unwrap_or(inner.message), ..inner }))
            }
            (read, _) => {
                let cause = read.err().map_or_else(String::new, |cause| cause.to_string());
                Error::new(ErrorKind::Decode, format!("a worker sent an error that cannot be read: {cause}"))
            }
        }
    }
}

/// So that a task can return a `Result` of its own whose error is this one.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Inner::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Error, D::Error> {
        Inner::deserialize(deserializer).map(|inner| Error(Arc::new(inner)))
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

    #[test]
    fn an_error_survives_the_wire_with_its_details() {
        let panic = Panic::new("boom".into(), Some("src/a.rs:1:2".into()), Some("0: main".into()), "worker-1".into());
        let mut bytes = Vec::new();
        Error::panicked("parse", panic).encode(&mut bytes);
        let error = Error::decode(&bytes);
        assert_eq!(error.kind(), ErrorKind::Panicked);
        let panic = error.panic().expect("the detail travels too");
        assert_eq!((panic.message(), panic.location()), ("boom", Some("src/a.rs:1:2")));
        assert_eq!((panic.backtrace(), panic.worker()), (Some("0: main"), "worker-1"));
    }

    #[test]
    fn bytes_that_are_no_error_decode_to_an_error_that_says_so() {
        assert_eq!(Error::decode(&[255, 255, 255]).kind(), ErrorKind::Decode);
    }
}
