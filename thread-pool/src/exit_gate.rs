//! Where workers leave a closed pool: the last worker leaves no task behind, and no task is accepted after it.

use std::time::Instant;

use executor_core::{Task, TaskId, deadline};
use parking_lot::{Condvar, Mutex};

/// Counts the workers that have not left, and gives a task that no worker will find back to its submitter.
///
/// A submitter checks whether the pool is closed, pushes its task, and checks again.
///
/// - If the pool was open both times, the last worker sees the task, because its last check of the queues comes after
///   the close.
/// - If the pool was closed the second time, the submitter calls [`reclaim`](ExitGate::reclaim). If the last worker has
///   not left, it will make its last check later, under the lock of the gate. If it has left, all tasks in the queues
///   belong to submitters that call `reclaim`, so each gets its own task back and returns an error.
///
/// So every accepted task is completed, and the second check of an open pool costs one load.
pub(crate) struct ExitGate {
    state: Mutex<State>,
    /// Notified when the last worker leaves.
    all_left: Condvar,
}

struct State {
    /// The number of workers that have not left. 0 is final.
    inside: usize,
    /// Tasks that were found in the queues after the last worker had left. Each goes back to its submitter.
    stranded: Vec<Task>,
}

/// What happened to a worker that tried to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Exit {
    Left,
    /// It is the last worker, and there is work, or there will be. It must poll the queues again.
    WorkRemains,
}

impl ExitGate {
    pub(crate) fn new(workers: usize) -> ExitGate {
        ExitGate { state: Mutex::new(State { inside: workers, stranded: Vec::new() }), all_left: Condvar::new() }
    }

    /// Lets a worker leave, unless it is the last one and there is work.
    pub(crate) fn try_leave(&self, has_work: impl FnOnce() -> bool) -> Exit {
        let mut state = self.state.lock();
        if state.inside == 1 && has_work() {
            return Exit::WorkRemains;
        }
        state.inside -= 1;
        if state.inside == 0 {
            self.all_left.notify_all();
        }
        Exit::Left
    }

    /// Counts a worker that is about to be started. Returns `false` if the last worker has left.
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        let mut state = self.state.lock();
        let is_open = state.inside > 0;
        state.inside += usize::from(is_open);
        is_open
    }

    /// Stops counting a worker that was never started.
    pub(crate) fn forget_worker(&self) {
        let _ = self.try_leave(|| false);
    }

    /// Returns the task of a submitter that found the pool closed after its push. Returns `None` if a worker has taken
    /// the task or will take it. `pop` takes the next task from the queues.
    pub(crate) fn reclaim(&self, task: TaskId, pop: impl FnMut() -> Option<Task>) -> Option<Task> {
        let mut state = self.state.lock();
        if state.inside > 0 {
            return None;
        }
        state.stranded.extend(std::iter::from_fn(pop));
        let position = state.stranded.iter().position(|stranded| stranded.id() == task)?;
        Some(state.stranded.swap_remove(position))
    }

    /// Returns `true` if the last worker has left.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().inside == 0
    }

    /// Waits until the last worker has left. Returns `false` if it has not left by the deadline.
    pub(crate) fn wait(&self, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        deadline::wait_while(&self.all_left, &mut state, until, |state| state.inside > 0)
    }
}

#[cfg(test)]
mod tests {
    use executor_core::TaskOptions;

    use super::*;

    #[test]
    fn the_last_worker_stays_while_there_is_work() {
        let gate = ExitGate::new(2);
        assert_eq!(gate.try_leave(|| true), Exit::Left, "the first leaves the work to the second");
        assert_eq!(gate.try_leave(|| true), Exit::WorkRemains);
        assert!(!gate.wait(Some(Instant::now())));
        assert_eq!(gate.try_leave(|| false), Exit::Left);
        assert!(gate.wait(None));
    }

    #[test]
    fn no_worker_enters_after_the_last_one_has_left() {
        let gate = ExitGate::new(1);
        assert!(gate.enter());
        assert_eq!([gate.try_leave(|| true), gate.try_leave(|| false)], [Exit::Left, Exit::Left]);
        assert!(!gate.enter() && gate.is_empty());
    }

    #[test]
    fn submitters_get_their_own_tasks_back_after_the_last_worker_has_left() {
        let gate = ExitGate::new(1);
        let task = || Task::from_closure(TaskOptions::new(), || ()).0;
        let (one, two) = (task(), task());
        let (first, second, unknown) = (one.id(), two.id(), task().id());
        let mut queue = vec![two, one];
        assert!(gate.reclaim(first, || queue.pop()).is_none(), "a worker will see it");
        assert_eq!(queue.len(), 2);
        assert_eq!(gate.try_leave(|| false), Exit::Left);
        assert_eq!(gate.reclaim(first, || queue.pop()).map(|task| task.id()), Some(first));
        assert!(queue.is_empty());
        assert!(gate.reclaim(unknown, || None).is_none(), "a worker had taken it");
        assert_eq!(gate.reclaim(second, || None).map(|task| task.id()), Some(second));
        assert!(gate.reclaim(second, || None).is_none());
    }
}
