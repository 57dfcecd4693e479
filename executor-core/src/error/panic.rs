//! A panic as a value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::escape;

/// What is known of a panic: the same for every entry point and every back-end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    message: Box<str>,
    location: Option<Box<str>>,
    backtrace: Option<Box<str>>,
    worker: Box<str>,
}

impl Panic {
    pub(crate) fn new(message: String, location: Option<String>, backtrace: Option<String>, worker: String) -> Panic {
        Panic {
            message: message.into(),
            location: location.map(Into::into),
            backtrace: backtrace.map(Into::into),
            worker: worker.into(),
        }
    }

    /// The text given to `panic!`, as it is; where this is displayed, and in the message of an [`Error`](crate::Error),
    /// control characters are escaped and what is very long is cut. A panic with another payload than text says so
    /// here.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `file:line:column`. None where the program has replaced the panic hook.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The backtrace, if `RUST_BACKTRACE` asked for one.
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }

    /// The name of the worker that the task panicked on.
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
