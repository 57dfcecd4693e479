//! The process of a worker, for as long as its number is its own.
//!
//! A number is free for others once the process is reaped, and in a program that ignores `SIGCHLD` or waits for any
//! child that is not this pool's business. So where the system has descriptors for processes, they name whom a signal
//! is for and whose end is asked about; a number is used where there are none, and then only while it surely is the
//! worker's.
//!
//! A program that has changed its user may not signal workers that it had started before. Where the signal that ends a
//! worker is refused, its link is shut down instead, and its own [lifeline](crate::worker) ends it.
#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
pub(crate) mod group;
#[cfg(not(target_os = "linux"))]
#[path = "process/no_group.rs"]
pub(crate) mod group;
#[cfg(not(target_os = "linux"))]
#[path = "process/no_tree.rs"]
pub(crate) mod tree;
#[cfg(target_os = "linux")]
pub(crate) mod tree;

use std::{
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::{Child, ExitStatus},
    sync::Arc,
};

use parking_lot::Mutex;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgid, kill_process, kill_process_group, waitid},
};

/// See the [module](self).
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// None where the system has no such thing.
    handle: Option<Arc<OwnedFd>>,
    /// What it had started in other groups when it was asked to end: once it has, they are below it no more.
    outside: Arc<Mutex<Vec<OwnedFd>>>,
    /// This side of the worker's link.
    link: Option<Arc<OwnedFd>>,
}

impl Process {
    pub(crate) fn new(child: &Child, handle: Option<Arc<OwnedFd>>, link: Option<Arc<OwnedFd>>) -> Process {
        Process { pid: Pid::from_child(child), handle, outside: Arc::default(), link }
    }

    /// No process has this number, so no signal goes anywhere.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn nobody() -> Process {
        Process { pid: Pid::from_raw(i32::MAX).expect("not zero"), handle: None, outside: Arc::default(), link: None }
    }

    pub(crate) fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    fn wait(&self, options: WaitIdOptions) -> Result<Option<WaitIdStatus>, Errno> {
        let whom = match &self.handle {
            #[cfg(target_os = "linux")]
            Some(handle) => WaitId::PidFd(handle.as_fd()),
            _ => WaitId::Pid(self.pid),
        };
        loop {
            match waitid(whom.clone(), options) {
                Err(Errno::INTR) => {}
                answer => return answer,
            }
        }
    }

    /// Whether it has ended, without reaping it. None: something else in this program has reaped it.
    pub(crate) fn has_ended(&self) -> Option<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.wait(options).ok().map(|status| status.is_some())
    }

    /// Whether it was stopped, as by `SIGSTOP`, and has not gone on.
    pub(crate) fn is_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(self.wait(options), Ok(Some(_)))
    }

    /// Reaps it: it has ended, or is about to, for it was killed. None: its status is not to be had.
    pub(crate) fn reap(&self) -> Option<ExitStatus> {
        let status = self.wait(WaitIdOptions::EXITED).ok()??;
        let raw = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => (code & 0xff) << 8,
            (None, Some(signal)) => signal,
            (None, None) => return None,
        };
        Some(ExitStatus::from_raw(raw))
    }

    /// Sends a signal to it and its group, even if it has ended by itself. `SIGKILL` is for everything that it has
    /// started, in whatever group. Of a process that has ended only its group is still to be found, and what it had
    /// started elsewhere when it was sent `SIGTERM`.
    pub(crate) fn signal(&self, signal: Signal) {
        let is_there = || self.has_ended() == Some(false);
        if signal == Signal::TERM {
            // It may end immediately, and then those are below it no more.
            *self.outside.lock() = tree::outside_of_group(self.pid, is_there);
        }
        if signal == Signal::KILL {
            if is_there() {
                // It starts nothing more while its descendants are looked for.
                self.signal_itself(Signal::STOP);
                tree::end_below(self.pid, is_there);
            }
            tree::end_each(&self.outside.lock());
        }
        self.signal_group(signal);
        if signal == Signal::KILL && self.refuses_to_be_killed() {
            self.shut_link();
        }
    }

    /// Whether this program has no right to signal it. A signal to the group does not tell: it counts as sent if any
    /// process there gets it.
    fn refuses_to_be_killed(&self) -> bool {
        let answer = match &self.handle {
            #[cfg(target_os = "linux")]
            Some(handle) => rustix::process::pidfd_send_signal(handle, Signal::KILL),
            _ if self.has_ended() != Some(false) => return false,
            _ => kill_process(self.pid, Signal::KILL),
        };
        answer == Err(Errno::PERM)
    }

    /// Ends the worker in the way that the end of this program would: its lifeline notices, and kills it with its
    /// group.
    fn shut_link(&self) {
        if let Some(link) = &self.link {
            // The only failure is that the worker has closed its end.
            let _ = rustix::net::shutdown(link, rustix::net::Shutdown::Both);
        }
    }

    fn signal_group(&self, signal: Signal) {
        if self.signal_group_by_handle(signal) {
            return self.signal_one_that_has_left_its_group(signal);
        }
        if self.has_ended().is_none() {
            // Its number, and its group's, may be somebody else's by now.
            return;
        }
        // The only failure is that nobody is left there.
        let _ = kill_process_group(self.pid, signal);
        self.signal_one_that_has_left_its_group(signal);
    }

    /// A task may have moved its worker to another group.
    fn signal_one_that_has_left_its_group(&self, signal: Signal) {
        if getpgid(Some(self.pid)).is_ok_and(|group| group != self.pid) {
            self.signal_itself(signal);
        }
    }

    fn signal_itself(&self, signal: Signal) {
        match &self.handle {
            // The only failure is that it has ended.
            #[cfg(target_os = "linux")]
            Some(handle) => drop(rustix::process::pidfd_send_signal(handle, signal)),
            _ => drop(kill_process(self.pid, signal)),
        }
    }

    /// False: this system cannot do that.
    #[cfg(target_os = "linux")]
    fn signal_group_by_handle(&self, signal: Signal) -> bool {
        use std::os::fd::AsRawFd;
        /// The whole group whose leader this is, or was. Since Linux 6.9.
        const PROCESS_GROUP: libc::c_uint = 1 << 2;
        let Some(handle) = &self.handle else { return false };
        let no_details = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open, and no details of the signal are passed.
        let answer = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, handle.as_raw_fd(), signal.as_raw(), no_details, PROCESS_GROUP)
        };
        // Nobody left in the group is no failure.
        answer == 0 || Errno::from_io_error(&std::io::Error::last_os_error()) == Some(Errno::SRCH)
    }

    #[cfg(not(target_os = "linux"))]
    fn signal_group_by_handle(&self, _: Signal) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    #[expect(clippy::zombie_processes, reason = "reaped by what is tested")]
    fn the_status_of_a_process_is_the_one_that_the_standard_library_would_tell() {
        for script in ["exit 0", "exit 7", "kill -9 $$", "kill -15 $$"] {
            let child = Command::new("sh").args(["-c", script]).spawn().expect("starts");
            let status = Process::new(&child, None, None).reap().expect("a status");
            let same = Command::new("sh").args(["-c", script]).status().expect("starts");
            assert_eq!((status.code(), status.signal()), (same.code(), same.signal()), "{script}");
        }
    }

    #[test]
    fn a_process_that_somebody_else_has_reaped_has_no_status() {
        let mut child = Command::new("true").spawn().expect("starts");
        let process = Process::new(&child, None, None);
        child.wait().expect("ends");
        assert_eq!((process.has_ended(), process.reap()), (None, None));
    }
}
