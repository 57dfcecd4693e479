//! The way out of a closed pool: no task is left behind by the last worker, and none is accepted after it.

use std::time::Instant;

use executor_core::{Task, TaskId};
use parking_lot::{Condvar, Mutex};

/// Where workers leave, and where a submitter that found the pool closed behind it asks whether its task will be seen.
///
/// A submitter looks whether the pool is closed, pushes its task, and looks again. If the pool was open both times, the
/// last worker's look at the queues, which comes after the close, sees the task. If it was closed the second time, the
/// submitter comes here. Either the last worker has not left, and its last look is still to come, under this lock; or
/// it has, and then what is in the queues belongs to submitters who are here or on their way here, so each gets its own
/// task back and answers with an error. So a task that was accepted is never stranded, and the usual submit pays one
/// load.
pub(crate) struct Gate {
    state: Mutex<State>,
    /// The last worker has left.
    left: Condvar,
}

struct State {
    /// Workers that have not left. 0 is final.
    inside: usize,
    /// What was found in the queues after the last worker had left, and not yet returned to its submitter.
    stranded: Vec<Task>,
}

impl Gate {
    pub(crate) fn new(workers: usize) -> Gate {
        Gate { state: Mutex::new(State { inside: workers, stranded: Vec::new() }), left: Condvar::new() }
    }

    /// A worker wants to leave. False: it is the last, and there is work.
    #[must_use]
    pub(crate) fn leave(&self, is_there_work: impl FnOnce() -> bool) -> bool {
        let mut state = self.state.lock();
        if state.inside == 1 && is_there_work() {
            return false;
        }
        state.inside -= 1;
        if state.inside == 0 {
            self.left.notify_all();
        }
        true
    }

    /// A worker was never started.
    pub(crate) fn give_up_one(&self) {
        let _ = self.leave(|| false);
    }

    /// A submitter that found the pool closed after it had pushed its task asks for it back. `find` takes what is in
    /// the queues. None: a worker has taken it or is going to.
    pub(crate) fn reclaim(&self, task: TaskId, find: impl FnMut() -> Option<Task>) -> Option<Task> {
        let mut state = self.state.lock();
        if state.inside > 0 {
            return None;
        }
        state.stranded.extend(std::iter::from_fn(find));
        let place = state.stranded.iter().position(|stranded| stranded.id() == task)?;
        Some(state.stranded.swap_remove(place))
    }

    /// Waits until the last worker has left. False: not by the deadline.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while state.inside > 0 {
            match deadline {
                None => self.left.wait(&mut state),
                Some(deadline) => {
                    if self.left.wait_until(&mut state, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        state.inside == 0
    }
}

#[cfg(test)]
mod tests {
    use executor_core::TaskOptions;

    use super::*;

    #[test]
    fn the_last_worker_stays_while_there_is_work() {
        let gate = Gate::new(2);
        assert!(gate.leave(|| true), "the first leaves the work to the second");
        assert!(!gate.leave(|| true));
        assert!(!gate.wait(Some(Instant::now())));
        assert!(gate.leave(|| false));
        assert!(gate.wait(None));
    }

    #[test]
    fn submitters_get_their_own_tasks_back_once_the_last_worker_has_left() {
        let gate = Gate::new(1);
        let task = || Task::from_closure(TaskOptions::new(), || ()).0;
        let (one, two) = (task(), task());
        let (first, second, unknown) = (one.id(), two.id(), task().id());
        let mut queue = vec![two, one];
        assert!(gate.reclaim(first, || queue.pop()).is_none(), "a worker will see it");
        assert_eq!(queue.len(), 2);
        assert!(gate.leave(|| false));
        assert_eq!(gate.reclaim(first, || queue.pop()).map(|task| task.id()), Some(first));
        assert!(queue.is_empty());
        assert!(gate.reclaim(unknown, || None).is_none(), "a worker had taken it");
        assert_eq!(gate.reclaim(second, || None).map(|task| task.id()), Some(second));
        assert!(gate.reclaim(second, || None).is_none());
    }
}
