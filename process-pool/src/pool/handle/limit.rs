//! Checks whether the first task of a worker has used up its time.

use std::time::Instant;

use super::{
    WorkerHandle,
    limit_watch::{Facts, LimitCheck, LimitWatch},
};
use crate::transport::{Claim, monotonic_now};

impl WorkerHandle {
    /// Checks the first task and returns its number, or `None` if it has no time limit.
    pub(crate) fn check_limit(&mut self, now: Instant, is_in_a_reply: bool) -> Option<(u64, LimitCheck)> {
        let front = self.in_flight.front().filter(|task| task.job.time_limit.is_some())?;
        let (sequence, claims) = (front.sequence, self.claims());
        // Read before the claim, because a worker changes the claim before it reports that it has taken the task.
        let is_dequeued = claims.is_some_and(|claims| self.has_dequeued(claims, sequence));
        let claim = claims.map(|claims| claims.claim(sequence));
        // Read after the claim: a worker notes the time before it starts, so this is the time of what was seen to run,
        // or of what came after it. If it were read before the claim, it could be the time of the previous task.
        let age = claims.and_then(|claims| monotonic_now().checked_sub(claims.started_at()));
        let (progress, bytes, given_back) = (self.progress, self.bytes_received, self.given_back);
        let task = self.in_flight.front_mut()?;
        let limit = task.job.time_limit?;
        // The worker's clock went on while this whole program was stopped.
        let age = match claim {
            Some(Claim::Running { item }) => age.map(|age| age.saturating_sub(given_back.to(sequence, item))),
            _ => age,
        };
        let facts = Facts {
            now,
            claim,
            age,
            was_seen: task.was_seen || is_dequeued,
            since: task.since,
            front_since: task.since.max(progress),
            received: task.job.received(),
            open: task.job.open(),
            is_in_a_reply,
            bytes,
        };
        let check = LimitWatch::check(&mut task.watch, &facts, limit);
        task.was_seen |= claim.is_some() && task.watch.is_some();
        Some((sequence, check))
    }
}
