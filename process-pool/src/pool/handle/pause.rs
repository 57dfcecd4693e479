//! What changes when this whole program was stopped for a while, and its workers with it.

use std::time::{Duration, Instant};

use super::WorkerHandle;
use crate::transport::Claim;

/// How much of the time that an item has run by its worker's clock does not count.
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

impl WorkerHandle {
    /// Moves the beginning of everything that began before `from` by this time.
    pub(crate) fn give_back(&mut self, from: Instant, time: Duration) {
        let postpone = |since: &mut Instant| {
            if *since <= from {
                *since += time;
            }
        };
        postpone(&mut self.progress);
        if let Some((_, since)) = &mut self.traffic {
            postpone(since);
        }
        let claims = self.outbox.claims();
        for task in &mut self.in_flight {
            postpone(&mut task.since);
            if let Some(watch) = &mut task.watch {
                watch.postpone(postpone);
            }
            // The worker's clock has gone on. What is given back is this item's alone.
            if let Some(Claim::Running { item }) = claims.map(|claims| claims.claim(task.sequence)) {
                let before = self.given_back.to(task.sequence, item);
                self.given_back = GivenBack { to: (task.sequence, item), time: before + time };
            }
        }
    }
}
