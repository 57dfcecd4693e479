//! The copies of a client's tasks in the engine's queue: publishing them, and noticing that some have vanished.

use std::time::Duration;

use executor_core::TaskId;

use super::{
    Action, Body, Client, Startable,
    entry::{Publication, State},
};

/// How many vanished tasks are handled at once. If all copies of a million tasks vanish, the machine must still do
/// other things meanwhile, and the engine needs seconds to store them again anyway.
const MOST_MISSED: usize = 4096;

impl<T: Startable, B: Body> Client<T, B> {
    /// The engine has confirmed that it has stored a copy of the task.
    pub fn stored(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        match entry.state {
            State::Queued(Publication::Sent(_)) => self.publisher.confirmed(entry.body.size()),
            // It was confirmed late, and is about to be published again.
            State::Queued(Publication::Waiting) => self.publisher.withdraw(entry.place()),
            State::Queued(Publication::Stored(_)) | State::Granted(_) => return,
        }
        entry.state = State::Queued(Publication::Stored(self.store.confirmed(task)));
        self.publish_waiting();
    }

    /// The engine has refused a copy of the task, because it has no room for it, or cannot do anything now. The task is
    /// published again.
    pub fn refused(&mut self, task: TaskId) {
        let Some(entry) = self.entries.get_mut(&task) else { return };
        if let State::Queued(Publication::Sent(_)) = entry.state {
            self.publisher.refused(entry.body.size(), self.clock.now());
            entry.state = State::Queued(Publication::Waiting);
            self.publisher.wait(entry.place(), task);
            self.publish_waiting();
        }
    }

    /// The engine has answered an [`Action::Count`]: its queue has this many messages of this client.
    ///
    /// It has at least one for each task that was stored before the question and is queued now. If there are fewer,
    /// some have vanished, and the number does not tell which. So as many as have vanished are published again, the
    /// oldest first: the engine delivers those first, so they have had the most time to vanish. If they were others,
    /// those are noticed when younger tasks overtake them. Copies that are too many are denied.
    pub fn counted(&mut self, number: u64, messages: u64) {
        let missing = self.store.answered(number, messages);
        for _ in 0..missing.min(MOST_MISSED) {
            self.forget_old_copies();
            let Some((_, task)) = self.store.oldest() else { break };
            self.miss(task);
        }
        if missing > MOST_MISSED {
            self.store.check_now();
        } else if missing > 0 {
            self.store.check_soon(self.clock.now(), self.timing.check_store);
        }
        self.publish_waiting();
    }

    /// Publishes tasks that wait for it, as many as may be on their way.
    pub(super) fn publish_waiting(&mut self) {
        let now = self.clock.now();
        while self.is_connected {
            let Some(task) = self.publisher.next(now) else { break };
            let Some(entry) = self.entries.get_mut(&task) else { continue };
            entry.state = State::Queued(Publication::Sent(now));
            entry.published.get_or_insert_with(|| self.store.published());
            self.publisher.sent(task, entry.body.size(), now);
            self.actions.push(Action::Publish { task, body: entry.body.clone() });
        }
    }

    /// Publishes the tasks again whose copies were not confirmed before the connection was lost.
    pub(super) fn publish_everything_again(&mut self) {
        for (then, task) in self.publisher.connection_is_new() {
            if let Some(bytes) = self.give_up_copy(task, then) {
                self.publisher.forget(bytes);
            }
        }
        self.publish_waiting();
    }

    /// Gives up waiting for confirmations that should have come by now.
    pub(super) fn give_up_late_copies(&mut self) {
        let now = self.clock.now();
        while let Some((then, task)) = self.publisher.pop_overdue(now, self.timing.publish_again) {
            if let Some(bytes) = self.give_up_copy(task, then) {
                self.publisher.overdue(then, bytes, now);
            }
        }
    }

    /// Lets a task wait to be published again, if its copy of that time is still on its way. Returns the size of it.
    fn give_up_copy(&mut self, task: TaskId, then: Duration) -> Option<usize> {
        let entry = self.entries.get_mut(&task)?;
        if !matches!(entry.state, State::Queued(Publication::Sent(sent)) if sent == then) {
            return None;
        }
        entry.state = State::Queued(Publication::Waiting);
        self.publisher.wait(entry.place(), task);
        Some(entry.body.size())
    }

    /// Looks from time to time whether tasks have vanished from the engine's queue.
    pub(super) fn check_store(&mut self) {
        self.forget_old_copies();
        if self.entries.is_empty() || !self.store.is_check_due(self.clock.now()) {
            return;
        }
        let (number, overtaken) = self.store.check(self.clock.now(), self.timing.check_store);
        for _ in 0..MOST_MISSED {
            let Some((_, task)) = self.store.oldest().filter(|(confirmed, _)| *confirmed < overtaken) else { break };
            self.miss(task);
            self.forget_old_copies();
            self.store.check_soon(self.clock.now(), self.timing.check_store);
        }
        self.actions.push(Action::Count(number));
    }

    /// Forgets the oldest confirmations as long as their tasks have left the queue.
    fn forget_old_copies(&mut self) {
        while let Some((number, task)) = self.store.oldest() {
            let state = self.entries.get(&task).map(|entry| &entry.state);
            if matches!(state, Some(State::Queued(Publication::Stored(stored))) if *stored == number) {
                break;
            }
            self.store.pop_oldest();
        }
    }

    /// The oldest confirmed copy, which is of this task, has vanished.
    fn miss(&mut self, task: TaskId) {
        self.store.pop_oldest();
        if let Some(entry) = self.entries.get_mut(&task) {
            self.store.forget();
            entry.state = State::Queued(Publication::Waiting);
            self.publisher.wait(entry.place(), task);
        }
    }
}
