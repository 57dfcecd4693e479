//! The queues that all workers of a pool share: the injector, and one queue each for high and for low priorities.

mod injector;
mod priority_queue;

use crossbeam_deque::Steal;
use executor_core::Task;

use injector::Injector;
use priority_queue::PriorityQueue;

use crate::fairness::Source;

/// The tasks that were submitted from outside the pool, and all tasks with a priority other than 0.
///
/// Almost every task has priority 0 and goes through the injector. For such a task, each of the other two queues costs
/// one load of a counter that is almost never written.
///
/// A task that is cancelled in a queue, or run inline by a task that waits for it, stays there as a
/// [stale task](crate::stale). A worker that finds it drops it, and [`remove_stale`](Queues::remove_stale) removes all
/// of them when there are many.
#[derive(Default)]
pub(crate) struct Queues {
    /// Priorities above 0. Polled before everything else.
    high: PriorityQueue,
    /// Priority 0, first in, first out.
    injector: Injector<Task>,
    /// Priorities below 0. Polled after everything else.
    low: PriorityQueue,
}

impl Queues {
    /// Adds a task of this priority.
    #[inline]
    pub(crate) fn push(&self, priority: i32, task: Task) {
        match priority {
            0 => self.injector.push(task),
            priority if priority > 0 => self.high.push(priority, task),
            priority => self.low.push(priority, task),
        }
    }

    /// Adds a task of priority 0.
    #[inline]
    pub(crate) fn push_plain(&self, task: Task) {
        self.injector.push(task);
    }

    pub(crate) fn pop_high(&self) -> Option<Task> {
        self.high.pop()
    }

    pub(crate) fn pop_injector(&self) -> Option<Task> {
        self.injector.pop()
    }

    pub(crate) fn pop_low(&self) -> Option<Task> {
        self.low.pop()
    }

    /// Takes the task that has waited longest in this source, if the source is one of these queues.
    pub(crate) fn pop_oldest(&self, source: Source) -> Option<Task> {
        match source {
            Source::Injector => self.injector.pop(),
            Source::Low => self.low.pop_oldest(),
            Source::High => self.high.pop_oldest(),
            Source::Own | Source::Others(_) => None,
        }
    }

    /// Takes the task that should start first among these queues.
    pub(crate) fn pop(&self) -> Option<Task> {
        self.pop_high().or_else(|| self.pop_injector()).or_else(|| self.pop_low())
    }

    /// Puts tasks of priority 0 before all others of that priority.
    pub(crate) fn push_front(&self, tasks: Vec<Task>) {
        self.injector.push_front(tasks);
    }

    /// Removes and returns the stale tasks. The caller must drop them outside of every lock, because the last reference
    /// to a task may drop its result, which is user code.
    pub(crate) fn remove_stale(&self) -> Vec<Task> {
        let is_waiting = |task: &Task| !task.has_left_queue();
        let mut stale = self.injector.retain(is_waiting);
        stale.extend(self.high.retain(is_waiting));
        stale.extend(self.low.retain(is_waiting));
        stale
    }

    pub(crate) fn len(&self) -> usize {
        self.injector.len() + self.high.len() + self.low.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.high.is_empty() && self.injector.is_empty() && self.low.is_empty()
    }
}

/// Steals until the attempt succeeds or finds nothing. A `Retry` means that another thread took a task, so threads
/// cannot retry forever without progress.
pub(crate) fn steal<T>(mut attempt: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match attempt() {
            Steal::Success(taken) => return Some(taken),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
}
