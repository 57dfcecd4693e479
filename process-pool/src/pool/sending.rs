//! Sending the parts of requests that a link did not take at first.

use std::time::Instant;

use super::{Deferred, State, handle::Sent, ids::SlotId};

/// The events for which the poller must watch a worker's socket.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketWatch {
    /// The same as before.
    Unchanged,
    /// Replies.
    Replies,
    /// Replies, and space for the rest of a request.
    RepliesAndSpace,
}

impl State {
    /// Sends the rest of the requests, and gives tasks to workers that can take more now. If `wants_doorbell` is set, a
    /// link that can ring for space is asked to do so.
    pub(crate) fn send_rest(&mut self, slot: SlotId, wants_doorbell: bool, now: Instant) -> (SocketWatch, Deferred) {
        let mut deferred = Deferred::default();
        let Some(worker) = self.worker_mut(slot) else { return (SocketWatch::Unchanged, deferred) };
        let had_backlog = worker.has_backlog();
        while worker.send_backlog() == Sent::Part && wants_doorbell && worker.request_doorbell_for_space() {}
        let rings_for_space = worker.claims().is_some();
        if had_backlog || !self.queue.is_empty() {
            self.dispatch_into(now, &mut deferred);
            self.note_below_bound(&mut deferred);
        }
        let has_backlog = self.worker(slot).is_some_and(|worker| worker.has_backlog());
        let watch = match (rings_for_space, has_backlog) {
            (false, true) => SocketWatch::RepliesAndSpace,
            (false, false) if had_backlog => SocketWatch::Replies,
            _ => SocketWatch::Unchanged,
        };
        (watch, deferred)
    }
}
