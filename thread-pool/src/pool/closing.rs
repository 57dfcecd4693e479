//! How a pool is closed.
//!
//! 1. The stage advances. From [`Stage::Cancelling`] on, a worker that finds a task cancels it.
//! 2. The closed bit is set in the counters of [`Sleep`](crate::sleep::Sleep), and all sleeping workers are woken. A
//!    submit that reads the bit from now on returns `ShutDown`.
//! 3. Submitters that are blocked by the bound of the queue continue, and return `ShutDown`.
//! 4. From [`Stage::Cancelling`] on, the closing thread cancels the tasks in all queues. Before it advances to
//!    [`Stage::Terminating`], it sets the flag that running tasks read with `Context::is_cancelled`.
//! 5. A worker that finds no task leaves through the [`ExitGate`](crate::exit_gate::ExitGate), which keeps the last
//!    worker until the queues are empty.
//!
//! There are three cases for a submit that races with this:
//!
//! 1. It reads the bit before step 2, and pushes before the last check of the last worker. It is accepted. Its task
//!    runs, or is cancelled from [`Stage::Cancelling`] on. If the closing thread has already passed step 4, the
//!    submitter cancels it.
//! 2. It reads the bit before step 2, and pushes later. It gets its task back from the gate and returns `ShutDown`.
//! 3. It reads the bit after step 2. It returns `ShutDown`.
//!
//! So every accepted task is completed, and a refused task never runs.

use executor_core::{Error, Task, TaskId, task::Ended};

use super::{Pool, Stage};
use crate::{exit_gate::Exit, job::Job, queues::steal};

impl Pool {
    /// Advances the stage, and does what the new stage requires.
    pub(super) fn advance(&self, stage: Stage) {
        self.stage.advance(stage);
        self.sleep.close();
        if let Some(bound) = &self.bound {
            bound.close();
        }
        if stage >= Stage::Cancelling {
            self.discard_all();
        }
    }

    /// Closes the pool for a reason that the error of each waiting task and each later submit states.
    pub(crate) fn break_down(&self, reason: Error) {
        // The first reason stays.
        let _ = self.broken.set(reason);
        self.advance(Stage::Cancelling);
    }

    /// Lets a worker leave that found no task in a closed pool, unless it is the last one and there is work.
    pub(crate) fn try_leave(&self) -> Exit {
        self.exit_gate.try_leave(|| {
            self.wait_for_sweep();
            self.has_work()
        })
    }

    /// Lets a worker leave that the pool need not keep, unless no other has entered. Those that count may be only about
    /// to be started, and nobody enters after the last one has left.
    pub(crate) fn try_leave_to_others(&self) -> Exit {
        self.exit_gate.try_leave(|| true)
    }

    /// Completes a submit that found the pool closed after its push; see the cases above.
    #[cold]
    pub(super) fn after_push_to_closed(&self, task: TaskId) -> Result<(), Error> {
        if let Some(task) = self.exit_gate.reclaim(task, || self.queues.pop()) {
            self.release_bound(task.id());
            // The submitter gets the error instead of the future, so no caller sees how the task is completed.
            drop(task.refuse(self.refusal()));
            return Err(self.refusal());
        }
        if !self.stage.runs_tasks() {
            // The closing thread may have emptied the queues before the push, and all workers may be busy.
            self.discard_all();
        }
        Ok(())
    }

    /// Completes a task that must not run any more.
    pub(super) fn discard(&self, task: Task) {
        self.release_bound(task.id());
        let completed = match self.broken.get() {
            Some(reason) => {
                let refused = task.refuse(reason.clone());
                if refused.is_some() {
                    self.count_inline(Ended::Error);
                }
                refused
            }
            None => {
                let withdrawn = task.withdraw();
                if withdrawn.is_some() {
                    self.count_cancelled();
                }
                withdrawn
            }
        };
        // This drop runs callbacks, so it is outside of every lock.
        drop(completed);
    }

    /// Completes all tasks that wait.
    pub(super) fn discard_all(&self) {
        let in_deques = || self.stealers.iter().find_map(|stealer| steal(|| stealer.steal()));
        while let Some(task) = self.queues.pop().or_else(in_deques) {
            self.discard(task);
        }
        let scoped = || (0..self.stealers.len()).find_map(|worker| self.steal_scoped(worker));
        while let Some(job) = scoped() {
            match job {
                Job::Task(task) => self.discard(task),
                // The worker that waits for it runs it.
                Job::Half(half) => half.give_back(&self.joiners),
            }
        }
    }

    /// Returns the error of a submit to a closed pool.
    #[cold]
    pub(super) fn refusal(&self) -> Error {
        self.broken.get().cloned().unwrap_or_else(|| Error::shut_down(&self.name))
    }
}
