//! The controlling terminal of this process.
#![allow(unsafe_code)]

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};

use rustix::fs::{Mode, OFlags};

/// Gives up the controlling terminal, for this process and for the processes that it will start. Does nothing if there
/// is none. This process must not be the leader of its session.
pub(crate) fn leave() {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(c"/dev/tty", flags, Mode::empty()) {
        Ok(terminal) => detach(terminal.as_fd()),
        Err(rustix::io::Errno::NXIO) => {}
        // Without `/dev`, the standard output may still be the terminal.
        Err(_) => detach(rustix::stdio::stdout()),
    }
}

fn detach(terminal: BorrowedFd<'_>) {
    // SAFETY: a call without pointers. A process that is not a session leader loses its terminal by this, and no other
    // process does. The call fails only if this is not the controlling terminal of this process.
    unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY as _) };
}
