//! One place for a worker, as the parent sees it: who is in it, what it was given, and what is on the way.
//!
//! A unit outlives its workers: when one dies or retires, another takes its place. Sequence numbers go on across that, so
//! a number never means two tasks.

mod flight;
mod sending;
mod signals;
mod steps;

use std::{
    borrow::Cow,
    collections::VecDeque,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind, codec::Bytes};
use rustix::process::Signal;

use super::job::Job;
use crate::{
    process::Process,
    trace::Event,
    transport::{Claim, Claims, Outbox},
};
pub(crate) use flight::{Answer, Flight, Reached, unplace};
use flight::{custom_name, place};
use sending::Backlog;

/// See the [module](self).
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) stage: Stage,
    /// Whether the worker has ever said that it takes tasks.
    pub(crate) was_ready: bool,
    /// Whether the worker has ever answered a task, or an item of one.
    pub(crate) has_answered: bool,
    /// How many workers have been in this place.
    pub(crate) generation: u64,
    /// The process, for as long as this pool has not reaped it.
    pub(crate) process: Option<Process>,
    outbox: Option<Box<dyn Outbox>>,
    /// What the worker was given and has not answered, in the order it was sent.
    flights: VecDeque<Flight>,
    backlog: Option<Backlog>,
    /// The task whose request could not be sent, for the link is broken: it did not start.
    unsent: Option<u64>,
    /// The task that is to be asked to stop, once there is room for that on a link without claims.
    stop: Option<u64>,
    /// The last task that was asked to stop on such a link.
    stopped: u64,
    last_sequence: u64,
    /// The last task that was answered, so its worker had taken it off its queue, whatever it says of that now.
    answered: u64,
    /// The last number that went to the worker before this one.
    sequence_before: u64,
    /// How many tasks this worker was given.
    given: usize,
    /// How many bytes were ever sent to the workers of this place.
    pub(crate) bytes_sent: u64,
    /// How many have come from them.
    pub(crate) bytes_received: u64,
    /// What had gone to and come from the worker when it was last looked at, and since when that was so.
    still: Option<((u64, u64, Stage), Instant)>,
    /// Whether the pool has told the worker to leave.
    pub(crate) was_let_go: bool,
    /// How many tasks it may have at once.
    pub(crate) depth: usize,
    /// When it last got its first task, or answered one.
    progress: Instant,
    /// Whether it had nothing to do before that, so that it may have been asleep.
    pub(super) was_idle: bool,
    /// For which task it is going to be killed, or was.
    pub(crate) verdict: Option<Verdict>,
    /// Why it was killed, if that was this pool's doing and for no task's sake.
    pub(crate) reason: Option<&'static str>,
    /// When it is going to be looked at whether tasks wait behind a long one.
    pub(crate) stall_due: Option<Instant>,
    /// Whether it is going to be looked at whether the worker was stopped.
    pub(crate) look_is_due: bool,
    /// The earliest time at which a time limit is going to be looked at.
    pub(crate) limit_due: Option<Instant>,
    /// Where what is written goes first: a head and its name.
    scratch: Vec<u8>,
}

/// Where a unit's worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is none.
    Vacant,
    /// Started, and not ready yet.
    Starting,
    /// Takes tasks.
    Ready,
    /// Takes no more tasks: it was told to leave, or is being killed.
    Leaving,
}

/// Why a worker is killed: what its task's error will say.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The task that this is for.
    pub(crate) sequence: u64,
    pub(crate) error: Error,
}

impl Unit {
    pub(crate) fn new(name: String) -> Unit {
        Unit {
            name,
            stage: Stage::Vacant,
            was_ready: false,
            has_answered: false,
            generation: 0,
            process: None,
            outbox: None,
            flights: VecDeque::new(),
            backlog: None,
            unsent: None,
            stop: None,
            stopped: 0,
            last_sequence: 0,
            answered: 0,
            sequence_before: 0,
            given: 0,
            bytes_sent: 0,
            bytes_received: 0,
            still: None,
            was_let_go: false,
            depth: 1,
            progress: Instant::now(),
            was_idle: true,
            verdict: None,
            reason: None,
            stall_due: None,
            look_is_due: false,
            limit_due: None,
            scratch: Vec::new(),
        }
    }

