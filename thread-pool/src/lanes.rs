//! The lanes in which tasks wait: one for the usual ones, one before it and one after it.

mod ordered;
mod usual;

use crossbeam_deque::Steal;
use executor_core::Task;

use ordered::Ordered;
use usual::Usual;

use crate::turns::Place;

/// Where tasks from outside the pool wait, and those of any origin that ask for a priority.
///
/// Almost every task has priority 0 and goes through the middle lane. The other two cost the usual path one load each,
/// of a counter that is almost never written.
///
/// A task that is cancelled in a lane, or run inline by one that waits for it, stays there as an empty shell. A worker
/// that finds it drops it, and where there are many, [`take_out_shells`](Lanes::take_out_shells) does.
#[derive(Default)]
pub(crate) struct Lanes {
    /// Priorities above 0: taken before everything else.
    urgent: Ordered,
    /// Priority 0, first in, first out.
    usual: Usual<Task>,
    /// Priorities below 0: taken when there is nothing else.
    later: Ordered,
}

impl Lanes {
    pub(crate) fn push(&self, task: Task) {
        match task.priority() {
            0 => self.usual.push(task),
            priority if priority > 0 => self.urgent.push(priority, task),
            priority => self.later.push(priority, task),
        }
    }

    pub(crate) fn take_urgent(&self) -> Option<Task> {
        self.urgent.pop()
    }

    pub(crate) fn take_usual(&self) -> Option<Task> {
        self.usual.pop()
    }

    pub(crate) fn take_later(&self) -> Option<Task> {
        self.later.pop()
    }

    /// The task that has waited longest at this place, if it is one of these lanes.
    pub(crate) fn take_oldest(&self, place: Place) -> Option<Task> {
        match place {
            Place::Outside => self.usual.pop(),
            Place::Low => self.later.pop_oldest(),
            Place::High => self.urgent.pop_oldest(),
            Place::Own | Place::Others(_) => None,
        }
    }

    /// The task that is to start first, if nothing waits elsewhere.
    pub(crate) fn take(&self) -> Option<Task> {
        self.take_urgent().or_else(|| self.take_usual()).or_else(|| self.take_later())
    }

    /// Puts tasks of priority 0 before all others of that priority.
    pub(crate) fn push_front(&self, tasks: Vec<Task>) {
        self.usual.push_front(tasks);
    }

    /// Takes out what was cancelled or run elsewhere. To be dropped outside of every lock: the last reference to a task
    /// may drop its result, which is user code.
    pub(crate) fn take_out_shells(&self) -> Vec<Task> {
        let is_waiting = |task: &Task| !task.has_left_queue();
        let mut shells = self.usual.take_out(is_waiting);
        shells.extend(self.urgent.take_out(is_waiting));
        shells.extend(self.later.take_out(is_waiting));
        shells
    }

    pub(crate) fn len(&self) -> usize {
        self.usual.len() + self.urgent.len() + self.later.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.usual.is_empty() && self.later.is_empty()
    }
}

/// Steals until there is a clear answer. A `Retry` means that another thread took a task, so somebody always gets on.
pub(crate) fn steal(mut attempt: impl FnMut() -> Steal<Task>) -> Option<Task> {
    loop {
        match attempt() {
            Steal::Success(task) => return Some(task),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
}
