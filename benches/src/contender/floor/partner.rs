//! The other process of a floor: a forked copy of this one, which does one thing until it gets the request to end or
//! this process ends.
#![allow(unsafe_code)]

use std::{io, os::fd::RawFd};

use rustix::process::{Pid, WaitOptions, waitpid};

/// A process that was forked for a floor. It must end when the floor requests it.
#[derive(Debug)]
pub(super) struct Partner(Pid);

impl Partner {
    /// Forks. The child calls `run` and ends. It closes all descriptors but the standard ones and `keep`, because it
    /// could hold pipes open whose end a reader waits for.
    ///
    /// # Safety
    ///
    /// `run` must not need a lock or another thread of this process: it must not allocate, print or panic.
    pub(super) unsafe fn fork(keep: Option<RawFd>, run: impl FnOnce()) -> io::Result<Partner> {
        // SAFETY: the child has one thread, and does only what `run` promises.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let keep = keep.map_or(2, |keep| keep as u32);
                // SAFETY: these system calls touch no memory, and `_exit` runs none of the parent's exit handlers. The
                // owners of the closed descriptors are never dropped in this process.
                unsafe {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    if keep > 3 {
                        libc::close_range(3, keep - 1, 0);
                    }
                    libc::close_range(keep + 1, u32::MAX, 0);
                    run();
                    libc::_exit(0)
                }
            }
            child => Ok(Partner(Pid::from_raw(child).ok_or(io::ErrorKind::NotFound)?)),
        }
    }

    /// Waits until the process has ended. The caller must have requested that before.
    pub(super) fn join(&mut self) {
        let _ = waitpid(Some(self.0), WaitOptions::empty());
    }
}
