//! A queue that delivers each message to one agent, and again if that one does not acknowledge it in time.

use std::time::Duration;

use executor_core::TaskId;

use crate::wire::Peer;

/// After this time a message that was delivered is delivered again.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(4);

#[derive(Default)]
pub(super) struct Engine {
    messages: Vec<Message>,
    next: u64,
}

#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) client: Peer,
    pub(super) task: TaskId,
    /// From when on it may be delivered.
    ready: Duration,
}

impl Engine {
    pub(super) fn publish(&mut self, client: Peer, task: TaskId) {
        self.next += 1;
        self.messages.push(Message { id: self.next, client, task, ready: Duration::ZERO });
    }

    /// Returns a message to deliver.
    pub(super) fn pull(&mut self, now: Duration) -> Option<Message> {
        let message = self.messages.iter_mut().find(|message| message.ready <= now)?;
        message.ready = now + ACK_WAIT;
        Some(message.clone())
    }

    pub(super) fn acknowledge(&mut self, id: u64) {
        self.messages.retain(|message| message.id != id);
    }

    pub(super) fn give_back(&mut self, id: u64, ready: Duration) {
        if let Some(message) = self.messages.iter_mut().find(|message| message.id == id) {
            message.ready = ready;
        }
    }

    pub(super) fn count(&self, client: &Peer) -> u64 {
        self.messages.iter().filter(|message| message.client == *client).count() as u64
    }

    /// Loses a message, as an operator does who deletes it.
    pub(super) fn vanish(&mut self, which: usize) {
        if !self.messages.is_empty() {
            self.messages.remove(which % self.messages.len());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}
