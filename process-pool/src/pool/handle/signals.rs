//! Signals to a worker.

use super::WorkerHandle;
use crate::sys::{child::Process, signals::Signal};

impl WorkerHandle {
    /// Returns the process id, or `None` if the process is being reaped.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::number)
    }

    /// Returns the process, unless it is being reaped.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Returns `true` if the pool has not begun to reap the process.
    pub(crate) fn is_alive(&self) -> bool {
        self.process.is_some()
    }

    /// Kills the worker for a reason other than a task, unless it has ended by itself.
    pub(crate) fn kill_because(&mut self, reason: &'static str) {
        let Some(process) = &self.process else { return };
        if process.has_ended() == Some(false) {
            self.kill_reason.get_or_insert(reason);
            process.signal(Signal::KILL);
        }
    }

    /// Sends a signal to the worker and all processes that it has started, for this reason, unless it has ended by
    /// itself.
    pub(crate) fn signal_because(&mut self, signal: Signal, reason: &'static str) {
        let Some(process) = &self.process else { return };
        if process.has_ended() == Some(false) {
            self.kill_reason = Some(reason);
        }
        process.signal(signal);
    }

    /// Returns `true` if the worker was stopped, as by `SIGSTOP`, and was not continued.
    pub(crate) fn is_stopped(&self) -> bool {
        self.process.as_ref().is_some_and(Process::is_stopped)
    }

    /// Sends a signal to the worker and all processes that it has started.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Kills a worker that has no task, because the pool no longer needs it.
    pub(crate) fn dismiss(&mut self) {
        self.leave();
        self.was_told_to_leave = true;
        self.signal(Signal::KILL);
    }
}
