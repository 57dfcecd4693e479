//! What a worker does by itself between tasks: becoming ready, reading a request, sending a reply.
//!
//! How long a task runs is up to the task. How long these steps take is the pool's concern: a worker that does not go
//! on with one of them was stopped by a signal, or has overwritten what it shares with this program.

use std::time::{Duration, Instant};

use super::{Stage, Traffic, WorkerHandle};
use crate::transport::Claim;

impl WorkerHandle {
    /// Whether the next step is the worker's own: to become ready, to begin with a task, to send the rest of a reply,
    /// or to get past tasks that were withdrawn.
    pub(crate) fn owes_a_step(&self) -> bool {
        if self.is_blocked_by_withdrawn() || self.has_withdrawn_to_skip() {
            return true;
        }
        match (self.stage, self.in_flight.front()) {
            (Stage::Starting, _) => true,
            (_, None) => false,
            (_, Some(task)) => match self.outbox.claims() {
                Some(claims) => !matches!(claims.claim(task.sequence), Claim::Running { .. }),
                None => self.outbox.is_unread(),
            },
        }
    }

    /// Records the traffic up to now, and returns for how long there was no more. This is as exact as the calls are
    /// frequent.
    pub(crate) fn record_traffic(&mut self, now: Instant) -> Duration {
        // The worker's report of what it has taken may go up and down. Only more than ever before is progress.
        let taken = self.traffic.map_or(0, |(traffic, _)| traffic.taken).max(self.bytes_taken());
        let traffic = Traffic { taken, received: self.bytes_received, stage: self.stage };
        match self.traffic {
            Some((same, since)) if same == traffic => now.saturating_duration_since(since),
            _ => {
                self.traffic = Some((traffic, now));
                Duration::ZERO
            }
        }
    }

    /// How many of the bytes that it was sent the worker has taken off its link, as far as is known.
    pub(super) fn bytes_taken(&self) -> u64 {
        match (self.outbox.unread(), &self.backlog) {
            (Some(unread), _) => self.bytes_sent.saturating_sub(unread),
            // It takes what it is sent, or there would be no space for the next part.
            (None, Some(_)) => self.bytes_sent,
            (None, None) => 0,
        }
    }
}
