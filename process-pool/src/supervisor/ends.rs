//! The ends of workers, and who takes their places.

use std::time::{Duration, Instant};

use executor_core::{Error, ErrorKind};
use rustix::process::Signal;

use super::{
    Supervisor, broken_by_start, is_reset,
    restart::{Life, Next},
};
use crate::{
    death::{Death, Signs},
    pool::{Aftermath, Flight, Leftovers, Phase, Reached, Stage, Timer},
    start,
    trace::{self, Trace},
};

impl Supervisor {
    /// A worker's process has ended: settles what it had, and fills its place again.
    pub(super) fn bury_and_replace(&mut self, unit: usize) {
        let Some(buried) = self.bury(unit) else { return };
        match self.restart.one_has_ended(buried.life, self.others_may_serve(unit)) {
            Next::StartNow => self.fill(unit),
            Next::StartAfter(pause) => self.fill_later(unit, pause),
            Next::GiveUp => {
                let reason = match &buried.declined {
                    Some(error) => broken_by_start(&self.pool.name, error),
                    None => buried.death.broken(&self.pool.name),
                };
                self.break_down(&reason);
            }
        }
    }

    /// Whether another worker serves, or was started and has not failed yet.
    pub(super) fn others_may_serve(&self, unit: usize) -> bool {
        let state = self.pool.state.lock();
        let mut others = state.units.iter().enumerate().filter(|(other, _)| *other != unit);
        others.any(|(_, other)| matches!(other.stage, Stage::Ready | Stage::Starting))
    }

    /// Looks at an empty place again after a pause.
    fn fill_later(&mut self, unit: usize, pause: Duration) {
        self.pool.state.lock().set_timer(Instant::now() + pause, Timer::Start { unit });
    }

    /// Reaps a worker's process and settles what it had.
    pub(super) fn bury(&mut self, unit: usize) -> Option<Buried> {
        // It gets nothing more, also if its last words are that it is ready.
        let was_starting = {
            let place = &mut self.pool.state.lock().units[unit];
            let was_starting = place.stage == Stage::Starting;
            place.stage = Stage::Leaving;
            was_starting
        };
        // Before it is reaped, so the number of its group is its own: what the tasks have started goes along.
        let process = self.pool.state.lock().units[unit].process.clone();
        if let Some(process) = &process {
            process.signal(Signal::KILL);
        }
        if let Some(group) = &self.blueprint.group {
            group.end(unit);
        }
        // What it said before it died counts.
        self.hear_last_words(unit);
        self.pool.close_ear(unit);
        self.read_last_stderr(unit);
        let mut attendant = self.attendants[unit].take()?;
        attendant.unwatch(&self.pool.poller);
        self.pool.state.lock().units[unit].process = None;
        let status = process.and_then(|process| process.reap());

        let mut leftovers = Leftovers::default();
        let mut state = self.pool.state.lock();
        let was_stopped = state.phase == Phase::Terminating;
        let place = &mut state.units[unit];
        let death = Death {
            worker: place.name.clone(),
            pid: attendant.pid(),
            status,
            reason: place.reason,
            signs: Signs::of(attendant.report(), place.was_ready),
            words: attendant.own_stderr(),
            out_of_memory: self.memory_kills.was_one(),
        };
        let was_ready = place.was_ready;
        let was_let_go = place.was_let_go;
        let was_useless = was_ready && !place.has_answered && place.flights().is_empty();
        let verdict = place.verdict.take();
        let lost = place.vacate();
        let ran_something = lost.iter().any(|(_, reached)| *reached == Reached::Started);
        let mut endings = Vec::new();
        let mut again = Vec::new();
        for (at, (Flight { sequence, job, .. }, reached)) in lost.into_iter().enumerate() {
            let verdict = verdict.as_ref().filter(|verdict| verdict.sequence == sequence);
            let aftermath = match verdict {
                Some(verdict) => job.ended_under(verdict.error.clone(), false),
                None if reached == Reached::Started => {
                    let error = death.error(job.task.name());
                    job.ended_under(error, !was_stopped)
                }
                None if at == 0 && !ran_something => {
                    let error = death.error(job.task.name());
                    job.next_under(reached == Reached::Begun, error)
                }
                None => Aftermath::Again(job),
            };
            match aftermath {
                Aftermath::Over(ending) => endings.push(ending),
                Aftermath::Again(job) => again.push(job),
            }
        }
        for job in again {
            match (&state.broken, state.phase >= Phase::Cancelling) {
                (Some(reason), _) => endings.push(job.given_up(Some(reason))),
                (None, true) => endings.push(job.given_up(None)),
                (None, false) => state.take_in_again(job),
            }
        }
        endings.iter().for_each(|ending| state.tally.count(ending));
        if !was_let_go {
            state.tally.count_death();
        }
        state.dispatch(Instant::now(), &mut leftovers);
        self.pool.announce_room(&state);
        drop(state);
        self.pool.deal_with(leftovers);
        if !was_let_go {
            let mut trace = Trace::default();
            trace.of_worker(|| trace::Event::died(&death));
            self.pool.tell(trace);
        }
        self.pool.settle(Some(unit), endings);
        let life = match () {
            () if was_stopped => Life::Served,
            () if attendant.declined.is_some() => Life::Declined,
            () if was_starting && !was_ready && death.was_killed_from_outside() => Life::Killed,
            () if was_starting && !was_ready => Life::Failed,
            () if was_useless => Life::Useless,
            () => Life::Served,
        };
        Some(Buried { death, life, declined: attendant.declined })
    }

