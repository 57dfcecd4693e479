//! Condemning a task, which forbids it to finish before its worker is killed.

use executor_core::{Error, ErrorKind};

use super::{
    Stage, WorkerHandle,
    verdict::{Condemned, Verdict},
};
use crate::transport::{Claim, ITEM_MODULUS};

impl WorkerHandle {
    /// Forbids the running task to finish, if it still runs; with `only`, if it still runs that item. A worker that is
    /// being reaped counts as running its task, so that a task that is stopped then does not run again on another
    /// worker.
    pub(crate) fn condemn(&mut self, sequence: u64, only: Option<u64>, error: Error) -> Condemned {
        if self.verdict.is_some() {
            return Condemned::No;
        }
        let Some(job) = self.find(sequence).map(|task| &task.job) else { return Condemned::No };
        let (received, is_batch) = (job.received(), job.is_batch());
        let item = match self.claims() {
            Some(claims) => {
                // Items may follow each other faster than they can be observed, but the item does not change at every
                // one of this many attempts.
                const ATTEMPTS: u32 = 1000;
                let caught = (0..ATTEMPTS).find_map(|_| match claims.claim(sequence) {
                    Claim::Running { item } if only.is_none_or(|only| only == item) => {
                        // Outcomes of the items before it may still be on their way.
                        let ahead = item.wrapping_sub(received) % ITEM_MODULUS;
                        claims.condemn(sequence, item).then_some(received + ahead)
                    }
                    // A task that this pool gave to the worker has this claim only if a task has overwritten it.
                    Claim::Gone => Some(received),
                    _ => None,
                });
                let Some(item) = caught else { return Condemned::No };
                item
            }
            None if !self.has_started(sequence) => return Condemned::No,
            None => received,
        };
        // A batch that was asked to stop ends at the item that runs then, so every outcome that still arrives is
        // complete and counts. A time limit applies to the item that has used up its time, so that the next item does
        // not get the error.
        let is_asked = is_batch && error.kind() == ErrorKind::Terminated;
        self.pass_verdict(sequence, if is_asked { u64::MAX } else { item }, error);
        Condemned::Yes
    }

    /// Forbids a task to finish, whatever its claim is. No later outcome of it counts.
    pub(crate) fn condemn_by_force(&mut self, sequence: u64, error: Error) -> Condemned {
        let Some(received) = self.find(sequence).map(|task| task.job.received()) else { return Condemned::No };
        if self.verdict.is_some() {
            return Condemned::No;
        }
        self.pass_verdict(sequence, received, error);
        Condemned::Yes
    }

    fn pass_verdict(&mut self, sequence: u64, item: u64, error: Error) {
        self.verdict = Some(Verdict { sequence, item, error });
        self.stage = Stage::Leaving;
    }

    /// Returns `true` if the worker is being killed because of a task.
    pub(crate) fn is_condemned(&self) -> bool {
        self.verdict.is_some()
    }

    /// Returns `true` if the worker is being killed because of this task.
    pub(crate) fn is_condemned_for(&self, sequence: u64) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.sequence == sequence)
    }
}
