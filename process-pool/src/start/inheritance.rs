//! Which descriptors of the host a worker gets: the three standard ones, and those that the host passes on.
//!
//! A descriptor that the host holds without `CLOEXEC` would go into every worker, and stay there for the life of the
//! pool: a pipe would have no end, a port or a lock would stay taken. Setting the flag in the host would change it for
//! programs that the host starts itself. So where there may be such a descriptor, the thread that starts the worker
//! gets a table of descriptors of its own, sets the flag there, and clears it there for what is passed on. What the
//! host and its other threads have is untouched, at no moment does another program get what is meant for a worker, and
//! what is opened while the worker comes to life, by the dynamic loader or by initialisers, is the worker's own and
//! stays.
#![allow(unsafe_code)]

use std::{io, os::fd::BorrowedFd};

use rustix::{
    io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd},
    thread::UnshareFlags,
};

/// The first number that is no standard descriptor.
const FIRST: i32 = 3;

/// Whether a program that this process starts might get a descriptor beyond the standard ones. Where looking would cost
/// more than a table of its own does, the answer is yes.
///
/// What another thread opens without `CLOEXEC` between this and the start is not seen.
pub(super) fn might_be_inherited() -> bool {
    // Each number costs a call. Mostly there are few descriptors, with the lowest numbers.
    const MOST: u64 = 64;
    // Since Linux 6.2 the size is the number of open descriptors, and 0 before.
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
            // A gap, or another thread has closed it meanwhile.
            Err(_) => continue,
        }
        if found == open {
            return false;
        }
    }
    true
}

fn flags_of(number: i32) -> Result<FdFlags, Errno> {
    // SAFETY: it is only asked about, and an error is the answer if no descriptor has this number.
    fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) })
}

/// A table of descriptors that only the calling thread has.
pub(super) struct OwnTable(());

impl OwnTable {
    /// Gives the calling thread a table of its own, from which a program that it starts gets the standard descriptors
    /// and these. The thread must do nothing else afterwards, because descriptors that other threads open are not in
    /// there.
    pub(super) fn with(passed: &[BorrowedFd<'_>]) -> io::Result<OwnTable> {
        block_signals();
        close_on_exec_range().or_else(|_| close_on_exec_each())?;
        for descriptor in passed {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        Ok(OwnTable(()))
    }
}

impl Drop for OwnTable {
    /// Closes everything in it but the standard descriptors, so that none is held longer than the host holds it.
    fn drop(&mut self) {
        // SAFETY: nobody else has this table, and the thread does not use it any more. Where the call does not exist
        // the end of the thread does the same a moment later.
        unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, 0) };
    }
}

/// Handlers of the program's belong into threads that have the program's descriptors.
fn block_signals() {
    let mut all = std::mem::MaybeUninit::uninit();
    // SAFETY: the set is initialised before it is read, and the old one is not asked for.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
}

/// Since Linux 5.11.
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
    // SAFETY: the copy has all that the table had, and this thread uses descriptors only until it ends.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES)? };
    for entry in std::fs::read_dir("/proc/thread-self/fd")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if number >= FIRST {
            // SAFETY: it is only given a flag, in this thread's table. The directory itself has a number too, and is
            // gone when that is looked at again.
            let _ = fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC);
        }
    }
    Ok(())
}
