//! What callers ask about the sandbox of a pool, and what the sandbox of a worker leaves behind.

use std::{sync::Arc, thread};

use super::Pool;
use crate::{
    RefusedCall, SandboxStatus,
    sandbox::{Refusals, Scanner},
    sys::temporary::TemporaryDirectory,
};

impl Pool {
    /// Returns what the workers have reported. Waits for the first of them if one is starting.
    pub(crate) fn sandbox_status(&self) -> Option<SandboxStatus> {
        self.fork_generation.check().ok()?;
        let mut state = self.state.lock();
        if !state.has_sandbox {
            return None;
        }
        while state.sandbox.is_none() && state.expects_worker() {
            self.sandboxed.wait(&mut state);
        }
        state.sandbox.as_deref().cloned()
    }

    /// Notes that a worker has become ready, or that none will.
    pub(crate) fn notify_sandboxed(&self) {
        self.sandboxed.notify_all();
    }

    /// Makes the pool collect the calls that its workers report as refused.
    pub(crate) fn collect_refusals(&self) {
        let _ = self.refusals.set(Arc::new(Refusals::default()));
    }

    pub(crate) fn refusals(&self) -> Vec<RefusedCall> {
        self.refusals.get().map(|refusals| refusals.list()).unwrap_or_default()
    }

    /// Returns what finds refused calls in the standard error of a worker, if they are collected.
    pub(crate) fn refusal_scanner(&self) -> Option<Scanner> {
        self.refusals.get().cloned().map(Scanner::new)
    }

    /// Removes the private directory of a worker that has ended. A worker may have filled it with more files than the
    /// supervisor has time for, so a thread of its own removes them.
    pub(crate) fn remove(&self, directory: TemporaryDirectory) {
        let mut removals = self.removals.lock();
        removals.retain(|removal| !removal.is_finished());
        // If there can be no thread, the directory is dropped here, and removed by that.
        let removal = thread::Builder::new().name("removal".into()).spawn(move || drop(directory));
        removals.extend(removal);
    }

    /// Waits until the directories of all workers that have ended are removed.
    pub(crate) fn finish_removals(&self) {
        let removals = std::mem::take(&mut *self.removals.lock());
        for removal in removals {
            // It runs no user code, and does not panic.
            let _ = removal.join();
        }
    }
}
