//! Discards what workers write to the standard error, and keeps it for progress.
#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

/// Returns the standard error of this process, and redirects what workers and panics write to it to `/dev/null`.
///
/// # Errors
///
/// If there is no standard error or no `/dev/null`.
pub fn take_standard_error() -> io::Result<File> {
    let kept = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    // SAFETY: both descriptors are open, and nothing owns that of the standard error.
    if unsafe { libc::dup2(nowhere.as_raw_fd(), libc::STDERR_FILENO) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(kept)
}
