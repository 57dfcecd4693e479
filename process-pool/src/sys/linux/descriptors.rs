//! The descriptors of this process that a program that it starts inherits.
//!
//! A descriptor that a program holds without `CLOEXEC` would be inherited by every worker, and stay open there for the
//! life of the pool: a pipe would have no end, and a port or a lock would stay taken. Setting the flag in the program
//! would change it for other programs that it starts. So if there may be such a descriptor, the thread that starts the
//! worker gets a table of descriptors of its own, sets the flag there, and clears it there for the descriptors that are
//! passed on. The descriptors of the other threads stay as they are, and at no moment does another program inherit a
//! descriptor that is meant for a worker. Files that the dynamic loader or an initialiser opens in the worker are
//! opened later, and stay open.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags, Stat},
    io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd},
    thread::UnshareFlags,
};

use crate::sys::signals::empty_set;

/// The first number that is no standard descriptor.
const FIRST: i32 = 3;

/// Returns `true` if a program that this process starts might inherit a descriptor beyond the standard ones. Returns
/// `true` where checking would cost more than an [`OwnTable`] does.
///
/// A descriptor that another thread opens without `CLOEXEC` between this call and the start is not seen.
pub(crate) fn might_be_inherited() -> bool {
    // Each number costs a call. Most programs have few descriptors, with the lowest numbers.
    const MOST: u64 = 64;
    // Since Linux 6.2 the size is the number of open descriptors. Before, it is 0.
    let open = rustix::fs::stat(c"/proc/self/fd").map_or(0, |directory| directory.st_size.unsigned_abs());
    if open == 0 || open > MOST {
        return true;
    }
    let mut found = 0;
    for number in 0..(open * 2 + 16) as i32 {
        match flags_of(number) {
            Ok(flags) => {
                if number >= FIRST && !flags.contains(FdFlags::CLOEXEC) {
                    return true;
                }
                found += 1;
            }
            // The number is unused, or another thread has closed the descriptor.
            Err(_) => continue,
        }
        if found == open {
            return false;
        }
    }
    true
}

fn flags_of(number: i32) -> Result<FdFlags, Errno> {
    // SAFETY: only its flags are read, and an error is returned if no descriptor has this number.
    fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) })
}

/// A table of descriptors that only the calling thread has.
pub(crate) struct OwnTable(());

impl OwnTable {
    /// Gives the calling thread a table of its own. A program that the thread starts inherits the standard descriptors
    /// and those that are passed here. The thread must do nothing else afterwards, because the table lacks descriptors
    /// that other threads open.
    pub(crate) fn with(passed: &[BorrowedFd<'_>]) -> io::Result<OwnTable> {
        // The program's signal handlers must run in threads that have the program's descriptors.
        block_all_signals();
        close_on_exec_range().or_else(|_| close_on_exec_each())?;
        for descriptor in passed {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        Ok(OwnTable(()))
    }
}

impl Drop for OwnTable {
    /// Closes everything in the table but the standard descriptors, so that no file stays open longer than in the other
    /// threads.
    fn drop(&mut self) {
        // SAFETY: no other thread has this table, and this one does not use it any more. Where the call does not exist,
        // the end of the thread has the same effect a moment later.
        unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, 0) };
    }
}

/// Blocks every signal in the calling thread, those of faults included.
fn block_all_signals() {
    let mut all = empty_set();
    // SAFETY: the set is initialised, and the old mask is not asked for.
    unsafe {
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
}

/// Works since Linux 5.11.
fn close_on_exec_range() -> io::Result<()> {
    const UNSHARE: u32 = 1 << 1;
    const CLOEXEC: u32 = 1 << 2;
    // SAFETY: it gives this thread a copy of the table and sets a flag in it: nothing is closed.
    match unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, UNSHARE | CLOEXEC) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn close_on_exec_each() -> io::Result<()> {
    // SAFETY: the copy has everything that the table had, and this thread uses descriptors only until it ends.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES)? };
    for entry in std::fs::read_dir("/proc/thread-self/fd")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if number >= FIRST {
            // SAFETY: only a flag is set, in this thread's table. The listed directory itself has a number, too, which
            // is closed by the time anything else looks at it.
            let _ = fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC);
        }
    }
    Ok(())
}

/// Opens the file of the standard error again, for writing without blocking. The settings of the new descriptor are its
/// own. `status` is the file's. Returns `None` if it cannot be opened.
pub(crate) fn reopen_stderr(status: &Stat) -> Option<OwnedFd> {
    /// The master side of a terminal. Opening it makes another terminal.
    const MULTIPLEXER: (u32, u32) = (5, 2);
    if (rustix::fs::major(status.st_rdev), rustix::fs::minor(status.st_rdev)) == MULTIPLEXER {
        return None;
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(c"/proc/self/fd/2", flags, Mode::empty()).ok()
}

/// Returns `true` if the other end of this socket has not yet read everything that was sent to it.
pub(crate) fn has_unread(socket: BorrowedFd<'_>) -> bool {
    let mut unread: libc::c_int = 0;
    // SAFETY: the request writes one integer, and `unread` has the space for it.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) };
    result == 0 && unread > 0
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_was_sent_is_unread_until_all_of_it_was_read() {
        let (ours, theirs) = crate::sys::socket::pair().expect("a socketpair");
        assert!(!has_unread(ours.as_fd()));
        rustix::io::write(&ours, b"four").expect("sent");
        assert!(has_unread(ours.as_fd()));
        rustix::io::read(&theirs, &mut [0_u8; 2]).expect("received");
        assert!(has_unread(ours.as_fd()));
        rustix::io::read(&theirs, &mut [0_u8; 2]).expect("received");
        assert!(!has_unread(ours.as_fd()));
    }
}
