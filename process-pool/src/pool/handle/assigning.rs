//! Giving a task to a worker, and taking it back.

use std::time::Instant;

use executor_core::{boundary, codec::Bytes};

use super::{InFlight, WorkerHandle, backlog::Gates};
use crate::{
    pool::{ids::Assignment, job::Job},
    trace::Event,
};

/// Names longer than this are cut on the way to a worker.
const LONGEST_NAME: usize = 256;

/// Why a task is withdrawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withdrawal {
    /// It was cancelled, so its arguments are not needed again.
    Cancel,
    /// It goes back to the queue.
    Requeue,
}

impl WorkerHandle {
    /// Gives the worker a task and returns its sequence number. A task that was cancelled is added to `cancelled`
    /// instead. The caller then calls [`ring_owed_doorbell`](WorkerHandle::ring_owed_doorbell), once for all tasks that
    /// it gives the worker at a time.
    pub(crate) fn assign(&mut self, mut job: Job, now: Instant, cancelled: &mut Vec<Job>) -> Option<u64> {
        let sequence = self.last_sequence + 1;
        job.trim();
        if !job.task.place(Assignment { slot: self.id.slot, sequence }.pack()) {
            cancelled.push(job);
            return None;
        }
        self.last_sequence = sequence;
        let has_claims = match self.claims() {
            Some(claims) => {
                claims.offer(sequence);
                true
            }
            None => false,
        };
        if self.in_flight.is_empty() {
            (self.progress, self.was_idle) = (now, true);
        }
        self.assigned += 1;
        let offset = self.bytes_sent;
        let is_plain = job.handles().is_empty() && job.task.custom_name().is_none();
        if is_plain {
            let head = job.head(sequence, "").to_bytes();
            self.send_plain(sequence, &head, job.body());
            self.in_flight.push_back(InFlight { sequence, job, offset, since: now, was_seen: false, watch: None });
        } else {
            let mut head = std::mem::take(&mut self.scratch);
            head.clear();
            let gates = if job.handles().is_empty() { None } else { self.announce(&mut job, &mut head) };
            let name = custom_name(&job);
            job.head(sequence, name).write(&mut head);
            head.extend_from_slice(name.as_bytes());
            self.in_flight.push_back(InFlight { sequence, job, offset, since: now, was_seen: false, watch: None });
            self.send_task(sequence, head, gates);
        }
        if let Some(task) = self.in_flight.back().filter(|_| !has_claims && self.unsent.is_none()) {
            // Without claims the parent cannot learn when the task starts, so it counts as started now.
            let begun = task.job.task.begin();
            debug_assert!(begun, "only this pool has a task that it has placed");
        }
        Some(sequence)
    }

    #[cold]
    fn announce(&mut self, job: &mut Job, head: &mut Vec<u8>) -> Option<Box<Gates>> {
        let gates = self.carried.announce(job.handles(), head);
        let fresh = gates.as_ref().map_or(0, |gates| gates.descriptors());
        self.carried.fresh += fresh;
        job.set_fresh(fresh);
        gates
    }

    /// Returns the event that reports the last assignment. `worker` is the worker's name.
    pub(crate) fn assigned_last(&self, worker: &str) -> Event {
        let job = self.in_flight.back().map(|task| &task.job);
        Event::Assigned {
            task: job.map_or(0, |job| job.task.id().as_u64()),
            name: job.map_or_else(String::new, |job| job.task.name().to_string()),
            attempt: job.map_or(0, |job| job.attempt),
            worker: worker.to_string(),
        }
    }

    /// Takes back a task that has not started.
    pub(crate) fn withdraw(&mut self, sequence: u64, withdrawal: Withdrawal) -> Option<Job> {
        let at = self.in_flight.binary_search_by_key(&sequence, |task| task.sequence).ok()?;
        if self.in_flight[at].job.is_spent() || self.in_flight[at].was_seen {
            return None;
        }
        let is_withdrawn = match self.claims() {
            // The task runs. If its claim does not say so, the worker has overwritten the claim.
            Some(claims) if at == 0 && self.has_dequeued(claims, sequence) => {
                self.in_flight[at].was_seen = true;
                false
            }
            Some(claims) => claims.withdraw(sequence),
            None => self.unsent == Some(sequence),
        };
        if !is_withdrawn {
            return None;
        }
        if at == 0 {
            self.skipped = sequence;
        }
        let mut task = self.in_flight.remove(at)?;
        self.carried.fresh -= task.job.take_fresh();
        self.assigned = self.assigned.saturating_sub(1);
        if let Some(backlog) = self.backlog.as_mut().filter(|backlog| backlog.sequence == sequence) {
            // The worker waits for the rest of the frame, and then finds that the task was withdrawn.
            if withdrawal == Withdrawal::Cancel {
                let (task, body) = task.job.into_body();
                backlog.orphan = Some(body);
                return Some(Job::emptied(task));
            }
            backlog.orphan = Some(Bytes::from(task.job.body()));
        }
        Some(task.job)
    }
}

/// Returns the name that was given to the task. It is empty if that is the function's name, which the worker knows.
fn custom_name(job: &Job) -> &str {
    let name = job.task.custom_name().unwrap_or_default();
    &name[..boundary::floor(name, LONGEST_NAME)]
}
