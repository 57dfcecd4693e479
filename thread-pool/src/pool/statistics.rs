//! What a pool counts, and what it reports of it.

use std::sync::atomic::Ordering::Relaxed;

use executor_core::task::Ended;

use super::Pool;
use crate::{counts::Totals, local, stats::ThreadStats};

impl Pool {
    /// Counts a task of this pool that has ended without going through a queue's end, on the calling thread.
    #[cold]
    pub(super) fn count_inline(&self, ended: Ended) {
        match local::index_of(self.host()) {
            Some(worker) => self.phases[worker].count(ended),
            None => self.ended_elsewhere.add(ended),
        }
    }

    #[cold]
    pub(super) fn count_cancelled(&self) {
        // ORDERING: nothing depends on the number.
        self.cancelled.fetch_add(1, Relaxed);
    }

    /// Returns the statistics. They are zero in the child of a fork, which has no part in the pool.
    pub(crate) fn stats(&self) -> ThreadStats {
        if self.is_forked_copy() {
            return ThreadStats::default();
        }
        let mut ended = Totals::default();
        self.ended_elsewhere.add_to(&mut ended);
        self.phases.iter().for_each(|phase| phase.ended().add_to(&mut ended));
        let own_queues = |worker: usize| self.stealers[worker].len() + self.scoped[worker].len();
        let in_queues = self.queues.len() + (0..self.stealers.len()).map(own_queues).sum::<usize>();
        let stale = self.stale.get() + self.phases.iter().map(|phase| phase.stale()).sum::<usize>();
        ThreadStats {
            queued: in_queues.saturating_sub(stale),
            running: self.phases.iter().filter(|phase| phase.is_busy()).count(),
            done: ended.done,
            failed: ended.failed,
            panics: ended.panics,
            // ORDERING: as in `count_cancelled`.
            cancelled: self.cancelled.load(Relaxed),
            threads: self.sleep.workers(),
        }
    }
}
