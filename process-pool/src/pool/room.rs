//! Submitters that wait for room in a bounded queue.

use std::task::{Context, Poll};

use executor_core::{Error, Task, TaskId, submit_line::Admitted};
use parking_lot::MutexGuard;

use super::{Deferred, Pool, State, state::Phase};

impl State {
    /// Returns whether a queue of this capacity has room for one more task. A pool with an idle worker always has room
    /// for a task, which that worker is given.
    fn has_room(&self, capacity: usize) -> bool {
        let admitted = self.submitters.admitted.len();
        self.waiting() + admitted < capacity || self.free_workers().nth(admitted).is_some()
    }

    /// Admits the submitters that have waited longest while there is room. If the pool is closed or broken, all of them
    /// are notified. The caller notifies the returned ones after it has released the lock.
    fn admit_submitters(&mut self) -> Vec<Admitted> {
        let mut all = Vec::new();
        if self.submitters.line.is_empty() {
            return all;
        }
        let Some(capacity) = self.limits.queue_capacity.filter(|_| self.phase == Phase::Open && self.broken.is_none())
        else {
            return self.submitters.line.dissolve();
        };
        while self.has_room(capacity) {
            let Some((task, admitted)) = self.submitters.line.admit_next() else { break };
            self.submitters.admitted.insert(task);
            all.push(admitted);
        }
        all
    }

    /// Lets submitters look for room, because the queue may be below its bound.
    pub(super) fn note_below_bound(&self, deferred: &mut Deferred) {
        deferred.notify_submitters |= !self.submitters.line.is_empty();
    }
}

impl Pool {
    /// Waits until a queue of this capacity has room for a task, or returns an error if the task must not wait.
    #[inline(never)]
    pub(super) fn enter_bounded(
        &self,
        state: &mut MutexGuard<'_, State>,
        capacity: usize,
        task: &Task,
    ) -> Result<(), Error> {
        let id = task.id();
        if state.submitters.admitted.remove(&id) {
            return Ok(());
        }
        // A task that has started makes room, and no event reports that.
        self.admit_and_notify(state);
        state.check_open(&self.name)?;
        if state.submitters.line.is_empty() && state.has_room(capacity) {
            return Ok(());
        }
        if !task.may_wait() {
            return Err(Error::queue_full(&self.name, capacity));
        }
        let thread = state.submitters.line.join_blocked(id);
        while !thread.is_admitted() {
            thread.sleep(state);
            state.check_open(&self.name)?;
        }
        state.submitters.admitted.remove(&id);
        // The pool may have been closed since the submitter was admitted.
        state.check_open(&self.name)
    }

    /// Asks for room as [`Backend::poll_room`](executor_core::Backend::poll_room) does.
    pub(super) fn poll_bounded(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.fork_generation.check()?;
        // Cloning and dropping a waker runs user code, so both happen without the lock.
        let waker = context.waker().clone();
        let mut state = self.state.lock();
        state.check_open(&self.name)?;
        let Some(capacity) = state.limits.queue_capacity else { return Poll::Ready(Ok(())) };
        if state.submitters.line.is_empty() && state.has_room(capacity) {
            state.submitters.admitted.insert(task.id());
        }
        if state.submitters.admitted.contains(&task.id()) {
            return Poll::Ready(Ok(()));
        }
        let former = state.submitters.line.join_async(task.id(), waker);
        let admitted = state.admit_submitters();
        let is_admitted = state.submitters.admitted.contains(&task.id());
        drop(state);
        drop(former);
        self.notify_admitted(admitted);
        if is_admitted { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Forgets a submitter that does not wait any more, or gives its room to the next one.
    #[cold]
    pub(super) fn give_back_room(&self, task: TaskId) {
        if self.fork_generation.check().is_err() {
            return;
        }
        let mut state = self.state.lock();
        let former = state.submitters.line.leave(task);
        state.submitters.admitted.remove(&task);
        let admitted = state.admit_submitters();
        drop(state);
        drop(former);
        self.notify_admitted(admitted);
    }

    /// Admits submitters while there is room, and notifies them. The caller holds no lock.
    pub(super) fn notify_submitters(&self) {
        let admitted = self.state.lock().admit_submitters();
        self.notify_admitted(admitted);
    }

    fn admit_and_notify(&self, state: &mut MutexGuard<'_, State>) {
        let admitted = state.admit_submitters();
        if !admitted.is_empty() {
            MutexGuard::unlocked(state, || self.notify_admitted(admitted));
        }
    }

    /// Notifies submitters. Their wakers are user code, which the callback thread runs.
    fn notify_admitted(&self, admitted: Vec<Admitted>) {
        let wakers: Vec<Admitted> = admitted.into_iter().filter_map(Admitted::notify_thread).collect();
        if !wakers.is_empty() && !self.callbacks.wake(wakers) {
            self.run_callbacks_later();
        }
    }
}
