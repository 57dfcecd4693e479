//! The errors of objects. The messages name the object, and say what to do.

use std::io;

use executor_core::{Error, ErrorKind, confinement};

use crate::sys;

/// A system call failed. `what` completes "cannot …".
#[cold]
pub(crate) fn from_system(what: &str, error: &io::Error) -> Error {
    if confinement::is_refusal(error) {
        return confinement::refused(what);
    }
    if sys::has_too_many_under_way(error) {
        return too_many_under_way(what);
    }
    let advice = if sys::lacks_descriptors(error) { "; raise the limit of descriptors (ulimit -n)" } else { "" };
    Error::new(ErrorKind::Other, format!("cannot {what}: {error}{advice}"))
}

/// The user of this process has more descriptors in sockets than this process may have. `what` completes "cannot …".
#[cold]
pub(crate) fn too_many_under_way(what: &str) -> Error {
    let limit = sys::limit_of_descriptors().map_or(String::new(), |limit| format!(", {limit}"));
    Error::new(
        ErrorKind::Other,
        format!(
            "cannot {what}: more descriptors of this user are under way in queues, pipes and other sockets than this \
             process may have open{limit}: receive some of them, or raise the limit of descriptors (ulimit -n)"
        ),
    )
}

/// Another process has written into the memory of an object what no object has.
#[cold]
pub(crate) fn overwritten(object: &str) -> Error {
    Error::new(
        ErrorKind::Broken,
        format!("the shared memory of a {object} was overwritten: make a new one, and find what writes out of bounds"),
    )
}

/// The object was used in the child of a fork.
#[cold]
pub(crate) fn forked(object: &str) -> Error {
    Error::new(
        ErrorKind::Broken,
        format!("this {object} belongs to the parent of this process: send it to a process instead of forking"),
    )
}

#[cold]
pub(crate) fn timed_out(object: &str, waited_for: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("the wait for {waited_for} of a {object} timed out"))
}

/// The holder of a lock has died.
#[cold]
pub(crate) fn abandoned(object: &str) -> Error {
    Error::new(
        ErrorKind::Abandoned,
        format!(
            "a process died while it held this {object}, so what the {object} protects may be half changed: check it, \
             and call `recover`"
        ),
    )
}

#[cold]
pub(crate) fn invalid_argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cold]
pub(crate) fn invalid_state(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidState, message)
}
