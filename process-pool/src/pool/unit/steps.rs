//! What a worker does by itself, between tasks: coming to life, reading a request, sending a reply.
//!
//! How long a task runs is the task's business. How long these take is the pool's: a worker that does not go on with
//! one of them was stopped by a signal, or has written over what it shares with this program.

use std::time::{Duration, Instant};

use super::{Stage, Unit};
use crate::transport::Claim;

impl Unit {
    /// Whether it is expected to do something of its own: to come to life, to begin with a task, or to send the rest of
    /// a reply; or to get past tasks that were withdrawn.
    pub(crate) fn owes_a_step(&self) -> bool {
        if self.is_clogged() || self.is_to_skip() {
            return true;
        }
        match (self.stage, self.flights.front(), &self.outbox) {
            (Stage::Starting, ..) => true,
            (Stage::Vacant, ..) | (_, None, _) | (.., None) => false,
            (_, Some(flight), Some(outbox)) => match outbox.claims() {
                Some(claims) => !matches!(claims.claim(flight.sequence), Claim::Running { .. }),
                None => outbox.is_unread(),
            },
        }
    }

    /// For how long nothing has gone to or come from it, as far as those know who look at it now and then.
    pub(crate) fn stands_still(&mut self, now: Instant) -> Duration {
        // The worker's word for what it has taken may go up and down. Only more than ever before is progress.
        let taken = self.still.map_or(0, |((taken, ..), _)| taken).max(self.bytes_taken());
        let traffic = (taken, self.bytes_received, self.stage);
        match self.still {
            Some((same, since)) if same == traffic => now.saturating_duration_since(since),
            _ => {
                self.still = Some((traffic, now));
                Duration::ZERO
            }
        }
    }

    /// How many of the bytes that were ever sent to workers of this place the worker has taken off its link, as far as
    /// is known.
    pub(super) fn bytes_taken(&self) -> u64 {
        let unread = self.outbox.as_ref().and_then(|outbox| outbox.unread());
        match (unread, &self.backlog) {
            (Some(unread), _) => self.bytes_sent.saturating_sub(unread),
            // It takes what it is sent, or there would be no room for the next part.
            (None, Some(_)) => self.bytes_sent,
            (None, None) => 0,
        }
    }
}
