//! Sandboxes, of which these systems have the parts that every Unix system has.

use std::io;

use crate::sys::policy::Cage;

pub(crate) const ABI_OF_FILES: u32 = 3;
pub(crate) const ABI_OF_NETWORK: u32 = 4;
pub(crate) const ABI_OF_SIGNALS: u32 = 6;

const MISSING: &str = "only Linux has it so far";

fn missing<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, MISSING))
}

pub(crate) fn is_locked() -> bool {
    false
}

pub(crate) fn files_version() -> Result<u32, String> {
    Err(MISSING.into())
}

pub(crate) fn check_filter() -> Result<(), String> {
    Err(MISSING.into())
}

pub(crate) fn check_namespaces() -> Result<(), String> {
    Err(MISSING.into())
}

pub(crate) fn close_others(_: &[i32]) -> io::Result<()> {
    missing()
}

pub(crate) fn forbid_gain() -> io::Result<()> {
    missing()
}

pub(crate) fn unshare() -> io::Result<()> {
    missing()
}

pub(crate) fn lock(_: &Cage) -> io::Result<()> {
    missing()
}

pub(crate) fn read_time_zone() {}
