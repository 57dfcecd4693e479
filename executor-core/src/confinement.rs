//! Whether this process is a worker in a sandbox, for code that would make system calls that a sandbox refuses.
//!
//! A refused call may end the worker. So what needs such a call checks this first, and returns a typed error. Nothing
//! here enforces anything.

use std::{
    fmt, io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::{Error, ErrorKind};

static IS_CONFINED: AtomicBool = AtomicBool::new(false);

/// The reason for which something was not tried.
#[derive(Debug)]
struct Confined;

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a worker in a sandbox can neither make an object nor send a descriptor: make it in the program, and pass \
             it to the task as an argument",
        )
    }
}

impl std::error::Error for Confined {}

/// Notes that this process is in a sandbox from now on.
pub fn enter() {
    // ORDERING: whatever a thread that does not see it yet tries is refused by the system.
    IS_CONFINED.store(true, Relaxed);
}

/// Returns `true` if this process is in a sandbox.
pub fn is_confined() -> bool {
    // ORDERING: see `enter`.
    IS_CONFINED.load(Relaxed)
}

/// Returns an error if this process is in a sandbox, in which no object can be made and no descriptor sent.
pub fn check() -> io::Result<()> {
    if is_confined() { Err(io::Error::new(io::ErrorKind::Unsupported, Confined)) } else { Ok(()) }
}

/// Returns `true` for an error of [`check`].
pub fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|cause| cause.is::<Confined>())
}

/// Returns the error of something that cannot be done in a sandbox. `what` completes "cannot …".
#[cold]
pub fn refused(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("cannot {what}: {Confined}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_other_errors() {
        assert!(!is_confined() && check().is_ok());
        assert!(is_refusal(&io::Error::new(io::ErrorKind::Unsupported, Confined)));
        assert!(!is_refusal(&io::ErrorKind::Unsupported.into()));
        assert_eq!(refused("make a queue").kind(), ErrorKind::Unsupported);
    }
}