    /// A worker moves in.
    pub(crate) fn occupy(&mut self, process: Process, outbox: Box<dyn Outbox>) {
        self.stage = Stage::Starting;
        self.was_ready = false;
        self.has_answered = false;
        self.was_let_go = false;
        self.generation += 1;
        self.process = Some(process);
        self.outbox = Some(outbox);
        self.given = 0;
        self.sequence_before = self.last_sequence;
        self.verdict = None;
        self.reason = None;
        self.look_is_due = false;
    }

    /// The worker is gone. Answers what it had, and of each task how far it had come with it.
    pub(crate) fn vacate(&mut self) -> Vec<(Flight, Reached)> {
        self.stage = Stage::Vacant;
        let taken = self.bytes_taken();
        if let Some(backlog) = self.backlog.take() {
            self.unsent = Some(backlog.sequence);
        }
        let flights = std::mem::take(&mut self.flights);
        let lost = flights.into_iter().map(|flight| {
            let reached = match flight.job.is_spent() || self.has_started(flight.sequence) {
                true => Reached::Started,
                false if taken > flight.offset => Reached::Begun,
                false => Reached::Waiting,
            };
            (flight, reached)
        });
        let lost = lost.collect();
        self.unsent = None;
        self.stop = None;
        self.outbox = None;
        lost
    }

    /// Takes no more tasks. A worker that never was ready stays one.
    pub(crate) fn shun(&mut self) {
        if self.stage == Stage::Ready {
            self.stage = Stage::Leaving;
        }
    }

    /// Whether a task that it was given has started, as far as can be said from here.
    pub(crate) fn has_started(&self, sequence: u64) -> bool {
        match self.claims() {
            Some(claims) => claims.claim(sequence) != Claim::Offered,
            // It started when it was given, unless the link broke over it.
            None => self.unsent != Some(sequence),
        }
    }

    pub(crate) fn claims(&self) -> Option<&dyn Claims> {
        self.outbox.as_ref()?.claims()
    }

    pub(crate) fn flights(&self) -> &VecDeque<Flight> {
        &self.flights
    }

    pub(crate) fn flights_mut(&mut self) -> impl Iterator<Item = &mut Flight> {
        self.flights.iter_mut()
    }

    pub(crate) fn flight(&mut self, sequence: u64) -> Option<&mut Flight> {
        let at = self.flights.binary_search_by_key(&sequence, |flight| flight.sequence).ok()?;
        self.flights.get_mut(at)
    }

