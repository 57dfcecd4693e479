//! No filter of system calls, on architectures whose calls this crate does not know.

use std::io;

use crate::sys::policy::Policy;

const MISSING: &str = "this crate knows the system calls of x86_64 and aarch64 only";

/// A filter, which does not exist here.
pub(super) enum Filter {}

impl Filter {
    pub(super) fn of(_: &Policy) -> io::Result<Filter> {
        Err(io::Error::new(io::ErrorKind::Unsupported, MISSING))
    }

    pub(super) fn install(&self) -> io::Result<()> {
        match *self {}
    }
}

pub(super) fn check_available() -> Result<(), String> {
    Err(MISSING.into())
}
