//! Errors as those of the standard library's input and output.

use std::io;

use crate::{Error, ErrorKind};

/// So that `?` works in functions that return an [`io::Error`]. The [kind](io::Error::kind) corresponds to that of the
/// error where there is such a kind, and is [`io::ErrorKind::Other`] otherwise. [`io::Error::downcast`] returns the
/// error again.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::{io, time::Duration};
/// use concurrent_futures::{Error, promise};
///
/// fn wait() -> io::Result<u64> {
///     let (_promise, future) = promise::<u64>();
///     Ok(future.result(Duration::ZERO)?)
/// }
/// let error = wait().unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// assert!(error.downcast::<Error>().is_ok());
/// ```
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::Timeout | ErrorKind::TimeLimit => io::ErrorKind::TimedOut,
            ErrorKind::QueueFull => io::ErrorKind::WouldBlock,
            ErrorKind::Encode | ErrorKind::Decode => io::ErrorKind::InvalidData,
            ErrorKind::InvalidArgument => io::ErrorKind::InvalidInput,
            ErrorKind::Closed => io::ErrorKind::BrokenPipe,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            // Not `Interrupted` for a cancelled task, because callers of the standard library repeat such a call.
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
