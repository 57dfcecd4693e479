//! Descriptors of other systems, where no thread can have a table of its own: a worker inherits what any program
//! inherits.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::fs::Stat;

/// Returns `false`, because nothing could be done about it.
pub(crate) fn might_be_inherited() -> bool {
    false
}

/// There is no value of this type.
pub(crate) enum OwnTable {}

impl OwnTable {
    /// Fails.
    pub(crate) fn with(_: &[BorrowedFd<'_>]) -> io::Result<OwnTable> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Returns `None`: the name of a descriptor leads to the same open file, whose settings are shared.
pub(crate) fn reopen_stderr(_: &Stat) -> Option<OwnedFd> {
    None
}

/// Returns `false`, because these systems do not tell.
pub(crate) fn has_unread(_: BorrowedFd<'_>) -> bool {
    false
}
