//! Taking the shells of tasks out of the queues: see [`Shells`](crate::shells::Shells).

use std::sync::atomic::Ordering::*;

use executor_core::Task;

use super::{CANCELLING, Pool};
use crate::{
    lanes::steal,
    local::{self, Counted},
    sleep::AfterPush,
};

impl Pool {
    /// Counts a task that has left its queue without a worker's doing. If there are too many, they are taken out by the
    /// thread that made this one.
    pub(super) fn count_shell(&self) {
        let more = match local::add_shell(self.host()) {
            Counted::Here => return,
            Counted::Elsewhere => 1,
            Counted::TakenOut { shells, missing } => {
                self.announce_moved();
                drop(shells);
                missing
            }
        };
        if self.shells.add(more) {
            self.sweep();
        }
    }

    /// A worker has found a shell, which goes with it.
    #[cold]
    pub(super) fn uncount_shell(&self) {
        if !local::remove_shell(self.host()) {
            self.shells.remove(1);
        }
    }

    /// Takes the shells out of all queues.
    #[cold]
    fn sweep(&self) {
        // Another thread is at it, and takes out most of them.
        let Some(sweeping) = self.sweeping.try_lock() else { return };
        let mut shells = self.lanes.take_out_shells();
        self.shells.remove(shells.len());
        let mut moved = false;
        if self.shells.are_too_many() {
            let waiting = self.empty_deques(&mut shells);
            moved = !waiting.is_empty();
            self.lanes.push_front(waiting);
        }
        self.shells.set_limit(self.lanes.len());
        drop(sweeping);
        if moved {
            self.announce_moved();
        }
        // The last reference to a task may drop its result, which is user code.
        drop(shells);
    }

    /// Takes everything out of the workers' own queues, because what is in their middle cannot be reached. Returns the
    /// tasks that wait. Their workers have been busy for long, or they would have dropped the shells themselves.
    fn empty_deques(&self, shells: &mut Vec<Task>) -> Vec<Task> {
        let mut waiting = Vec::new();
        let before = shells.len();
        for stealer in &self.stealers {
            for _ in 0..stealer.len() {
                match steal(|| stealer.steal()) {
                    Some(task) if task.has_left_queue() => shells.push(task),
                    Some(task) => waiting.push(task),
                    None => break,
                }
            }
        }
        self.shells.remove(shells.len() - before);
        waiting
    }

    /// Tasks were out of sight for a moment. As after a submit, a worker is woken for them if none searches; and if the
    /// pool was told meanwhile to discard what waits, they are what it has missed.
    fn announce_moved(&self) {
        // ORDERING: as in `run`.
        if self.sleep.after_push() == AfterPush::Closed && self.stage.load(Acquire) >= CANCELLING {
            self.discard_all();
        }
    }

    /// Waits until no task is out of sight: for the last worker, before it looks for work and leaves.
    pub(super) fn wait_for_sweep(&self) {
        drop(self.sweeping.lock());
    }
}
