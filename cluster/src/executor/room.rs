//! The bound of the queue.

use std::collections::HashSet;

use executor_core::{
    TaskId,
    submit_line::{Admitted, SubmitLine},
};

/// The bound of the queue, and the submitters that wait for room. The lock of the executor protects it.
pub(super) struct Room {
    /// How many tasks may be queued.
    capacity: usize,
    /// The tasks for which there is room, and that were not submitted yet.
    reserved: HashSet<TaskId>,
    pub(super) line: SubmitLine,
}

impl Room {
    pub(super) fn new(capacity: Option<usize>) -> Room {
        Room { capacity: capacity.unwrap_or(usize::MAX), reserved: HashSet::new(), line: SubmitLine::default() }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns whether the task may be submitted, while this many tasks are queued. A later submitter does not overtake
    /// those that wait.
    pub(super) fn is_for(&self, task: TaskId, queued: usize) -> bool {
        self.reserved.contains(&task) || self.line.is_empty() && queued + self.reserved.len() < self.capacity
    }

    /// Uses the room that was reserved for a task, if any was. Returns whether it was.
    pub(super) fn take(&mut self, task: TaskId) -> bool {
        self.reserved.remove(&task)
    }

    pub(super) fn reserve(&mut self, task: TaskId) {
        self.reserved.insert(task);
    }

    /// Reserves room for those that have waited longest. They must be notified.
    pub(super) fn admit(&mut self, queued: usize) -> Vec<Admitted> {
        let mut all = Vec::new();
        while queued + self.reserved.len() < self.capacity {
            let Some((task, admitted)) = self.line.admit_next() else { break };
            self.reserved.insert(task);
            all.push(admitted);
        }
        all
    }
}
