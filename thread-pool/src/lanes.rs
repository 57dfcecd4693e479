//! The lanes in which tasks wait: one for the usual ones, one before it and one after it.

mod ordered;
mod usual;

use crossbeam_deque::Steal;
use executor_core::Task;

use ordered::Ordered;
use usual::Usual;

/// Where tasks from outside the pool wait, and those of any origin that ask for a priority.
///
/// Almost every task has priority 0 and goes through the middle lane. The other two cost the usual path one load each, of a
/// counter that is almost never written.
///
/// A task that is cancelled in a lane stays there, as an empty shell, until a worker comes by: taking it out of the middle
/// would need a lock. What it held was dropped when it was cancelled.
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

    /// The task that is to start first, if nothing waits elsewhere.
    pub(crate) fn take(&self) -> Option<Task> {
        self.take_urgent().or_else(|| self.take_usual()).or_else(|| self.take_later())
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