    fn hear_last_words(&mut self, unit: usize) {
        // A link holds less than this. But what the tasks have started may have the worker's end of it, and go on.
        const MOST: usize = 16 << 20;
        let mut heard = 0;
        while heard < MOST {
            let pool = &self.pool;
            match pool.with_ear(unit, |ear| pool.hear(unit, ear)) {
                Some(Ok(words)) if words.bytes > 0 => {
                    heard += words.bytes;
                    self.note_answer(unit);
                    self.act_on(unit, words);
                }
                Some(Err(error)) if is_reset(&error) => {
                    return self.pool.state.lock().units[unit].ended_before_reading();
                }
                _ => return,
            }
        }
    }

    /// Starts a worker in an empty place, if one is wanted there.
    pub(super) fn fill(&mut self, unit: usize) {
        let state = self.pool.state.lock();
        let vacant = state.units[unit].stage == Stage::Vacant && self.attendants[unit].is_none();
        let wanted = state.phase == Phase::Open || state.waiting() > 0 || !state.queue.is_empty();
        if !vacant || !wanted || state.broken.is_some() {
            return;
        }
        drop(state);
        let Err(cause) = self.start(unit) else { return };
        if self.attendants[unit].is_some() {
            // It was started, and cannot be watched.
            self.pool.state.lock().units[unit].signal(Signal::KILL);
            self.bury(unit);
        }
        match self.restart.one_was_refused(&cause, self.others_may_serve(unit)) {
            Next::GiveUp => {
                let message = format!(
                    "{} is broken: its last worker is gone, and no other could be started: {cause}{}",
                    self.pool.name,
                    start::advice(&cause)
                );
                self.break_down(&Error::new(ErrorKind::Broken, message));
            }
            Next::StartNow => self.fill_later(unit, Duration::ZERO),
            Next::StartAfter(pause) => self.fill_later(unit, pause),
        }
    }

    /// Nothing can be run any more: says so to all who wait.
    pub(super) fn break_down(&mut self, reason: &Error) {
        let mut state = self.pool.state.lock();
        let endings = state.break_down(reason);
        self.pool.announce_room(&state);
        drop(state);
        self.pool.settle(None, endings);
    }
}

/// What is known of a worker that is gone.
pub(super) struct Buried {
    death: Death,
    life: Life,
    /// Why it said that it cannot serve.
    declined: Option<Error>,
}
