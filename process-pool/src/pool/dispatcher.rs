//! The facts on which the choice of a worker depends, besides the workers.

use std::{num::NonZero, thread};

use super::ids::SlotId;

/// See the [module](self).
pub(super) struct Dispatcher {
    /// How many threads this program can run in parallel.
    pub(super) processors: usize,
    /// The worker that was chosen last, and how many more tasks it is given without a new choice.
    pub(super) chosen: SlotId,
    pub(super) left_for_chosen: usize,
    /// Whether tasks have returned to the queue that are older than tasks that workers have.
    pub(super) has_older_in_queue: bool,
    /// Whether any task with a priority other than 0 was ever submitted.
    pub(super) uses_priorities: bool,
    /// Whether the pool may start another worker for a task that is submitted.
    can_start_more: bool,
    /// Whether tasks are dispatched after each submit, even if others wait before it. It follows from the two above.
    pub(super) dispatches_each: bool,
}

impl Dispatcher {
    pub(super) fn new() -> Dispatcher {
        Dispatcher {
            processors: thread::available_parallelism().map_or(1, NonZero::get),
            chosen: SlotId::FIRST,
            left_for_chosen: 0,
            has_older_in_queue: false,
            uses_priorities: false,
            can_start_more: false,
            dispatches_each: false,
        }
    }

    /// Notes that a task with a priority other than 0 was submitted.
    pub(super) fn begin_priorities(&mut self) {
        (self.uses_priorities, self.dispatches_each) = (true, true);
    }

    /// Notes whether the pool may start another worker for a task.
    pub(super) fn set_can_start_more(&mut self, can_start_more: bool) {
        self.can_start_more = can_start_more;
        self.dispatches_each = self.uses_priorities || can_start_more;
    }

    pub(super) fn can_start_more(&self) -> bool {
        self.can_start_more
    }

    pub(super) fn note_older_tasks_in_queue(&mut self) {
        self.has_older_in_queue = true;
    }
}
