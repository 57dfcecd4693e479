//! A worker has no controlling terminal.
//!
//! It is in a process group of its own, so on the terminal of its parent it would be a background job: a task, or a
//! program that a task starts, that reads the terminal (a password prompt of `ssh` or `git`) or changes its settings
//! would be stopped by `SIGTTIN` or `SIGTTOU`, and nobody would ever let it go on. Without a controlling terminal
//! `/dev/tty` cannot be opened, which such programs report, and what is written to the terminal through the standard
//! output is written. The terminal remains that of the parent and of its session.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::fs::{Mode, OFlags};

/// Gives up the controlling terminal, for this process and those that it will start. Where there is none this does
/// nothing.
pub(super) fn leave() {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(c"/dev/tty", flags, Mode::empty()) {
        Ok(terminal) => detach(std::os::fd::AsFd::as_fd(&terminal)),
        Err(rustix::io::Errno::NXIO) => {}
        // Without a `/dev` it may still be what tasks print to.
        Err(_) => detach(rustix::stdio::stdout()),
    }
}

fn detach(terminal: BorrowedFd<'_>) {
    // SAFETY: a call without pointers. A process that is no session leader loses its terminal by this, and no other
    // process does; a worker is the leader of its process group, so it leads no session unless its parent's is its own.
    // The only failure is that this is not its controlling terminal.
    unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY as _) };
}
