//! The correction of times after this whole program was stopped for a while, and its workers with it.

use std::time::{Duration, Instant};

use super::WorkerHandle;
use crate::transport::Claim;

impl WorkerHandle {
    /// Moves the start of everything by this time, which begins at `from`. What began within this time begins at its
    /// end.
    pub(crate) fn give_back(&mut self, from: Instant, time: Duration) {
        let postpone = |since: &mut Instant| *since = (*since).min(from) + time;
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
            // The worker's clock went on. The time given back belongs to this item alone.
            if let Some(Claim::Running { item }) = claims.map(|claims| claims.claim(task.sequence)) {
                self.given_back.add(task.sequence, item, time);
            }
        }
    }
}
