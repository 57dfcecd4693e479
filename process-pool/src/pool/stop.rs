//! Stopping a running task: its worker is killed, and no other task is lost.
//!
//! The tasks behind it are taken back first, so that the worker cannot go on to one of them. Then the task is
//! condemned, which means that it can no longer finish. Only then is the worker sent a signal.

use std::time::{Duration, Instant};

use executor_core::{Error, ErrorKind};

use super::{
    Deferred, State,
    handle::{Condemned, LimitCheck},
    ids::{Assignment, WorkerId},
    timer::Timer,
};
use crate::{sys::signals::Signal, transport::Claim};

/// The least time for the reply of a task whose claim said that it had finished when it was stopped.
const REPLY_GRACE: Duration = Duration::from_secs(1);

/// The least time between two checks of a worker's time limits. Without it, the supervisor would check a task whose
/// limit is zero, and which its worker has not started, without a pause.
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// Returns the time after the signals of a transition that began at `now`. Sending one may take long, because all
/// processes are searched for descendants of the worker.
fn after_signals(now: Instant) -> Instant {
    now.max(Instant::now())
}

impl State {
    /// Stops every running task.
    pub(super) fn terminate_running(&mut self, grace: Duration, now: Instant) {
        for slot in self.slots.ids() {
            let Some(worker) = self.worker(slot) else { continue };
            let running: Vec<u64> = worker.in_flight().iter().map(|task| task.sequence).collect();
            for sequence in running {
                self.stop_task(Assignment { slot, sequence }, grace, now);
            }
        }
    }

    /// Stops a task if it runs, and returns whether it does.
    pub(super) fn terminate(&mut self, at: Assignment, grace: Duration, now: Instant) -> (bool, Deferred) {
        let stops = self.stop_task(at, grace, now);
        let mut deferred = self.dispatch(after_signals(now));
        self.note_below_bound(&mut deferred);
        deferred.wake_supervisor = true;
        (stops, deferred)
    }

    /// Stops a task if it runs, and returns whether it does. A task that is being stopped already may be given less
    /// time, but never more.
    fn stop_task(&mut self, at: Assignment, grace: Duration, now: Instant) -> bool {
        let Some(error) = self.termination(at) else { return false };
        if !self.worker(at.slot).is_some_and(|worker| worker.is_condemned_for(at.sequence)) {
            if self.condemn(at, None, error) == Condemned::No {
                return self.set_reply_deadline(at, grace, now);
            }
            if let Some(worker) = self.worker_mut(at.slot) {
                worker.ask_to_stop(at.sequence);
                if !grace.is_zero() {
                    worker.signal(Signal::TERM);
                    // A worker that was stopped by `SIGSTOP` receives no other signal before it is continued.
                    worker.signal(Signal::CONT);
                }
            }
        }
        let Some(worker) = self.worker(at.slot) else { return true };
        if grace.is_zero() {
            worker.signal(Signal::KILL);
        } else if let Some(end) = after_signals(now).checked_add(grace) {
            // If the clock cannot represent the end of the grace, no timer is needed.
            let id = worker.id();
            self.set_timer(end, Timer::Kill(id));
        }
        true
    }

    /// Returns the error of a task that is stopped on request, or `None` if no worker has the task.
    fn termination(&mut self, at: Assignment) -> Option<Error> {
        let worker = self.slots.get(at.slot)?.describe_worker();
        let name = self.worker_mut(at.slot)?.find(at.sequence)?.job.task.name();
        let message = format!("task `{name}` was running and was stopped on request; its {worker} is replaced");
        Some(Error::new(ErrorKind::Terminated, message))
    }

    /// Makes sure that a task ends even if it cannot be condemned, because its claim says that it has finished, or
    /// changes all the time. If no outcome arrives within the grace, the worker is killed. Returns `true` if the claim
    /// says that the task runs.
    fn set_reply_deadline(&mut self, at: Assignment, grace: Duration, now: Instant) -> bool {
        if let Some(end) = after_signals(now).checked_add(grace.max(REPLY_GRACE)) {
            self.set_timer(end, Timer::NoReply(at));
        }
        let claims = self.worker(at.slot).and_then(|worker| worker.claims());
        claims.is_some_and(|claims| matches!(claims.claim(at.sequence), Claim::Running { .. }))
    }

    /// Kills a worker that has not replied to a task within the grace, whatever the task's claim is.
    pub(super) fn end_without_reply(&mut self, at: Assignment, now: Instant) -> Deferred {
        let Some(error) = self.termination(at) else { return Deferred::default() };
        // Its time is over even if it cannot be condemned.
        let _ = self.condemn_by_force(at, error);
        if let Some(worker) = self.worker(at.slot) {
            worker.signal(Signal::KILL);
        }
        self.dispatch(after_signals(now))
    }

