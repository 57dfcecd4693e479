//! Where progress is written while the workers' own standard error goes nowhere.
#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

/// The standard error of this process, as it was; from here on, what workers and panics write there goes nowhere.
///
/// # Errors
///
/// Where there is no standard error, or nothing to replace it by.
pub fn take_standard_error() -> io::Result<File> {
    let kept = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    // SAFETY: both are open descriptors, and that of the standard error belongs to nobody.
    if unsafe { libc::dup2(nowhere.as_raw_fd(), libc::STDERR_FILENO) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(kept)
}
