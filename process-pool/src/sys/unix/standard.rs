//! The three standard descriptors, some of which a program may have closed.
//!
//! The next file that is opened gets the lowest free number. In a program without a standard output, a file of the pool
//! would become the standard output, so no descriptor of the pool may have one of these numbers.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd, IntoRawFd as _, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags},
    stdio::{dup2_stdin, dup2_stdout},
};

const NULL_DEVICE: &CStr = c"/dev/null";

/// The first number that is no standard descriptor.
const FIRST_OTHER: i32 = 3;

/// Returns `true` if this is one of the standard descriptors.
pub(crate) fn is_standard(descriptor: &OwnedFd) -> bool {
    (0..=2).contains(&descriptor.as_raw_fd())
}

/// Opens the null device for each standard descriptor that is closed, until the returned value is dropped. A process
/// that is started meanwhile does not inherit it. A file that is opened meanwhile gets another number.
pub(crate) fn hold() -> Vec<OwnedFd> {
    let standard = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let all_are_open = standard.iter().all(|descriptor| rustix::io::fcntl_getfd(descriptor).is_ok());
    if all_are_open { Vec::new() } else { fill(OFlags::CLOEXEC) }
}

/// Returns the standard input.
pub(crate) fn input() -> BorrowedFd<'static> {
    rustix::stdio::stdin()
}

/// Returns another descriptor of the file behind the standard error, which children do not inherit.
pub(crate) fn copy_of_stderr() -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), FIRST_OTHER)?)
}

/// Returns another descriptor of the file behind the standard output, which children do not inherit.
pub(crate) fn copy_of_stdout() -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), FIRST_OTHER)?)
}

/// Moves the file of the standard input to a descriptor that children do not inherit. Afterwards the standard input is
/// empty, and no standard descriptor is closed.
pub(crate) fn take_input(input: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let file = rustix::io::fcntl_dupfd_cloexec(input, FIRST_OTHER)?;
    match rustix::fs::open(NULL_DEVICE, OFlags::RDONLY, Mode::empty()) {
        Ok(empty) => dup2_stdin(&empty)?,
        // Without `/dev`, a pipe whose writing end is closed serves as well.
        Err(_) => dup2_stdin(rustix::pipe::pipe()?.0)?,
    }
    for descriptor in fill(OFlags::empty()) {
        let _ = descriptor.into_raw_fd();
    }
    Ok(file)
}

/// Makes this file the standard input.
pub(crate) fn set_input(file: &OwnedFd) -> io::Result<()> {
    Ok(dup2_stdin(file)?)
}

/// Makes what is printed on the standard output go to the standard error.
pub(crate) fn join_output_to_error() -> io::Result<()> {
    Ok(dup2_stdout(rustix::stdio::stderr())?)
}

/// Opens the null device for each standard descriptor that is closed. Changes nothing if the device cannot be opened:
/// most likely nothing else can be opened then.
fn fill(flags: OFlags) -> Vec<OwnedFd> {
    let mut filled = Vec::new();
    while let Ok(descriptor) = rustix::fs::open(NULL_DEVICE, OFlags::RDWR | flags, Mode::empty()) {
        if !is_standard(&descriptor) {
            break;
        }
        filled.push(descriptor);
    }
    filled
}
