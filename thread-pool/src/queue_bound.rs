//! The bound of a bounded queue.

use std::{
    collections::HashSet,
    task::{Poll, Waker},
};

use executor_core::{
    Error, TaskId,
    submit_line::{Admitted, SubmitLine},
};
use parking_lot::Mutex;

/// Keeps the set of the tasks that wait, and lets submitters wait while there are too many.
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
    /// The tasks that wait, and those for which async submitters have room. They may exceed the capacity, because
    /// submits by workers of the pool do not block.
    waiting: HashSet<TaskId>,
    /// The submitters that wait. While there are any, the capacity is used up.
    line: SubmitLine,
    closed: bool,
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
        let state = State { waiting: HashSet::new(), line: SubmitLine::default(), closed: false };
        QueueBound { capacity, state: Mutex::new(state) }
    }

    /// Counts a task as waiting, unless [`poll_acquire`](QueueBound::poll_acquire) has counted it. While the capacity
    /// is used up, blocks if `may_block`, and returns an error otherwise.
    pub(crate) fn acquire(&self, task: TaskId, may_block: bool) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() < self.capacity {
            state.waiting.insert(task);
            return Ok(());
        }
        if state.waiting.contains(&task) {
            return Ok(());
        }
        if !may_block {
            return Err(Refused::Full);
        }
        let thread = state.line.join_blocked(task);
        loop {
            thread.sleep(&mut state);
            if thread.is_admitted() {
                return Ok(());
            }
            if state.closed {
                return Err(Refused::Closed);
            }
        }
    }

    /// Counts a task as waiting. While the capacity is used up, it wakes the waker when the task is counted or the
    /// bound is closed.
    pub(crate) fn poll_acquire(&self, task: TaskId, waker: Waker) -> Poll<Result<(), Refused>> {
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(Err(Refused::Closed));
        }
        if state.waiting.contains(&task) {
            return Poll::Ready(Ok(()));
        }
        if state.waiting.len() < self.capacity {
            state.waiting.insert(task);
            return Poll::Ready(Ok(()));
        }
        let former = state.line.join_async(task, waker);
        drop(state);
        // Dropping a waker runs user code.
        drop(former);
        Poll::Pending
    }

    /// Forgets a submitter that does not wait any more, or releases the room that it has.
    pub(crate) fn give_up(&self, task: TaskId) {
        let former = self.state.lock().line.leave(task);
        match former {
            Some(waker) => drop(waker),
            None => self.release(task),
        }
    }

    /// Counts a task as waiting, past the bound if necessary. A pool worker that blocked here could deadlock.
    pub(crate) fn acquire_past_bound(&self, task: TaskId) {
        self.state.lock().waiting.insert(task);
    }

    /// Stops counting a task as waiting, if it is counted. The submitter that is admitted instead is notified, which
    /// may run its waker.
    pub(crate) fn release(&self, task: TaskId) {
        let mut state = self.state.lock();
        state.waiting.remove(&task);
        if state.waiting.len() >= self.capacity {
            return;
        }
        let Some((next, admitted)) = state.line.admit_next() else { return };
        state.waiting.insert(next);
        drop(state);
        admitted.notify();
    }

    /// Refuses the submitters that wait and all later ones.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let submitters = state.line.dissolve();
        drop(state);
        submitters.into_iter().for_each(Admitted::notify);
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
    use std::{sync::Arc, thread};

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
                while !format!("{:?}", bound.state.lock().line).contains(&format!("waiting: {}", before + 1)) {
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
    #[test]
    fn an_async_submitter_has_its_turn_among_threads_and_keeps_its_room_until_it_gives_it_up() {
        let bound = QueueBound::new(1);
        let [first, second, third, late] = ids();
        let poll = |task| bound.poll_acquire(task, Waker::noop().clone());
        assert_eq!(poll(first), Poll::Ready(Ok(())));
        assert_eq!(poll(first), Poll::Ready(Ok(())));
        assert_eq!(bound.acquire(first, false), Ok(()), "it has room already");
        assert_eq!((poll(second), poll(third), poll(second)), (Poll::Pending, Poll::Pending, Poll::Pending));
        bound.release(first);
        assert_eq!((bound.acquire(late, false), poll(third)), (Err(Refused::Full), Poll::Pending));
        assert_eq!(poll(second), Poll::Ready(Ok(())));
        // One that waits and one that has room go away.
        assert_eq!(poll(late), Poll::Pending);
        bound.give_up(third);
        bound.give_up(second);
        assert_eq!(poll(late), Poll::Ready(Ok(())));
        bound.give_up(late);
        assert_eq!(bound.waiting(), 0);
        assert_eq!(poll(first), Poll::Ready(Ok(())));
        assert_eq!(poll(second), Poll::Pending);
        bound.close();
        assert_eq!(poll(second), Poll::Ready(Err(Refused::Closed)));
    }
}
