//! The niceness of a process. These systems have no call that takes a set of processors, or one of another shape.

use std::io;

use rustix::process::{geteuid, getpriority_process};

/// The processors on which a process may run. There are none, because this system cannot restrict a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Processors {}

impl Processors {
    /// Returns the first number, because no set can be made.
    pub(crate) fn new(numbers: &[usize]) -> Result<Processors, usize> {
        Err(numbers.first().copied().unwrap_or(0))
    }

    /// Returns an error of the kind `Unsupported`.
    pub(crate) fn unusable(_: &[usize]) -> io::Result<Vec<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::sys) fn enter(&self) -> io::Result<()> {
        match *self {}
    }
}

/// Returns `true` if a process that this program starts may have this niceness.
pub(crate) fn may_have_niceness(niceness: i32) -> io::Result<bool> {
    Ok(niceness >= getpriority_process(None)? || geteuid().is_root())
}