    /// Asks a running task to stop, without forcing it.
    pub(super) fn ask_to_stop(&mut self, at: Assignment) -> Deferred {
        let mut deferred = Deferred::default();
        let Some(worker) = self.worker_mut(at.slot) else { return deferred };
        if worker.find(at.sequence).is_some() {
            worker.ask_to_stop(at.sequence);
            if worker.has_backlog() {
                self.note_backlog(at.slot, &mut deferred);
            }
        }
        deferred
    }

    /// Takes back the tasks behind a task, and forbids the task to finish; with `only`, if it runs that item. The
    /// caller dispatches the tasks that were taken back.
    fn condemn(&mut self, at: Assignment, only: Option<u64>, error: Error) -> Condemned {
        self.take_back(at.slot, usize::MAX, |_| true);
        self.dispatcher.note_older_tasks_in_queue();
        self.worker_mut(at.slot).map_or(Condemned::No, |worker| worker.condemn(at.sequence, only, error))
    }

    /// Takes back the tasks behind a task, and forbids the task to finish, whatever its claim is.
    fn condemn_by_force(&mut self, at: Assignment, error: Error) -> Condemned {
        self.take_back(at.slot, usize::MAX, |_| true);
        self.dispatcher.note_older_tasks_in_queue();
        self.worker_mut(at.slot).map_or(Condemned::No, |worker| worker.condemn_by_force(at.sequence, error))
    }

    /// Sets a timer for the time at which a task may have used up its time limit.
    pub(super) fn set_limit_check(&mut self, id: WorkerId, at: Instant, deferred: &mut Deferred) {
        let Some(worker) = self.worker_by_id(id) else { return };
        if worker.checks.limit.is_some_and(|due| due <= at) {
            return;
        }
        worker.checks.limit = Some(at);
        deferred.wake_supervisor |= self.set_timer(at, Timer::Limit(id));
    }

    /// Stops the task that a worker runs if it has used up its time. `is_in_a_reply` tells whether a part of a reply
    /// has arrived.
    pub(super) fn check_limits(&mut self, id: WorkerId, is_in_a_reply: bool, now: Instant) -> Deferred {
        let mut deferred = Deferred::default();
        let Some(worker) = self.worker_by_id(id) else { return deferred };
        if worker.checks.limit.is_none_or(|due| due > now) {
            // An earlier check has set another time.
            return deferred;
        }
        worker.checks.limit = None;
        let check = worker.check_limit(now, is_in_a_reply);
        // The tasks behind it start later, and have their whole limit then.
        let behind = worker.in_flight().iter().skip(usize::from(check.is_some()));
        let behind = behind.filter_map(|task| task.job.time_limit).min();
        let next_check = match check {
            None => None,
            Some((_, LimitCheck::InTime(left))) => Some(left),
            Some((sequence, check)) => {
                let again = self.end_over_limit(Assignment { slot: id.slot, sequence }, check, now);
                self.dispatch_into(now, &mut deferred);
                again
            }
        };
        let next = behind.into_iter().chain(next_check).min().map(|next| next.max(CHECK_INTERVAL));
        if let Some(at) = next.and_then(|next| now.checked_add(next)) {
            self.set_limit_check(id, at, &mut deferred);
        }
        deferred
    }

    /// Stops a task that has used up its time. If that is not possible yet, returns after what time to check again.
    fn end_over_limit(&mut self, at: Assignment, check: LimitCheck, now: Instant) -> Option<Duration> {
        let described = self.slots.get(at.slot)?.describe_worker();
        let worker = self.worker_mut(at.slot)?;
        let was_condemned = worker.is_condemned();
        let task = worker.find(at.sequence)?;
        let (name, limit) = (task.job.task.name(), task.job.time_limit?);
        let message = format!(
            "task `{name}` ran for {limit:?}, its time limit, and was stopped; its {described} is replaced. \
             If it was making progress, give it more time"
        );
        let error = Error::new(ErrorKind::TimeLimit, message);
        let condemned = match check {
            // It was asked to stop, and reaches its limit before the grace is over.
            _ if was_condemned => Condemned::Yes,
            LimitCheck::Over { item } => self.condemn(at, item, error),
            _ => self.condemn_by_force(at, error),
        };
        let worker = self.worker_mut(at.slot)?;
        if condemned == Condemned::Yes {
            worker.signal(Signal::KILL);
            return None;
        }
        let watch = worker.find(at.sequence)?.watch.as_mut()?;
        Some(watch.note_overdue(now, limit))
    }
}
