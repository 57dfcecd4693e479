//! Signals to a worker, and to nobody else.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgid, kill_process, kill_process_group, waitid};

use super::Unit;

impl Unit {
    /// Kills it for a reason that is no task's, unless it has ended by itself.
    pub(crate) fn kill_for(&mut self, reason: &'static str) {
        if let Some(false) = self.process.and_then(has_ended) {
            self.reason.get_or_insert(reason);
            self.signal(Signal::KILL);
        }
    }

    /// Whether it was stopped, as by `SIGSTOP`, and has not gone on.
    pub(crate) fn is_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.process.is_some_and(|process| matches!(waitid(WaitId::Pid(process), options), Ok(Some(_))))
    }

    /// Sends a signal to the worker and all that it has started.
    pub(crate) fn signal(&self, signal: Signal) {
        let Some(process) = self.process else { return };
        if has_ended(process).is_none() {
            return;
        }
        // The only failure is that nobody is left there.
        let _ = kill_process_group(process, signal);
        if getpgid(Some(process)).is_ok_and(|group| group != process) {
            // A task has moved its worker to another group.
            let _ = kill_process(process, signal);
        }
    }
}

/// Whether a worker's process has ended, without reaping it. None: its number may be somebody else's by now. It is its own
/// until it is reaped, and that is this pool's business alone, except in a program that ignores `SIGCHLD` or waits for any
/// child.
fn has_ended(process: Pid) -> Option<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(process), options).ok().map(|status| status.is_some())
}
