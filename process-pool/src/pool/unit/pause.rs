//! What changes when this whole program was stopped for a while, and its workers with it.

use std::time::{Duration, Instant};

use super::Unit;
use crate::transport::Claim;

/// How much of the time that something has run by its worker's clock does not count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GivenBack {
    /// The task, and its item.
    to: (u64, u64),
    time: Duration,
}

impl GivenBack {
    pub(super) fn to(self, sequence: u64, item: u64) -> Duration {
        if self.to == (sequence, item) { self.time } else { Duration::ZERO }
    }
}

impl Unit {
    /// Has what began before `from` begin so much later.
    pub(crate) fn give_back(&mut self, from: Instant, time: Duration) {
        let postpone = |since: &mut Instant| {
            if *since <= from {
                *since += time;
            }
        };
        postpone(&mut self.progress);
        if let Some((_, since)) = &mut self.still {
            postpone(since);
        }
        let claims = self.outbox.as_ref().and_then(|outbox| outbox.claims());
        for flight in &mut self.flights {
            postpone(&mut flight.since);
            if let Some(watch) = &mut flight.watch {
                watch.postpone(postpone);
            }
            // The worker's clock has gone on. What is given back is this item's alone.
            if let Some(Claim::Running { item }) = claims.map(|claims| claims.claim(flight.sequence)) {
                let before = self.given_back.to(flight.sequence, item);
                self.given_back = GivenBack { to: (flight.sequence, item), time: before + time };
            }
        }
    }
}
