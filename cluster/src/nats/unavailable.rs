//! The error of an engine that is away or refuses.

use std::fmt;

use executor_core::{Error, ErrorKind};

/// Returns the error of something that the engine refused or could not do.
pub(crate) fn unavailable(what: &str, reason: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{what}: {reason}"))
}
