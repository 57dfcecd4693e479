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

/// Knows the tasks that wait, and blocks submitters while there are too many.
///
/// A task leaves when it stops waiting: a worker claims it, the pool withdraws it, or the core tells the pool through
/// `Host::left_queue` that it was cancelled or run inline. Two of these can happen to one task: one that is cancelled
/// while its submitter is still in `schedule`, for example, is found by both. So tasks leave by their id, and the
/// second time changes nothing.
///
/// Submitters get in in the order in which they came: a place that becomes free goes to the first of those who wait,
/// and one that comes later cannot take it meanwhile.
pub(crate) struct Room {
    capacity: usize,
    state: Mutex<State>,
}

struct State {
    /// The tasks that wait. More than the capacity, at times: workers of the pool are let in past the bound.
    waiting: HashSet<TaskId>,
    /// Submitters that wait. While there are any, the room is full.
    submitters: VecDeque<Arc<Submitter>>,
    closed: bool,
}

/// A submitter that waits.
struct Submitter {
    task: TaskId,
    /// Its task has a place. Written and read under the lock of the room.
    admitted: AtomicBool,
    /// `admitted` was set, or the room was closed.
    changed: Condvar,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum NoRoom {
    Full,
    Closed,
}

impl Room {
    pub(crate) fn new(capacity: usize) -> Room {
        let state = State { waiting: HashSet::new(), submitters: VecDeque::new(), closed: false };
        Room { capacity, state: Mutex::new(state) }
    }

    /// Takes a place for a task, and waits for one if that is allowed.
    pub(crate) fn enter(&self, task: TaskId, may_wait: bool) -> Result<(), NoRoom> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(NoRoom::Closed);
        }
        if state.waiting.len() < self.capacity {
            state.waiting.insert(task);
            return Ok(());
        }
        if !may_wait {
            return Err(NoRoom::Full);
        }
        let submitter = Arc::new(Submitter { task, admitted: AtomicBool::new(false), changed: Condvar::new() });
        state.submitters.push_back(submitter.clone());
        loop {
            submitter.changed.wait(&mut state);
            // ORDERING: the lock has the order.
            if submitter.admitted.load(Relaxed) {
                return Ok(());
            }
            if state.closed {
                return Err(NoRoom::Closed);
            }
        }
    }

    /// Takes a place without blocking, past the bound. A pool worker that blocked here would wait for itself.
    pub(crate) fn enter_over_the_bound(&self, task: TaskId) {
        self.state.lock().waiting.insert(task);
    }

    /// Frees the place of a task, if it has one.
    pub(crate) fn leave(&self, task: TaskId) {
        let mut state = self.state.lock();
        state.waiting.remove(&task);
        if state.waiting.len() >= self.capacity {
            return;
        }
        let Some(next) = state.submitters.pop_front() else { return };
        state.waiting.insert(next.task);
        // ORDERING: the lock has the order.
        next.admitted.store(true, Relaxed);
        drop(state);
        next.changed.notify_one();
    }

    /// Sends away every submitter that waits, and those that come later.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let submitters = std::mem::take(&mut state.submitters);
        drop(state);
        for submitter in submitters {
            submitter.changed.notify_one();
        }
    }

    pub(crate) fn full(&self, pool: &str) -> Error {
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
    fn a_task_leaves_once_however_often_it_is_told_to() {
        let room = Room::new(1);
        let [one, two, unknown] = ids();
        room.leave(unknown);
        assert_eq!(room.enter(one, false), Ok(()));
        assert_eq!(room.enter(two, false), Err(NoRoom::Full));
        room.leave(unknown);
        assert_eq!(room.enter(two, false), Err(NoRoom::Full));
        room.leave(one);
        room.leave(one);
        assert_eq!(room.waiting(), 0);
        assert_eq!(room.enter(two, false), Ok(()));
        room.enter_over_the_bound(one);
        room.leave(two);
        assert_eq!(room.enter(two, false), Err(NoRoom::Full), "a worker is past the bound");
    }

    #[test]
    fn a_free_place_goes_to_the_submitter_that_waits_longest() {
        let room = Arc::new(Room::new(1));
        let [first, second, third, late] = ids();
        assert_eq!(room.enter(first, false), Ok(()));
        let submitters: Vec<_> = [second, third]
            .into_iter()
            .enumerate()
            .map(|(before, task)| {
                let inside = room.clone();
                let submitter = thread::spawn(move || inside.enter(task, true));
                while room.state.lock().submitters.len() == before {
                    thread::yield_now();
                }
                submitter
            })
            .collect();
        for leaving in [first, second] {
            room.leave(leaving);
            // Whether the submitter that was admitted runs again by now or not.
            assert_eq!(room.enter(late, false), Err(NoRoom::Full));
        }
        room.leave(third);
        assert_eq!(room.enter(late, false), Ok(()));
        assert!(submitters.into_iter().all(|submitter| submitter.join().unwrap() == Ok(())));
    }
}
