//! A new terminal for a test.
#![allow(unsafe_code)]

use std::{
    ffi::CStr,
    fs::File,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::OpenOptionsExt as _,
    },
};

/// Opens a terminal and returns its master and its slave.
///
/// Both are opened with `O_CLOEXEC`. Otherwise a program that another thread starts at the same moment could inherit
/// the master, and the slave would not notice that this test has closed it.
///
/// # Panics
///
/// If the system has no terminal left.
pub fn terminal() -> (File, OwnedFd) {
    let open = |path: &str| {
        let flags = libc::O_NOCTTY | libc::O_CLOEXEC;
        File::options().read(true).write(true).custom_flags(flags).open(path).expect("a terminal")
    };
    let master = open("/dev/ptmx");
    let mut name = [0; 64];
    // SAFETY: the descriptor is open, and the name is written to an array whose length is passed.
    let name = unsafe {
        assert_eq!(libc::grantpt(master.as_raw_fd()), 0);
        assert_eq!(libc::unlockpt(master.as_raw_fd()), 0);
        assert_eq!(libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr(), name.len()), 0);
        CStr::from_ptr(name.as_ptr())
    };
    let slave = open(name.to_str().expect("a path"));
    (master, slave.into())
}
