//! Signals to a worker, and to nobody else.

use rustix::process::Signal;

use super::Unit;
use crate::process::Process;

impl Unit {
    /// Kills it for a reason that is no task's, unless it has ended by itself.
    pub(crate) fn kill_for(&mut self, reason: &'static str) {
        let Some(process) = &self.process else { return };
        if process.has_ended() == Some(false) {
            self.reason.get_or_insert(reason);
            process.signal(Signal::KILL);
        }
    }

    /// Whether it was stopped, as by `SIGSTOP`, and has not gone on.
    pub(crate) fn is_stopped(&self) -> bool {
        self.process.as_ref().is_some_and(Process::is_stopped)
    }

    /// Sends a signal to the worker and all that it has started.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }
}
