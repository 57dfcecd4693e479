//! A worker that is stopped, so that its state does not change while it is read.

use std::os::fd::{AsFd, OwnedFd};

use process_pool::ProcessPoolExecutor;
use rustix::{
    io::Errno,
    process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid},
};

use super::killer::handle_of;

/// A stopped worker. The pool notices it after about a second, and kills it if it has a task.
#[derive(Debug)]
#[must_use = "the worker stays stopped"]
pub(super) struct Stopped(OwnedFd);

impl Stopped {
    /// Stops a worker of this pool and waits until it is stopped. Returns `None` if it has ended.
    pub(super) fn stop(pool: &ProcessPoolExecutor, pid: u32) -> Option<Stopped> {
        let worker = handle_of(pool, pid)?;
        pidfd_send_signal(&worker, Signal::STOP).ok()?;
        // With `NOWAIT`, the pool can still read the status.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::PidFd(worker.as_fd()), options) {
                Err(Errno::INTR) => {}
                Ok(Some(status)) if status.stopped() => return Some(Stopped(worker)),
                _ => return None,
            }
        }
    }

    /// Continues the worker.
    pub(super) fn go_on(self) {
        // This fails only if the pool has killed the worker.
        let _ = pidfd_send_signal(&self.0, Signal::CONT);
    }

    /// Kills the worker. Returns `false` if the pool has killed and reaped it before.
    pub(super) fn kill(self) -> bool {
        pidfd_send_signal(&self.0, Signal::KILL).is_ok()
    }
}
