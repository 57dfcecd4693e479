//! How a pool removes [stale tasks](crate::stale) from its queues.

use executor_core::Task;

use super::Pool;
use crate::{
    job::Job,
    local::{self, Counted},
    queues::steal,
    sleep::AfterPush,
    stale::Stale,
};

impl Pool {
    /// Counts a task that became stale. If there are too many, the calling thread removes them.
    pub(super) fn count_stale(&self) {
        let more = match local::add_stale(self.host(), |worker, stale| self.phases[worker].set_stale(stale)) {
            Counted::Local => return,
            Counted::Remote => 1,
            Counted::Removed { stale, missing } => {
                self.after_move();
                drop(stale);
                missing
            }
        };
        if self.stale.add(more) == Stale::TooMany {
            self.sweep();
        }
    }

    /// Subtracts one from the stale tasks, because a worker has found one and drops it.
    #[cold]
    pub(super) fn uncount_stale(&self) {
        if !local::uncount_stale(self.host(), |worker, stale| self.phases[worker].set_stale(stale)) {
            self.stale.remove(1);
        }
    }

    /// Removes the stale tasks from all queues.
    #[cold]
    fn sweep(&self) {
        // Another thread that sweeps removes most of them.
        let Some(sweeping) = self.sweeping.try_lock() else { return };
        let mut stale = self.queues.remove_stale();
        self.stale.remove(stale.len());
        let mut moved = false;
        if self.stale.check() == Stale::TooMany {
            let waiting = self.empty_deques(&mut stale);
            moved = !waiting.is_empty();
            self.queues.push_front(waiting);
        }
        self.stale.set_limit(self.queues.len());
        drop(sweeping);
        if moved {
            self.after_move();
        }
        // The last reference to a task may drop its result, which is user code.
        drop(stale);
    }

    /// Takes all tasks out of the workers' own queues, because only the ends of such a queue can be reached. Returns
    /// the tasks that wait. The workers have been busy for a long time, or they would have dropped the stale tasks.
    fn empty_deques(&self, stale: &mut Vec<Task>) -> Vec<Task> {
        let mut waiting = Vec::new();
        let before = stale.len();
        for stealer in self.stealers.iter() {
            for _ in 0..stealer.len() {
                match steal(|| stealer.steal()) {
                    Some(task) if task.has_left_queue() => stale.push(task),
                    Some(task) => waiting.push(task),
                    None => break,
                }
            }
        }
        for worker in 0..self.scoped.len() {
            for _ in 0..self.scoped[worker].len() {
                match self.steal_scoped(worker) {
                    Some(Job::Task(task)) if task.has_left_queue() => stale.push(task),
                    Some(Job::Task(task)) => waiting.push(task),
                    // The worker that waits for it runs it.
                    Some(Job::Half(half)) => half.give_back(&self.joiners),
                    None => break,
                }
            }
        }
        self.stale.remove(stale.len() - before);
        waiting
    }

    /// Wakes a worker for tasks that were invisible for a moment, as after a submit. If the pool was closed meanwhile
    /// and its waiting tasks were cancelled, these tasks were missed, so they are cancelled here.
    pub(super) fn after_move(&self) {
        match self.sleep.after_push() {
            AfterPush::Open => {}
            AfterPush::MustStart => self.start_one_more(),
            AfterPush::Closed if self.stage.runs_tasks() => {}
            AfterPush::Closed => self.discard_all(),
        }
    }

    /// Waits until no task is invisible. The last worker calls this before it checks the queues and leaves.
    pub(super) fn wait_for_sweep(&self) {
        drop(self.sweeping.lock());
    }
}
