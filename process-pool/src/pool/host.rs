//! What futures ask the pool about a task that a worker may have.

use std::time::{Duration, Instant};

use executor_core::{
    TaskId,
    host::{Host, Waiting},
    spin::SpinBudget,
};

use super::{Leftovers, Phase, Pool, unit::unplace};

impl Host for Pool {
    fn withdraw(&self, _: TaskId, place: u64) -> bool {
        if self.born.check().is_err() {
            return false;
        }
        let (index, sequence) = unplace(place);
        let mut leftovers = Leftovers::default();
        let mut state = self.state.lock();
        let Some(job) = state.units.get_mut(index).and_then(|unit| unit.withdraw(sequence, true)) else {
            return false;
        };
        // Under the lock, so that a second cancel, which does not find the job any more, finds the task cancelled.
        let completed = job.task.cancel();
        state.tally.count_cancel();
        state.dispatch(Instant::now(), &mut leftovers);
        self.announce_room(&state);
        // What was withdrawn is not answered, so nobody else would tell the supervisor that this was the last task.
        leftovers.wake_supervisor |= state.phase > Phase::Open;
        drop(state);
        self.deal_with(leftovers);
        drop(completed);
        true
    }

    fn started(&self, _: TaskId, place: u64) -> bool {
        if self.born.check().is_err() {
            return false;
        }
        let (index, sequence) = unplace(place);
        let mut state = self.state.lock();
        let Some(unit) = state.units.get_mut(index) else { return false };
        unit.sees_started(sequence)
    }

    fn terminate(&self, _: TaskId, place: u64, grace: Duration) -> bool {
        if self.born.check().is_err() {
            return false;
        }
        let (index, sequence) = unplace(place);
        let mut leftovers = Leftovers::default();
        let mut state = self.state.lock();
        let stops = index < state.units.len() && state.terminate(index, sequence, grace);
        state.dispatch(Instant::now(), &mut leftovers);
        self.announce_room(&state);
        drop(state);
        leftovers.wake_supervisor = true;
        self.deal_with(leftovers);
        stops
    }

    fn ask_to_stop(&self, _: TaskId, place: u64) {
        if self.born.check().is_err() {
            return;
        }
        let (index, sequence) = unplace(place);
        let mut leftovers = Leftovers::default();
        let mut state = self.state.lock();
        if index < state.units.len() {
            state.ask_to_stop(index, sequence, &mut leftovers);
        }
        drop(state);
        self.deal_with(leftovers);
    }

    fn poll_replies(&self, waiting: &Waiting<'_>, budget: &mut SpinBudget) -> bool {
        if self.born.check().is_err() || self.is_supervisor() {
            return false;
        }
        Pool::attend(self, waiting, budget)
    }

    fn left_queue_at(&self, task: TaskId, place: u64) {
        if self.born.check().is_err() {
            return;
        }
        let mut state = self.state.lock();
        let remains = state.queue.left(task, place);
        state.tally.count_cancel();
        self.announce_room(&state);
        let closing = state.phase > Phase::Open;
        drop(state);
        drop(remains);
        if closing {
            self.notify();
        }
    }
}
