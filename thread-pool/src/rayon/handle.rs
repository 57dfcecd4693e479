//! The executor as a value that closes nothing when it is dropped.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use executor_core::{Backend, Error, Shutdown, Task, deadline, host::HostId, task};

use super::{
    progress::{Closing, Progress},
    shared::Shared,
};

/// The executor, except that its drop does not drain. A handle that outlives the executor is one of these.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Handle {
        Handle(shared)
    }

    /// Ends the helper thread.
    pub(super) fn release(&self) {
        self.0.pool.release();
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.0.progress
    }

    pub(crate) fn host(&self) -> HostId {
        self.0.host()
    }

    pub(crate) fn is_forked_copy(&self) -> bool {
        self.0.generation.check().is_err()
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }
}

impl Backend for Handle {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        let shared = &self.0;
        shared.generation.check()?;
        if !shared.progress.try_begin() {
            return Err(Error::shut_down(&shared.name));
        }
        let route = match shared.pool.route(&shared.name) {
            Ok(route) => route,
            Err(error) => {
                shared.progress.finish();
                return Err(error);
            }
        };
        task.attach(shared.host());
        shared.queues.push(task.priority(), task);
        let job = shared.clone();
        route.spawn(move || job.run_one());
        Ok(())
    }

    fn close(&self, mode: Shutdown) {
        let shared = &self.0;
        if shared.generation.check().is_err() {
            return;
        }
        match mode {
            Shutdown::Drain => shared.progress.close(Closing::Draining),
            Shutdown::CancelPending => shared.progress.close(Closing::Cancelling),
            Shutdown::Terminate { .. } => {
                // ORDERING: the flag publishes nothing but itself.
                shared.stop_all.store(true, Relaxed);
                shared.progress.close(Closing::Cancelling);
            }
        }
        if !shared.progress.runs_tasks() {
            shared.withdraw_all();
        }
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        let shared = &self.0;
        if shared.generation.check().is_err()
            || task::worker_host() == shared.host()
            || shared.pool.has_current_thread()
        {
            return false;
        }
        // A time-out that is too long for an `Instant` counts as none.
        shared.progress.wait(deadline::after(timeout))
    }

    fn max_workers(&self) -> usize {
        self.0.pool.len()
    }
}
