//! A pipe of a test's own.
#![allow(unsafe_code)]

use std::{
    fs::File,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// Makes a pipe, and returns the reading end and the writing end. Both are closed on exec.
///
/// The standard library has `std::io::pipe` since Rust 1.87.
///
/// # Panics
///
/// If the system has no descriptor left.
pub fn pipe() -> (File, File) {
    let mut ends = [-1; 2];
    // SAFETY: the array has the space for two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0, "no pipe");
    // SAFETY: both descriptors were just made, and nothing else owns them.
    let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    (reader.into(), writer.into())
}
