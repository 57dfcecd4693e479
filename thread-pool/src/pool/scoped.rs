//! Scoped tasks and the halves of joins, which each worker keeps in a queue of its own.

use executor_core::{Error, Task, host::HostId};

use super::Pool;
use crate::{job::Job, local, queues::steal};

impl Pool {
    /// Accepts a scoped task.
    pub(crate) fn schedule_scoped(&self, task: Task) -> Result<(), Error> {
        let mut worker = None;
        let push = |host: HostId, task| {
            if !local::is_of(host) {
                return Err(task);
            }
            local::with_own(|local| {
                local.push_scoped(Job::Task(task));
                worker = Some(local.index());
            });
            Ok(())
        };
        self.accept(task, push)?;
        if let Some(worker) = worker {
            self.wake_helper(worker);
        }
        Ok(())
    }

    /// Wakes a worker, and one that helps the calling worker, which has pushed a half.
    #[inline]
    pub(crate) fn after_half(&self, worker: usize) {
        self.after_local_push();
        self.wake_helper(worker);
    }

    /// Wakes a worker that helps the calling one. The fence of `Sleep::after_push` must precede this.
    #[inline]
    fn wake_helper(&self, worker: usize) {
        if let Some(helper) = self.joiners[worker].take_helper() {
            self.joiners[helper].wake();
        }
    }

    /// Returns `true` if there is something in a worker's queue of scoped jobs.
    pub(crate) fn has_scoped(&self, worker: usize) -> bool {
        !self.scoped[worker].is_empty()
    }

    /// Takes the oldest job out of a worker's queue of scoped jobs.
    pub(crate) fn steal_scoped(&self, worker: usize) -> Option<Job> {
        steal(|| self.scoped[worker].steal())
    }

    /// Runs a job on top of the one that the calling worker runs, or cancels it if the pool runs no more tasks. A half
    /// always runs, because its owner waits for it.
    pub(crate) fn run_nested(&self, job: Job, worker: usize) {
        match job {
            Job::Half(half) => half.run(Some(worker), &self.joiners),
            Job::Task(task) if self.stage.runs_tasks() => {
                let id = task.id();
                let started = task.start();
                self.release_bound(id);
                match started {
                    Some(started) => started.run_to_end(|ended| self.phases[worker].count(ended)),
                    None => self.uncount_stale(),
                }
            }
            Job::Task(task) => self.discard(task),
        }
    }
}
