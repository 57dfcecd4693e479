//! The panic of a task.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::escape;

/// The panic of a task. It has the same content on every back-end. See [`Error::panic`](crate::Error::panic).
///
/// A panic of a task is not printed, because its future returns it as an error. If all handles of the task are dropped
/// and none has returned it, it is printed to the standard error then.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor};
/// let future = InlineExecutor::new().submit(|n: u64| -> u64 { panic!("no {n}") }, 5)?;
/// let error = future.result(None).unwrap_err();
/// let panic = error.panic().unwrap();
/// assert_eq!((panic.message(), panic.worker()), ("no 5", "inline"));
/// assert!(panic.location().is_some());
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    message: Box<str>,
    location: Option<Box<str>>,
    backtrace: Option<Box<str>>,
    worker: Box<str>,
    /// Whether a future that is dropped unread must not print the panic: the hook of the program has printed it, or a
    /// scope raises it. This is not known of another process.
    #[serde(skip)]
    silent: bool,
}

impl Panic {
    pub(crate) fn new(message: String, location: Option<String>, backtrace: Option<String>, worker: String) -> Panic {
        Panic {
            message: message.into(),
            location: location.map(Into::into),
            backtrace: backtrace.map(Into::into),
            worker: worker.into(),
            silent: false,
        }
    }

    /// Sets whether a future that is dropped unread must not print the panic.
    pub(crate) fn silent(mut self, silent: bool) -> Panic {
        self.silent = silent;
        self
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Returns the unmodified text of the panic, or a note that the payload is not text. `Display` and the message of
    /// an [`Error`](crate::Error) escape its control characters and truncate it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns `file:line:column`, or `None` if the program has replaced the panic hook.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Returns the backtrace, if the environment variable `RUST_BACKTRACE` enables it.
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }

    /// Returns the name of the worker that ran the task.
    pub fn worker(&self) -> &str {
        &self.worker
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape::message(&self.message))?;
        if let Some(location) = &self.location {
            write!(f, " (at {location})")?;
        }
        write!(f, " on {}", self.worker)
    }
}
