//! A worker that was made to stand still, so that what is read of it stays true until something is done with it.

use std::os::fd::{AsFd, OwnedFd};

use process_pool::ProcessPoolExecutor;
use rustix::{
    io::Errno,
    process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid},
};

use super::killer::handle_of;

/// See the [module](self). The pool finds it after about a second, and kills it if it has something to do.
#[derive(Debug)]
#[must_use = "nobody else lets it go on"]
pub(super) struct Stopped(OwnedFd);

impl Stopped {
    /// Stops a worker of this pool, and waits until it stands still. None: it has ended.
    pub(super) fn stop(pool: &ProcessPoolExecutor, pid: u32) -> Option<Stopped> {
        let worker = handle_of(pool, pid)?;
        pidfd_send_signal(&worker, Signal::STOP).ok()?;
        // Without taking it away: the pool asks for the same.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::PidFd(worker.as_fd()), options) {
                Err(Errno::INTR) => {}
                Ok(Some(status)) if status.stopped() => return Some(Stopped(worker)),
                _ => return None,
            }
        }
    }

    /// Lets it go on where it was.
    pub(super) fn go_on(self) {
        // The only failure is that the pool has killed it.
        let _ = pidfd_send_signal(&self.0, Signal::CONT);
    }

    /// Kills it where it is. False: the pool has killed it, and reaped it.
    pub(super) fn kill(self) -> bool {
        pidfd_send_signal(&self.0, Signal::KILL).is_ok()
    }
}
