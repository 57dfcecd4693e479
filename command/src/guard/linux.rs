//! The end of a program's process group with the worker process that runs it.
//!
//! The system ends a program with its parent (`parent_death.rs`), but not what the program has started. So a program of
//! a worker has a guard: a forked child of the worker that leads the process group of the program, and waits on a pipe
//! whose other end only the worker has. When the worker is gone, for whatever reason, the guard kills the group, itself
//! included. A group exists as long as its leader, so the guard never kills another group, and it is not a child of the
//! program, which may wait for all of its own.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use rustix::{
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, pidfd_send_signal, setpgid, waitid,
    },
};

/// See the [module](self). Dropping it ends the guard and leaves the group alone.
#[derive(Debug)]
pub(crate) struct Guard {
    pid: Pid,
    /// Is signalled instead of the number, if the system has such descriptors.
    file: Option<OwnedFd>,
    /// Its end tells the guard that this process is gone.
    _line: OwnedFd,
}

impl Guard {
    /// Starts a guard and its group.
    ///
    /// # Errors
    ///
    /// If the system refuses a process or a descriptor.
    pub(crate) fn start() -> io::Result<Option<Guard>> {
        let (end, line) = pipe_with(PipeFlags::CLOEXEC)?;
        let pid = fork(end.as_raw_fd())?;
        // Both do this, because neither may go on before it is done. It fails only if the guard has ended.
        let _ = setpgid(Some(pid), Some(pid));
        Ok(Some(Guard { pid, file: pidfd_open(pid, PidfdFlags::empty()).ok(), _line: line }))
    }

    /// Returns the number of the group, for the program and for signals to all of it.
    pub(crate) fn group(&self) -> Pid {
        self.pid
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // These fail only if the guard has ended with its group.
        let _ = match &self.file {
            Some(file) => pidfd_send_signal(file, Signal::KILL),
            None => kill_process(self.pid, Signal::KILL),
        };
        while matches!(waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
    }
}

/// Forks the guard, which waits for the end of this pipe.
fn fork(end: RawFd) -> io::Result<Pid> {
    let mut before = std::mem::MaybeUninit::uninit();
    // SAFETY: the sets are initialised before they are used. The child has no other thread, so it only makes system
    // calls, which need no lock and allocate nothing, and it never returns. It has all signals blocked from its
    // beginning, so that no handler of this process runs in it, and a request to its group does not end it.
    let pid = unsafe {
        let mut all = std::mem::MaybeUninit::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let pid = libc::fork();
        if pid == 0 {
            watch(end);
        }
        let error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        if pid < 0 {
            return Err(error);
        }
        pid
    };
    Pid::from_raw(pid).ok_or_else(|| io::ErrorKind::Other.into())
}

/// Waits until no process has the other end of the pipe, and kills the own group.
///
/// # Safety
///
/// - The calling process has one thread, and owns none of its memory for any longer purpose.
unsafe fn watch(end: RawFd) -> ! {
    // SAFETY: these are system calls, which fail at worst, on descriptors that no owner in this process uses any more.
    unsafe {
        libc::setpgid(0, 0);
        // It may hold no pipe open that others wait for the end of, and not its own.
        close_all_but(end);
        let mut byte = 0_u8;
        loop {
            let read = libc::read(end, (&raw mut byte).cast(), 1);
            if read == 0 || (read < 0 && *libc::__errno_location() != libc::EINTR) {
                break;
            }
        }
        libc::kill(0, libc::SIGKILL);
        libc::_exit(0)
    }
}

/// # Safety
///
/// - Nothing uses the other descriptors.
unsafe fn close_all_but(kept: RawFd) {
    /// A system without the call has seldom given a process more.
    const MOST: RawFd = 4096;
    // SAFETY: by the contract. Of the raw call, because the C library may lack a function for it.
    unsafe {
        let close = |first: libc::c_uint, last: libc::c_uint| libc::syscall(libc::SYS_close_range, first, last, 0);
        let is_done = close(kept as libc::c_uint + 1, libc::c_uint::MAX) == 0
            && (kept == 0 || close(0, kept as libc::c_uint - 1) == 0);
        if !is_done {
            (0..MOST).filter(|file| *file != kept).for_each(|file| {
                libc::close(file);
            });
        }
    }
}
