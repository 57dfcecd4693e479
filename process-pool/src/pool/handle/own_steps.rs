//! A worker's own steps between tasks: becoming ready, reading a request, sending a reply.
//!
//! A task may run for any time. These steps take microseconds: a worker that does not proceed with one of them was
//! stopped by a signal, or has overwritten the memory that it shares with this program.

use std::time::{Duration, Instant};

use super::{Stage, Traffic, WorkerHandle};
use crate::transport::Claim;

impl WorkerHandle {
    /// Returns `true` if the next step is the worker's own: to become ready, to begin a task, to send the rest of a
    /// reply, or to get past withdrawn tasks.
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

    /// Records the traffic up to now, and returns for how long it has not changed. The precision depends on how often
    /// this is called.
    pub(crate) fn record_traffic(&mut self, now: Instant) -> Duration {
        // A false report of the bytes taken may go up and down. Only a new maximum is progress.
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

    /// Returns how many bytes the worker has taken off its link, as far as is known.
    pub(super) fn bytes_taken(&self) -> u64 {
        match (self.outbox.unread(), &self.backlog) {
            (Some(unread), _) => self.bytes_sent.saturating_sub(unread),
            // Without a report, it has taken all that was sent: otherwise there would be no space for the next part.
            (None, Some(_)) => self.bytes_sent,
            (None, None) => 0,
        }
    }
}
