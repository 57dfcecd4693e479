//! What a transport tells an executor.

use std::{fmt, sync::Arc};

use executor_core::{Error, TaskId};

use super::core::{Core, Machine};
use crate::{
    client::Counts,
    trace::Event,
    wire::{Malformed, Peer, ToClient, unpack},
};

/// What a transport tells an executor. A clone stands for the same executor, and does not keep it open.
#[derive(Clone)]
pub struct ClientEvents(Arc<Core>);

impl ClientEvents {
    pub(super) fn new(core: Arc<Core>) -> ClientEvents {
        ClientEvents(core)
    }

    /// A frame has arrived. `from` is who has sent it, if the engine says so.
    ///
    /// # Errors
    ///
    /// If the frame is damaged, or names another sender. Then nothing of it counts.
    pub fn frame(&self, from: Option<&Peer>, bytes: &[u8]) -> Result<(), Malformed> {
        let (sender, records) = unpack::<ToClient>(bytes)?;
        if from.is_some_and(|from| *from != sender) {
            return Err(Malformed::Peer);
        }
        self.0.event(|machine| records.into_iter().for_each(|record| machine.receive(&sender, record)));
        Ok(())
    }

    /// Returns how many tasks are queued and how many have started.
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }

    /// Tells how many tasks the agents run at the same time, for `map`.
    pub fn set_max_workers(&self, max_workers: usize) {
        self.0.set_max_workers(max_workers);
    }

    /// Refuses tasks with this error, because the engine has been away for too long, until it is called with `None`.
    /// Tasks that were submitted before are kept.
    pub fn refuse(&self, refusal: Option<Error>) {
        self.0.refuse(refusal);
    }

    /// Fails all tasks that have not started, because nothing will ever run them.
    pub fn fail_queued(&self, error: &Error) {
        self.0.fail_tasks(error, Machine::take_queued);
    }

    /// Fails one task, unless it has started, because it can never be published.
    pub fn fail(&self, task: TaskId, error: &Error) {
        self.0.fail_tasks(error, |machine| machine.left_queue(task).into_iter().collect());
    }

    /// Fails all tasks, also those that have started, because nothing can be known about them any more.
    pub fn fail_all(&self, error: &Error) {
        self.0.fail_tasks(error, Machine::take_all);
    }

    /// Notes an event for the subscriber, if there may be one.
    pub(crate) fn note(&self, event: impl FnOnce() -> Event) {
        self.0.note(event);
    }

    /// Returns whether the executor accepts no more tasks, and ends with those that it has.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// The engine has stored a copy of a task.
    pub fn stored(&self, task: TaskId) {
        self.0.event(|machine| machine.stored(task));
    }

    /// The engine has stored copies of several tasks.
    pub fn stored_all(&self, tasks: impl IntoIterator<Item = TaskId>) {
        self.0.event(|machine| tasks.into_iter().for_each(|task| machine.stored(task)));
    }

    /// The engine has not stored a copy of a task, because it has no room for it, or cannot do anything now. The
    /// executor publishes it again after a while.
    pub fn refused(&self, task: TaskId) {
        self.0.event(|machine| machine.refused(task));
    }

    /// The connection to the engine is there, or was lost.
    pub fn connection(&self, is_connected: bool) {
        self.0.event(|machine| machine.connection(is_connected));
    }

    /// The engine has answered a [`ClientLink::count`](crate::ClientLink::count).
    pub fn counted(&self, number: u64, messages: u64) {
        self.0.event(|machine| machine.counted(number, messages));
    }
}

impl fmt::Debug for ClientEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientEvents")
    }
}
