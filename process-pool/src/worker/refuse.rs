//! The end of a process that must not be a worker, although it was started as one.
#![allow(unsafe_code)]

use std::io::{self, Write as _};

use super::EXIT_NOT_STARTED;

/// Ends a process that must not be a worker, with the reason on its standard error. No exit handler runs: it may have
/// more rights than its caller, who has chosen all that such a handler might look at.
pub(crate) fn refuse_to_start(reason: &str) -> ! {
    let _ = writeln!(io::stderr(), "a worker could not start: {reason}");
    // SAFETY: it ends this process immediately.
    unsafe { libc::_exit(EXIT_NOT_STARTED) }
}
