//! The process of a worker, as its parent sees it.
//!
//! When a process is reaped, its number may be given to another process. The pool does not control that: a program may
//! ignore `SIGCHLD`, or wait for any child. So where the system has descriptors of processes, signals and queries go to
//! the descriptor. A number is used only where there is no descriptor, and only while it surely belongs to the worker.
//!
//! A program that has changed its user may not signal workers that it has started before. If the system refuses the
//! signal that kills a worker, the link is shut down instead, and the worker's own lifeline ends it.

use std::{
    io,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, Command, ExitStatus},
    sync::Arc,
};

use parking_lot::Mutex;
use rustix::{
    io::Errno,
    process::{
        Pid, Resource, Rlimit, Signal, WaitIdOptions, WaitIdStatus, getpgid, getpriority_process, getrlimit,
        kill_process_group, setpriority_process, setrlimit, waitid,
    },
};

use crate::sys::{process, process_tree, scheduling::Processors, socket};

/// Makes a worker be shown under this name in lists of processes, and lead a process group of its own.
pub(crate) fn prepare(command: &mut Command, name: &str) {
    command.arg0(name).process_group(0);
}

/// Makes a worker begin with this limit on the size of its stack, which the system reads when it runs the program.
#[allow(unsafe_code)]
pub(crate) fn limit_stack(command: &mut Command, bytes: u64) {
    let limit = move || {
        let maximum = getrlimit(Resource::Stack).maximum;
        Ok(setrlimit(Resource::Stack, Rlimit { current: Some(bytes), maximum })?)
    };
    // SAFETY: the function only makes two system calls, which a child may do between fork and exec.
    unsafe { command.pre_exec(limit) };
}

/// Makes a worker begin with this niceness and on these processors, so that its first instruction has them.
#[allow(unsafe_code)]
pub(crate) fn schedule(command: &mut Command, niceness: Option<i32>, processors: Option<Processors>) {
    if niceness.is_none() && processors.is_none() {
        return;
    }
    let schedule = move || {
        if let Some(niceness) = niceness {
            setpriority_process(None, niceness)?;
        }
        processors.map_or(Ok(()), |processors| processors.enter())
    };
    // SAFETY: the function only makes two system calls, which a child may do between fork and exec.
    unsafe { command.pre_exec(schedule) };
}

/// Returns the niceness of this program.
pub(crate) fn own_niceness() -> io::Result<i32> {
    Ok(getpriority_process(None)?)
}

/// Returns the largest limit on the size of a stack that this program may set.
pub(crate) fn largest_stack() -> Option<u64> {
    getrlimit(Resource::Stack).maximum
}

/// The process of one worker.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// The descriptor, or `None` where the system has no descriptors of processes.
    descriptor: Option<Arc<OwnedFd>>,
    /// The processes that it had started when it was asked to end. Once it has ended, they are no longer below it in
    /// the tree of processes.
    descendants: Arc<Mutex<Vec<OwnedFd>>>,
    /// The parent's end of the worker's link.
    link: Option<Arc<OwnedFd>>,
}

impl Process {
    pub(crate) fn new(child: &Child, descriptor: Option<Arc<OwnedFd>>, link: Option<Arc<OwnedFd>>) -> Process {
        Process { pid: Pid::from_child(child), descriptor, descendants: Arc::default(), link }
    }

