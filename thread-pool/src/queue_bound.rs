//! The bound of a bounded queue.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use executor_core::{Error, TaskId};
use parking_lot::{Condvar, Mutex};

/// Keeps the set of the tasks that wait, and blocks submitters while there are too many.
///
/// A task is released when it stops waiting: a worker claims it, the pool withdraws it, or `executor-core` calls
/// `Host::left_queue` because it was cancelled or run inline. Two of these can happen to one task; for example, the
/// canceller and the submitter both release a task that is cancelled during `schedule`. So tasks are released by their
/// id, and the second release changes nothing.
///
/// Submitters are admitted in the order of their arrival: a release admits the submitter that has waited longest, and a
/// later one cannot overtake it.
pub(crate) struct QueueBound {
    capacity: usize,
    state: Mutex<State>,
}

struct State {
    /// The tasks that wait. They may exceed the capacity, because submits by workers of the pool do not block.
    waiting: HashSet<TaskId>,
    /// The submitters that wait. While there are any, the capacity is used up.
    submitters: VecDeque<Arc<Submitter>>,
    closed: bool,
}

/// A submitter that waits.
struct Submitter {
    task: TaskId,
    /// Whether the task counts as waiting. Written and read under the lock of the bound.
    admitted: AtomicBool,
    /// Notified when `admitted` is set or the bound is closed.
    changed: Condvar,
}

/// Why a task was not admitted.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl QueueBound {
    pub(crate) fn new(capacity: usize) -> QueueBound {
        let state = State { waiting: HashSet::new(), submitters: VecDeque::new(), closed: false };
        QueueBound { capacity, state: Mutex::new(state) }
    }

    /// Counts a task as waiting. While the capacity is used up, blocks if `may_block`, and returns an error otherwise.
    pub(crate) fn acquire(&self, task: TaskId, may_block: bool) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() < self.capacity {
            state.waiting.insert(task);
            return Ok(());
        }
        if !may_block {
            return Err(Refused::Full);
        }
        let submitter = Arc::new(Submitter { task, admitted: AtomicBool::new(false), changed: Condvar::new() });
        state.submitters.push_back(submitter.clone());
        loop {
            submitter.changed.wait(&mut state);
            // ORDERING: the lock orders all accesses.
            if submitter.admitted.load(Relaxed) {
                return Ok(());
            }
            if state.closed {
                return Err(Refused::Closed);
            }
        }
    }

    /// Counts a task as waiting, past the bound if necessary. A pool worker that blocked here could deadlock.
    pub(crate) fn acquire_past_bound(&self, task: TaskId) {
        self.state.lock().waiting.insert(task);
    }

    /// Stops counting a task as waiting, if it is counted.
    pub(crate) fn release(&self, task: TaskId) {
        let mut state = self.state.lock();
        state.waiting.remove(&task);
        if state.waiting.len() >= self.capacity {
            return;
        }
        let Some(next) = state.submitters.pop_front() else { return };
        state.waiting.insert(next.task);
        // ORDERING: the lock orders all accesses.
        next.admitted.store(true, Relaxed);
        drop(state);
        next.changed.notify_one();
    }

    /// Refuses the submitters that wait and all later ones.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let submitters = std::mem::take(&mut state.submitters);
        drop(state);
        for submitter in submitters {
            submitter.changed.notify_one();
        }
    }

    pub(crate) fn full_error(&self, pool: &str) -> Error {
        Error::queue_full(pool, self.capacity)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;

    use executor_core::{Task, TaskOptions};

    use super::*;

    fn ids<const N: usize>() -> [TaskId; N] {
        std::array::from_fn(|_| Task::from_closure(TaskOptions::new(), || ()).0.id())
    }

    #[test]
    fn a_second_release_of_a_task_changes_nothing() {
        let bound = QueueBound::new(1);
        let [one, two, unknown] = ids();
        bound.release(unknown);
        assert_eq!(bound.acquire(one, false), Ok(()));
        assert_eq!(bound.acquire(two, false), Err(Refused::Full));
        bound.release(unknown);
        assert_eq!(bound.acquire(two, false), Err(Refused::Full));
        bound.release(one);
        bound.release(one);
        assert_eq!(bound.waiting(), 0);
        assert_eq!(bound.acquire(two, false), Ok(()));
        bound.acquire_past_bound(one);
        bound.release(two);
        assert_eq!(bound.acquire(two, false), Err(Refused::Full), "a worker exceeds the bound");
    }

    #[test]
    fn a_release_admits_the_submitter_that_has_waited_longest() {
        let bound = Arc::new(QueueBound::new(1));
        let [first, second, third, late] = ids();
        assert_eq!(bound.acquire(first, false), Ok(()));
        let submitters: Vec<_> = [second, third]
            .into_iter()
            .enumerate()
            .map(|(before, task)| {
                let submitter = thread::spawn({
                    let bound = bound.clone();
                    move || bound.acquire(task, true)
                });
                while bound.state.lock().submitters.len() == before {
                    thread::yield_now();
                }
                submitter
            })
            .collect();
        for leaving in [first, second] {
            bound.release(leaving);
            // This holds even if the admitted submitter has not continued yet.
            assert_eq!(bound.acquire(late, false), Err(Refused::Full));
        }
        bound.release(third);
        assert_eq!(bound.acquire(late, false), Ok(()));
        assert!(submitters.into_iter().all(|submitter| submitter.join().unwrap() == Ok(())));
    }
}
