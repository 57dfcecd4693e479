//! Requests of futures about a task that a worker may have.

use std::time::{Duration, Instant};

use executor_core::{
    TaskId,
    host::{Host, Waiting},
    spin::SpinBudget,
};

use super::{Pool, ids::Assignment};

impl Host for Pool {
    fn withdraw(&self, _: TaskId, place: u64) -> bool {
        if self.fork_generation.check().is_err() {
            return false;
        }
        let cancelled = self.state.lock().cancel_assigned(Assignment::unpack(place), Instant::now());
        let Some((completed, deferred)) = cancelled else { return false };
        self.perform(deferred);
        drop(completed);
        true
    }

    fn started(&self, _: TaskId, place: u64) -> bool {
        if self.fork_generation.check().is_err() {
            return false;
        }
        let at = Assignment::unpack(place);
        self.state.lock().worker_mut(at.slot).is_some_and(|worker| worker.observe_start(at.sequence))
    }

    fn terminate(&self, _: TaskId, place: u64, grace: Duration) -> bool {
        if self.fork_generation.check().is_err() {
            return false;
        }
        let (stops, deferred) = self.state.lock().terminate(Assignment::unpack(place), grace, Instant::now());
        self.perform(deferred);
        stops
    }

    fn ask_to_stop(&self, _: TaskId, place: u64) {
        if self.fork_generation.check().is_err() {
            return;
        }
        let deferred = self.state.lock().ask_to_stop(Assignment::unpack(place));
        self.perform(deferred);
    }

    fn poll_replies(&self, waiting: &Waiting<'_>, budget: &mut SpinBudget) -> bool {
        if self.fork_generation.check().is_err() || self.is_supervisor() {
            return false;
        }
        self.poll_for(waiting, budget)
    }

    fn left_queue_at(&self, task: TaskId, place: u64) {
        if self.fork_generation.check().is_err() {
            return;
        }
        let deferred = self.state.lock().on_cancelled_in_queue(task, place);
        self.perform(deferred);
    }
}
