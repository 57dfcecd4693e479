//! The three standard descriptors, where the program has closed some of them.
//!
//! The next file that is opened gets the lowest free number. In a program without a standard output that is what it
//! prints to, so no descriptor of a pool's may have one of these numbers.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use rustix::fs::{Mode, OFlags};

/// What is read as empty and takes everything.
pub(super) const NOWHERE: &CStr = c"/dev/null";

/// Opens nowhere for each standard descriptor that is closed. What is opened while the answer lives gets another
/// number. Where that fails nothing is changed: then most likely nothing else can be opened either.
pub(crate) fn fill(flags: OFlags) -> Vec<OwnedFd> {
    let mut filled = Vec::new();
    while let Ok(nowhere) = open(flags) {
        if nowhere.as_raw_fd() > 2 {
            break;
        }
        filled.push(nowhere);
    }
    filled
}

/// As [`fill`], for a while, and not for processes that are started meanwhile.
pub(crate) fn hold() -> Vec<OwnedFd> {
    let standard = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let all_are_open = standard.iter().all(|descriptor| rustix::io::fcntl_getfd(descriptor).is_ok());
    if all_are_open { Vec::new() } else { fill(OFlags::CLOEXEC) }
}

fn open(flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(NOWHERE, OFlags::RDWR | flags, Mode::empty())?)
}
