//! Stopping a task that runs: its worker is killed, and it alone pays.
//!
//! What waits behind it is taken back first, so that the worker cannot go on to another task. Then the task is
//! condemned: from here on it cannot finish any more. Only then is the worker sent a signal.

use std::time::{Duration, Instant};

use executor_core::{Error, ErrorKind};
use rustix::process::Signal;

use super::{Leftovers, Look, State, Timer};
use crate::transport::Claim;

/// How long a reply may take at least whose task was to be stopped when it had just finished.
const REPLY_GRACE: Duration = Duration::from_secs(1);

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
            let message = format!("task `{name}` was running and was stopped on request; its {worker} is replaced");
            if !self.condemn(index, sequence, None, Error::new(ErrorKind::Terminated, message)) {
                return self.insist(index, sequence, grace);
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

    /// Sees to it that a task that cannot be condemned ends all the same. By its claim it has finished, and its reply
    /// is on its way; or the claim is never twice the same. Either way the worker is killed if there is no outcome
    /// after the grace. True: it says that it runs.
    fn insist(&mut self, index: usize, sequence: u64, grace: Duration) -> bool {
        if let Some(at) = Instant::now().checked_add(grace.max(REPLY_GRACE)) {
            self.set_timer(at, Timer::Insist { unit: index, sequence });
        }
        let claims = self.units[index].claims();
        claims.is_some_and(|claims| matches!(claims.claim(sequence), Claim::Running { .. }))
    }

    /// Kills a worker that has not answered a task within the grace, whatever it says of the task.
    pub(crate) fn end_unanswered(&mut self, index: usize, sequence: u64, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        let worker = unit.description();
        let Some(flight) = unit.flight(sequence) else { return };
        let name = flight.job.task.name();
        let message = format!("task `{name}` was running and was stopped on request; its {worker} is replaced");
        self.condemn_by_force(index, sequence, Error::new(ErrorKind::Terminated, message));
        self.units[index].signal(Signal::KILL);
        self.dispatch(Instant::now(), leftovers);
    }

    /// Asks a task that runs to stop, without forcing it.
    pub(super) fn ask_to_stop(&mut self, index: usize, sequence: u64, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        if unit.flight(sequence).is_some() {
            unit.ask_to_stop(sequence);
            self.note_backlog(index, leftovers);
        }
    }

    /// Takes back what waits behind a task, and forbids the task to finish; of a batch, only if it is at this item.
    /// True: the caller kills its worker. Either way the caller dispatches what was taken back.
    fn condemn(&mut self, index: usize, sequence: u64, only: Option<u64>, error: Error) -> bool {
        self.take_back(index, usize::MAX, |_| true);
        self.returned = true;
        self.units[index].condemn(sequence, only, error)
    }

    /// The same, whatever the worker says of the task.
    fn condemn_by_force(&mut self, index: usize, sequence: u64, error: Error) -> bool {
        self.take_back(index, usize::MAX, |_| true);
        self.returned = true;
        self.units[index].condemn_by_force(sequence, error)
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

    /// Looks whether what a worker runs has used up its time, and stops it then. `replies` says that a reply of its is
    /// under way.
    pub(crate) fn check_limits(&mut self, index: usize, now: Instant, replies: bool, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        if unit.limit_due.is_none_or(|due| due > now) {
            // An earlier look has set another time.
            return;
        }
        unit.limit_due = None;
        let look = unit.look_at_limit(now, replies);
        // What waits behind it starts later, and has its whole limit then.
        let behind = unit.flights().iter().skip(usize::from(look.is_some())).filter_map(|flight| flight.job.time_limit);
        let mut next = behind.min();
        let next_look = match look {
            None => None,
            Some((_, Look::InTime(left))) => Some(left),
            Some((sequence, look)) => self.end_over_limit(index, sequence, look, now),
        };
        next = next.into_iter().chain(next_look).min();
        if look.is_some_and(|(_, look)| !matches!(look, Look::InTime(_))) {
            self.dispatch(now, leftovers);
        }
        if let Some(at) = next.and_then(|next| now.checked_add(next)) {
            self.watch_limit(index, at, leftovers);
        }
    }

    /// Stops a task that has used up its time. Some: it could not be, and is to be looked at again after this.
    fn end_over_limit(&mut self, index: usize, sequence: u64, look: Look, now: Instant) -> Option<Duration> {
        let unit = &mut self.units[index];
        let worker = unit.description();
        let flight = unit.flight(sequence)?;
        let (name, limit) = (flight.job.task.name(), flight.job.time_limit?);
        let message = format!(
            "task `{name}` ran for {limit:?}, its time limit, and was stopped; its {worker} is replaced. \
             If it was making progress, give it more time"
        );
        let error = Error::new(ErrorKind::TimeLimit, message);
        let stops = match look {
            // It was asked to stop, and the limit comes before the grace is over.
            _ if unit.verdict.is_some() => true,
            Look::Over { item } => self.condemn(index, sequence, item, error),
            _ => self.condemn_by_force(index, sequence, error),
        };
        let unit = &mut self.units[index];
        if stops {
            unit.signal(Signal::KILL);
            return None;
        }
        let watch = unit.flight(sequence)?.watch.as_mut()?;
        Some(watch.is_overdue(now, limit))
    }
}