    /// Returns a process that does not exist, so that its signals have no effect.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn nonexistent() -> Process {
        let pid = Pid::from_raw(i32::MAX).expect("not zero");
        Process { pid, descriptor: None, descendants: Arc::default(), link: None }
    }

    pub(crate) fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns the descriptor, if the system has descriptors of processes.
    pub(crate) fn descriptor(&self) -> Option<&Arc<OwnedFd>> {
        self.descriptor.as_ref()
    }

    fn wait(&self, options: WaitIdOptions) -> Result<Option<WaitIdStatus>, Errno> {
        loop {
            match waitid(process::wait_id(self.descriptor.as_deref(), self.pid), options) {
                Err(Errno::INTR) => {}
                result => return result,
            }
        }
    }

    /// Returns `Some(true)` if it has ended, without reaping it, and `None` if something else in this program has
    /// reaped it.
    pub(crate) fn has_ended(&self) -> Option<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.wait(options).ok().map(|status| status.is_some())
    }

    /// Returns `true` if it was stopped, as by `SIGSTOP`, and was not continued since.
    pub(crate) fn is_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(self.wait(options), Ok(Some(_)))
    }

    /// Waits for its end and reaps it. It must have ended or have been killed. Returns `None` if its status is not
    /// known.
    pub(crate) fn reap(&self) -> Option<ExitStatus> {
        let status = self.wait(WaitIdOptions::EXITED).ok()??;
        let raw = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => (code & 0xff) << 8,
            (None, Some(signal)) => signal,
            (None, None) => return None,
        };
        Some(ExitStatus::from_raw(raw))
    }

    /// Returns the status of a process that has ended and that something else in this program has reaped, if the system
    /// still tells.
    pub(crate) fn status_after_reaping(&self) -> Option<ExitStatus> {
        process::status_after_reaping(self.descriptor.as_ref()?).map(ExitStatus::from_raw)
    }

    /// Sends a signal to it and its group, even if it has ended by itself. `SIGKILL` goes to all processes that it has
    /// started, in any group. Once it has ended, only two kinds of these can be found: its group, and the processes
    /// that existed when it was sent `SIGTERM`.
    pub(crate) fn signal(&self, signal: Signal) {
        let is_there = || self.has_ended() == Some(false);
        if signal == Signal::TERM {
            // The process may end immediately, and then the others are no longer below it.
            *self.descendants.lock() = process_tree::descendants(self.pid, is_there);
        }
        if signal == Signal::KILL {
            if is_there() {
                // Stops it first, so that it starts no more processes while its descendants are searched.
                let _ = self.signal_itself(Signal::STOP);
                process_tree::kill_below(self.pid, is_there);
            }
            process_tree::kill_each(&self.descendants.lock());
        }
        self.signal_group(signal);
        if signal == Signal::KILL && self.kill_is_refused() {
            self.shut_link();
        }
    }

    /// Kills it, and returns whether this program has no right to do so. A signal to the group cannot show that,
    /// because it counts as sent if any process in the group receives it.
    fn kill_is_refused(&self) -> bool {
        if self.descriptor.is_none() && self.has_ended() != Some(false) {
            return false;
        }
        self.signal_itself(Signal::KILL) == Err(Errno::PERM)
    }

    /// Ends the worker as the end of this program would: its lifeline notices, and kills it with its group.
    fn shut_link(&self) {
        if let Some(link) = &self.link {
            socket::shut(link);
        }
    }

    fn signal_group(&self, signal: Signal) {
        let is_sent = self.descriptor.as_ref().is_some_and(|descriptor| process::signal_group(descriptor, signal));
        if !is_sent {
            if self.has_ended().is_none() {
                // By now its number, and its group's, may belong to another process.
                return;
            }
            // It fails only if the group is empty.
            let _ = kill_process_group(self.pid, signal);
        }
        // A task may have moved its worker to another group.
        if getpgid(Some(self.pid)).is_ok_and(|group| group != self.pid) {
            let _ = self.signal_itself(signal);
        }
    }

    fn signal_itself(&self, signal: Signal) -> Result<(), Errno> {
        process::signal(self.descriptor.as_deref(), self.pid, signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::zombie_processes, reason = "reaped by what is tested")]
    fn the_status_of_a_process_is_that_of_the_standard_library() {
        for script in ["exit 0", "exit 7", "kill -9 $$", "kill -15 $$"] {
            let child = Command::new("sh").args(["-c", script]).spawn().expect("starts");
            let status = Process::new(&child, None, None).reap().expect("a status");
            let same = Command::new("sh").args(["-c", script]).status().expect("starts");
            assert_eq!((status.code(), status.signal()), (same.code(), same.signal()), "{script}");
        }
    }

    #[test]
    fn a_process_that_was_reaped_elsewhere_has_no_status() {
        let mut child = Command::new("true").spawn().expect("starts");
        let process = Process::new(&child, None, None);
        child.wait().expect("ends");
        assert_eq!((process.has_ended(), process.reap()), (None, None));
    }

    #[test]
    fn the_descriptor_of_a_process_that_was_reaped_elsewhere_may_tell_its_status() {
        for (script, raw) in [("exit 7", 7 << 8), ("kill -9 $$", 9)] {
            let mut child = Command::new("sh").args(["-c", script]).spawn().expect("starts");
            let descriptor = process::open_child(&child).expect("descriptors are left").map(Arc::new);
            let process = Process::new(&child, descriptor, None);
            assert_eq!(process.status_after_reaping(), None, "it may run");
            child.wait().expect("ends");
            let status = process.status_after_reaping();
            assert!(status.is_none_or(|status| status == ExitStatus::from_raw(raw)), "{script}: {status:?}");
        }
    }
}
