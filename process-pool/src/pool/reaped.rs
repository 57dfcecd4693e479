//! The state transition after a worker's death.

use std::{process::ExitStatus, time::Instant};

use executor_core::codec::handles::Name;

use super::{
    Deferred, Phase, State,
    completion::Completion,
    handle::{Lost, Reached, Stage, Verdict},
    ids::{SlotId, WorkerId},
    job::{AfterDeath, Job},
};
use crate::{
    death::{Death, Signs},
    sys::child::Process,
    trace,
};

/// A worker that is about to be reaped.
pub(crate) struct Dying {
    pub(crate) id: WorkerId,
    /// The process, which from now on only the caller can signal.
    pub(crate) process: Process,
    /// Whether it was not ready yet.
    pub(crate) was_starting: bool,
}

/// The facts about a process that has ended.
pub(crate) struct EndedProcess {
    pub(crate) pid: u32,
    /// The exit status, or `None` if something else in this program has reaped the process.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) signs: Signs,
    pub(crate) stderr_tail: String,
    pub(crate) out_of_memory: bool,
}

/// A summary of a worker's life.
#[must_use]
pub(crate) struct DeathRecord {
    pub(crate) death: Death,
    pub(crate) was_ready: bool,
    /// Whether it was ready and died without having had a task.
    pub(crate) was_useless: bool,
    /// Whether the pool was being terminated.
    pub(crate) was_terminated: bool,
    /// Whether the pool has told the worker to leave.
    pub(crate) was_told_to_leave: bool,
    /// The handles whose descriptors it had been sent.
    pub(crate) handles: Vec<Name>,
}

impl State {
    /// Prepares for the end of a worker whose process has ended or must end: it is given no more tasks, even if a
    /// report that it is ready is still unread. Returns `None` if the slot has no worker.
    pub(crate) fn begin_death(&mut self, slot: SlotId) -> Option<Dying> {
        let worker = self.worker_mut(slot)?;
        let (id, was_starting) = (worker.id(), worker.stage() == Stage::Starting);
        Some(Dying { id, process: worker.take_process()?, was_starting })
    }

    /// Removes a worker whose process was reaped, decides the fate of its tasks, and gives those that run again to
    /// other workers. Returns `None` if the slot has no worker.
    pub(crate) fn on_death(
        &mut self,
        slot: SlotId,
        ended: EndedProcess,
        now: Instant,
    ) -> Option<(DeathRecord, Deferred)> {
        let was_terminated = self.phase == Phase::Terminating;
        let worker = self.slots[slot].detach()?;
        let was_ready = worker.was_ready();
        let was_told_to_leave = worker.was_told_to_leave();
        let was_useless = was_ready && !worker.has_replied() && worker.in_flight().is_empty() && !was_told_to_leave;
        let death = Death {
            worker: self.slots[slot].name.clone(),
            pid: ended.pid,
            status: ended.status,
            reason: worker.kill_reason(),
            signs: Signs { never_served: ended.signs.never_served && !was_ready, ..ended.signs },
            stderr_tail: ended.stderr_tail,
            out_of_memory: ended.out_of_memory,
        };
        let handles = worker.handle_names();
        let (lost, verdict) = worker.into_lost();
        self.on_worker_removed();
        let completions = self.decide_lost(lost, verdict.as_ref(), &death, !was_terminated);
        self.counters.count_all(&completions);
        let mut deferred = self.dispatch(now);
        self.note_below_bound(&mut deferred);
        if !was_told_to_leave {
            self.counters.count_death();
            deferred.trace.of_worker(|| trace::Event::died(&death));
        }
        deferred.complete(completions, &death.worker);
        Some((DeathRecord { death, was_ready, was_useless, was_terminated, was_told_to_leave, handles }, deferred))
    }

    /// Decides the fate of each task that a dead worker had: it fails, or it is queued again.
    fn decide_lost(
        &mut self,
        lost: Vec<Lost>,
        verdict: Option<&Verdict>,
        death: &Death,
        may_retry: bool,
    ) -> Vec<Completion> {
        let nothing_ran = !lost.iter().any(|task| task.reached == Reached::Started);
        let (mut completions, mut retries) = (Vec::new(), Vec::new());
        for (at, Lost { sequence, job, reached }) in lost.into_iter().enumerate() {
            let verdict = verdict.filter(|verdict| verdict.sequence == sequence);
            let after = match (verdict, reached) {
                (Some(verdict), _) => job.after_death_while_running(verdict.error.clone(), false),
                (None, Reached::Started) => {
                    let error = death.error(job.task.name());
                    job.after_death_while_running(error, may_retry)
                }
                // The first task may be the reason why workers that read it die.
                (None, _) if at == 0 && nothing_ran => {
                    let error = death.error(job.task.name());
                    job.after_death_before_start(reached == Reached::Begun, error)
                }
                (None, _) => AfterDeath::Retry(job),
            };
            match after {
                AfterDeath::Complete(completion) => completions.push(completion),
                AfterDeath::Retry(job) => retries.push(job),
            }
        }
        completions.extend(retries.into_iter().filter_map(|job| self.retry(job)));
        completions
    }

    /// Queues a task again. Returns the task's end instead if the pool runs no more tasks.
    fn retry(&mut self, job: Job) -> Option<Completion> {
        match &self.broken {
            Some(reason) => Some(job.abandon(Some(reason))),
            None if self.phase >= Phase::Cancelling => Some(job.abandon(None)),
            None => {
                self.requeue(job);
                None
            }
        }
    }
}
