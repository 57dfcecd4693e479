//! Workers that do not proceed with a step of their own; see `handle/own_steps.rs`.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::{Deferred, Phase, State, handle::Stage, ids::WorkerId, timer::Timer};

/// A worker that takes longer than this over a step of microseconds may have been stopped.
const STOPPED: Duration = Duration::from_secs(1);

/// Checks are made together, at multiples of this time, so that a pool with many busy workers does not wake up for each
/// one.
const TICK: Duration = Duration::from_millis(250);

/// A worker that takes longer than this has most likely overwritten the memory that it shares with this program.
const STUCK: Duration = Duration::from_secs(60);

/// The shorter time that applies if the task has a time limit, a withdrawn task blocks the worker, or the worker must
/// leave.
const STUCK_AT_THE_END: Duration = Duration::from_secs(5);

impl State {
    /// Sets a timer to check whether a worker that has something to do was stopped, as by `SIGSTOP`. The system reports
    /// that only when it is asked.
    pub(crate) fn set_stopped_check(&mut self, id: WorkerId, now: Instant, deferred: &mut Deferred) {
        let Some(worker) = self.worker_by_id(id) else { return };
        if !std::mem::replace(&mut worker.checks.stopped, true) {
            deferred.wake_supervisor |= self.set_timer(next_tick(now + STOPPED), Timer::Stopped(id));
        }
    }

    /// Kills a worker that was stopped or does not proceed, if the next step is its own and not a task's: otherwise its
    /// task would never end. Tasks that it has not begun run on another worker. `is_in_a_reply` tells whether a part of
    /// a reply has arrived.
    pub(super) fn check_stopped(&mut self, id: WorkerId, is_in_a_reply: bool, now: Instant) -> Deferred {
        let mut deferred = Deferred::default();
        let phase = self.phase;
        let Some(worker) = self.worker_by_id(id) else { return deferred };
        // A worker without a task that must leave does not delay the end of the pool for long.
        let is_ending = phase == Phase::Terminating || phase > Phase::Open && worker.in_flight().is_empty();
        let is_limited = worker.in_flight().front().is_some_and(|task| task.job.time_limit.is_some());
        let limit = if is_ending || is_limited || worker.has_withdrawn_to_skip() { STUCK_AT_THE_END } else { STUCK };
        worker.checks.stopped = false;
        if (is_in_a_reply || worker.owes_a_step()) && worker.is_stopped() {
            worker.kill_because("it was stopped by a signal and not continued, so it was killed");
        } else if worker.stage() != Stage::Starting && worker.owes_a_step() && worker.record_traffic(now) > limit {
            worker.kill_because("it took far too long to begin its task, or to send its result, so it was killed");
        } else if worker.stage() == Stage::Starting || !worker.in_flight().is_empty() || worker.owes_a_step() {
            self.set_stopped_check(id, now, &mut deferred);
        }
        deferred
    }
}

/// Returns the next tick at or after a time.
fn next_tick(at: Instant) -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let since = at.saturating_duration_since(*FIRST.get_or_init(|| at)).as_nanos();
    let missing = since.next_multiple_of(TICK.as_nanos()) - since;
    // The rest of a tick fits.
    at + Duration::from_nanos(missing as u64)
}
