//! Stopping a task that runs: its worker is killed, and it alone pays.
//!
//! What waits behind it is taken back first, so that the worker cannot go on to another task. Then the task is condemned:
//! from here on it cannot finish any more. Only then is the worker sent a signal.

use std::time::{Duration, Instant};

use executor_core::{Error, ErrorKind};
use rustix::process::Signal;

use super::{Leftovers, State, Timer};
use crate::transport::{Claim, monotonic_now};

impl State {
    /// Stops every task that runs.
    pub(super) fn terminate_running(&mut self, grace: Duration) {
        for index in 0..self.units.len() {
            let running: Vec<u64> = self.units[index].flights().iter().map(|flight| flight.sequence).collect();
            for sequence in running {
                self.terminate(index, sequence, grace);
            }
        }
    }

    /// Stops one task, if it runs. One that is being stopped already may be given less time, never more.
    pub(super) fn terminate(&mut self, index: usize, sequence: u64, grace: Duration) -> bool {
        let unit = &mut self.units[index];
        let Some(flight) = unit.flight(sequence) else { return false };
        let name = flight.job.task.name().to_string();
        let worker = unit.description();
        if !unit.is_condemned_for(sequence) {
            let message =
                format!("task `{name}` was running and was stopped, as was asked for; its {worker} is replaced");
            if !self.condemn(index, sequence, None, Error::new(ErrorKind::Terminated, message)) {
                return false;
            }
            self.units[index].ask_to_stop(sequence);
            if !grace.is_zero() {
                self.units[index].signal(Signal::TERM);
                // One that was stopped by `SIGSTOP` hears nothing before it goes on.
                self.units[index].signal(Signal::CONT);
            }
        }
        let unit = &self.units[index];
        if grace.is_zero() {
            unit.signal(Signal::KILL);
        } else if let Some(at) = Instant::now().checked_add(grace) {
            // A grace too long to be told apart from "for ever" sets no timer.
            let timer = Timer::Kill { unit: index, generation: unit.generation };
            self.set_timer(at, timer);
        }
        true
    }

    /// Asks a task that runs to stop, without forcing it.
    pub(super) fn ask_to_stop(&mut self, index: usize, sequence: u64, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        if unit.flight(sequence).is_some() {
            unit.ask_to_stop(sequence);
            self.note_backlog(index, leftovers);
        }
    }

    /// Takes back what waits behind a task, and forbids the task to finish; of a batch, only if it is at this item. True:
    /// the caller kills its worker. Either way the caller dispatches what was taken back.
    fn condemn(&mut self, index: usize, sequence: u64, only: Option<u64>, error: Error) -> bool {
        self.take_back(index, usize::MAX, |_| true);
        self.returned = true;
        self.units[index].condemn(sequence, only, error)
    }

    /// Sees to it that somebody looks when a task may have run for as long as it is allowed to.
    pub(super) fn watch_limit(&mut self, index: usize, at: Instant, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        if unit.limit_due.is_some_and(|due| due <= at) {
            return;
        }
        unit.limit_due = Some(at);
        leftovers.wake_supervisor |= self.set_timer(at, Timer::Limit { unit: index });
    }

    /// Looks at the time limits of what a worker has, and stops what has run for too long. `replies` says that a reply of
    /// its is under way, so on a link without claims its task has ended.
    pub(crate) fn check_limits(&mut self, index: usize, now: Instant, replies: bool, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        if unit.limit_due.is_none_or(|due| due > now) {
            // An earlier look has set another time.
            return;
        }
        unit.limit_due = None;
        let claims: Vec<Option<Claim>> =
            unit.flights().iter().map(|flight| unit.claims().map(|claims| claims.claim(flight.sequence))).collect();
        // Only now: a worker notes the time before it starts, so this is the time of what was seen to run, or of what came
        // after it. The other way round, a task that has just begun would be given the time of the one before it.
        let clock = unit.claims().map(|claims| monotonic_now().saturating_sub(claims.started_at()));
        let mut next: Option<Duration> = None;
        let mut over = None;
        let worker = unit.description();
        for (flight, claim) in unit.flights_mut().zip(claims) {
            let Some(limit) = flight.job.time_limit else { continue };
            let (ran, item) = match claim {
                None if replies => (Duration::ZERO, None),
                None => (now.saturating_duration_since(flight.since), None),
                Some(Claim::Running { item }) => {
                    let first_seen = match flight.seen.as_deref() {
                        Some((same, at)) if *same == item => *at,
                        _ => now,
                    };
                    flight.seen = Some(Box::new((item, first_seen)));
                    // A worker that writes nonsense over its clock does not get more time for it.
                    let ran = clock.unwrap_or_default().max(now.saturating_duration_since(first_seen));
                    (ran, Some(item))
                }
                // It has written over the claims, and gets no more time for that.
                Some(Claim::Gone) => (now.saturating_duration_since(flight.since), None),
                Some(Claim::Offered | Claim::Finished) => (Duration::ZERO, None),
            };
            if ran >= limit {
                let name = flight.job.task.name();
                let message = format!(
                    "task `{name}` ran for {limit:?}, its time limit, and was stopped; its {worker} is replaced. \
                     If it was still doing well, give it more time"
                );
                over = Some((flight.sequence, item, Error::new(ErrorKind::TimeLimit, message)));
            }
            // One that is over and cannot be stopped has just ended, or is at its next item.
            let left = if ran < limit { limit - ran } else { limit };
            next = Some(next.map_or(left, |next| next.min(left)));
        }
        if let Some((sequence, item, error)) = over {
            if self.condemn(index, sequence, item, error) {
                self.units[index].signal(Signal::KILL);
            }
            self.dispatch(now, leftovers);
        }
        if let Some(at) = next.and_then(|next| now.checked_add(next)) {
            self.watch_limit(index, at, leftovers);
        }
    }
}