    /// Whether it has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.stage == Stage::Ready && self.flights.is_empty()
    }

    /// How many of its tasks run: one or none. One that has ended and whose outcome is still on its way counts.
    pub(crate) fn running(&self) -> usize {
        self.flights.iter().filter(|flight| self.has_started(flight.sequence)).count()
    }

    /// How many tasks wait behind the one that it runs.
    pub(crate) fn waiting(&self) -> usize {
        self.flights.len().saturating_sub(1)
    }

    /// Whether it takes another task. `most` is how many tasks a worker may run in its life.
    pub(crate) fn has_room(&self, most: Option<usize>) -> bool {
        if self.stage != Stage::Ready || self.backlog.is_some() || self.flights.len() >= self.depth {
            return false;
        }
        if most.is_some_and(|most| self.given >= most) {
            return false;
        }
        match self.claims() {
            None => self.flights.is_empty(),
            Some(claims) => self.has_slot(claims),
        }
    }

    /// Whether a slot is free: it is once the worker has taken the task that had it before off its queue.
    fn has_slot(&self, claims: &dyn Claims) -> bool {
        let has_slot = |taken: u64| self.last_sequence.saturating_sub(taken) < claims.slots() - 1;
        // What is known mostly does, and a look takes the memory away from the worker.
        has_slot(self.answered.max(self.sequence_before)) || has_slot(claims.taken())
    }

    /// Asks for the bell if it would take another task, but for those that were withdrawn and still lie in its queue: the
    /// bell tells when the worker gets past them. True: it has asked; look at [`has_room`](Unit::has_room) once more.
    pub(crate) fn asks_for_slot(&mut self) -> bool {
        let is_open = self.stage == Stage::Ready && self.backlog.is_none() && self.flights.len() < self.depth;
        let asks = is_open && self.claims().is_some_and(|claims| !self.has_slot(claims));
        if asks {
            self.want_room();
        }
        asks
    }

    /// Whether it has had all the tasks of its life.
    pub(crate) fn is_spent(&self, most: Option<usize>) -> bool {
        most.is_some_and(|most| self.given >= most)
    }

    /// Gives it a task. None: the task was cancelled, and is added to `left`.
    pub(crate) fn give(&mut self, index: usize, mut job: Job, now: Instant, left: &mut Vec<Job>) -> Option<u64> {
        let sequence = self.last_sequence + 1;
        job.trim();
        if !job.task.place(place(index, sequence)) {
            left.push(job);
            return None;
        }
        self.last_sequence = sequence;
        if let Some(claims) = self.claims() {
            claims.offer(sequence);
        }
        if self.flights.is_empty() {
            (self.progress, self.was_idle) = (now, true);
        }
        self.given += 1;
        let name = custom_name(&job);
        let mut head = std::mem::take(&mut self.scratch);
        head.clear();
        job.head(sequence, name).write(&mut head);
        head.extend_from_slice(name.as_bytes());
        let offset = self.bytes_sent;
        self.flights.push_back(Flight { sequence, job, offset, since: now, seen: None });
        self.send(sequence, head);
        if self.claims().is_none()
            && self.unsent.is_none()
            && let Some(flight) = self.flights.back()
        {
            // Nobody but this side can say when it starts: now.
            let begun = flight.job.task.begin();
            debug_assert!(begun, "a placed task is this pool's alone");
        }
        Some(sequence)
    }

    /// The worker, as errors name it.
    pub(crate) fn description(&self) -> String {
        match &self.process {
            Some(process) => format!("worker process {} ({})", process.number(), self.name),
            None => format!("worker {}", self.name),
        }
    }

    /// What is told of the task that it was given last.
    pub(crate) fn assigned_last(&self) -> Event {
        let job = self.flights.back().map(|flight| &flight.job);
        Event::Assigned {
            task: job.map_or(0, |job| job.task.id().as_u64()),
            name: job.map_or_else(String::new, |job| job.task.name().to_string()),
            attempt: job.map_or(0, |job| job.attempt),
            worker: self.name.clone(),
        }
    }

    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.is_some()
    }

    /// Takes a task back that has not started, if it is still to be had.
    pub(crate) fn withdraw(&mut self, sequence: u64, for_good: bool) -> Option<Job> {
        let at = self.flights.binary_search_by_key(&sequence, |flight| flight.sequence).ok()?;
        if self.flights[at].job.is_spent() {
            return None;
        }
        let is_free = match self.claims() {
            Some(claims) => claims.withdraw(sequence),
            None => self.unsent == Some(sequence),
        };
        if !is_free {
            return None;
        }
        let flight = self.flights.remove(at)?;
        self.given = self.given.saturating_sub(1);
        if let Some(backlog) = &mut self.backlog
            && backlog.sequence == sequence
        {
            // The worker waits for the rest of the frame, and will find that the task was withdrawn.
            if for_good {
                let (task, body) = flight.job.into_body();
                backlog.orphan = Some(body);
                return Some(Job::emptied(task));
            }
            backlog.orphan = Some(Bytes::from(flight.job.body()));
        }
        Some(flight.job)
    }

    /// The memory of an argument that the worker has read, and that nobody is going to need any more, for its reply of this
    /// length. New memory costs more than the copy into it.
    pub(crate) fn spare_memory(&mut self, sequence: u64, length: u64) -> Option<Vec<u8>> {
        let is_sent = self.backlog.as_ref().is_none_or(|backlog| backlog.sequence != sequence);
        if !is_sent || !self.has_started(sequence) {
            return None;
        }
        let at = self.flights.binary_search_by_key(&sequence, |flight| flight.sequence).ok()?;
        self.flights[at].job.spend(length)
    }

    /// The worker has answered a task for good, or one item of it. None: it has not got that task, or not as a whole yet,
    /// so it is not to be talked to any more. A task that was withdrawn is not answered.
    pub(crate) fn answered(&mut self, sequence: u64, outcome: Cow<'_, [u8]>, now: Instant) -> Option<Answer> {
        // Answers come in the order of the requests.
        let at = match self.flights.front() {
            Some(flight) if flight.sequence == sequence => 0,
            _ => self.flights.binary_search_by_key(&sequence, |flight| flight.sequence).ok()?,
        };
        if self.backlog.as_ref().is_some_and(|backlog| backlog.sequence == sequence) {
            return None;
        }
        let condemned = self.claims().is_none() && self.is_condemned_for(sequence);
        if condemned && !self.counts_late(at) {
            // Too late: it is being killed for this very task, which has nothing left to do.
            self.signal(Signal::KILL);
            return Some(Answer::Part);
        }
        self.has_answered = true;
        self.answered = self.answered.max(sequence);
        let flight = self.flights.get_mut(at)?;
        flight.since = now;
        let Some(reply) = flight.job.outcome(outcome) else { return Some(Answer::Part) };
        // Not with each item of a batch: what waits behind it waits for all of them.
        (self.progress, self.was_idle) = (now, false);
        let flight = self.flights.remove(at)?;
        if condemned {
            self.signal(Signal::KILL);
        }
        Some(Answer::Whole(flight.job, reply))
    }

    /// Whether an outcome counts although the task is condemned, on a link without claims. Of a batch that was asked to
    /// end it does: it is of an item that was done before, and the one behind it is the one that is stopped. Where an item
    /// has used up its time it does not: the error is that item's, and must not fall on the next.
    fn counts_late(&self, at: usize) -> bool {
        let asked = self.verdict.as_ref().is_some_and(|verdict| verdict.error.kind() == ErrorKind::Terminated);
        asked && self.flights.get(at).is_some_and(|flight| flight.job.is_batch())
    }

    /// Forbids the running task to finish, if it still runs; of a batch, only if it is at this item. True: the caller
    /// kills the worker.
    pub(crate) fn condemn(&mut self, sequence: u64, only: Option<u64>, error: Error) -> bool {
        if self.verdict.is_some() || self.process.is_none() {
            return false;
        }
        if let Some(claims) = self.claims() {
            // Items may follow each other faster than this can look; but not for ever at the very same moment.
            let caught = (0..1000).any(|_| match claims.claim(sequence) {
                Claim::Running { item } if only.is_none_or(|only| only == item) => claims.condemn(sequence, item),
                // Only a task that has written over the claims can make one that it was given be gone.
                Claim::Gone => true,
                _ => false,
            });
            if !caught {
                return false;
            }
        } else if !self.has_started(sequence) {
            return false;
        }
        self.verdict = Some(Verdict { sequence, error });
        self.stage = Stage::Leaving;
        true
    }

    /// Whether it is being killed for this task.
    pub(crate) fn is_condemned_for(&self, sequence: u64) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.sequence == sequence)
    }

    /// The worker has ended before it had read everything: it cannot have started its task, unless a request to stop it
    /// was what was left.
    pub(crate) fn ended_before_reading(&mut self) {
        if let Some(flight) = self.flights.front()
            && self.claims().is_none()
            && flight.sequence != self.stopped
        {
            self.unsent = Some(flight.sequence);
        }
    }

    /// For how long it has answered nothing.
    pub(crate) fn stalled(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.progress)
    }
}
