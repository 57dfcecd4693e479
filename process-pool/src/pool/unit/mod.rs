//! One place for a worker, as the parent sees it: who is in it, what it was given, and what is on the way.
//!
//! A unit outlives its workers: when one dies or retires, another takes its place. Sequence numbers go on across that,
//! so a number never means two tasks.

mod flight;
mod pause;
mod sending;
mod signals;
mod steps;
mod watch;

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
    transport::{Claim, Claims, ITEM_MODULUS, Outbox, monotonic_now},
};
pub(crate) use flight::{Answer, Flight, Reached, unplace};
use flight::{custom_name, place};
use pause::GivenBack;
use sending::Backlog;
pub(crate) use watch::{Facts, Look, Watch};

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
    /// The last task that was withdrawn when it was the next to start. A worker that is well takes it off its queue
    /// soon.
    skipped: u64,
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
    /// What ran when this whole program was stopped, and for how long it was.
    given_back: GivenBack,
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
    /// The item that it is for. Outcomes of this one and of those behind it do not count any more, whoever sends them.
    item: u64,
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
            skipped: 0,
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
            given_back: GivenBack::default(),
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
            let reached = match self.has_started_flight(&flight) {
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

    /// As [`has_started`](Unit::has_started), with what is known of it besides.
    fn has_started_flight(&self, flight: &Flight) -> bool {
        flight.was_seen || flight.job.is_spent() || self.has_started(flight.sequence)
    }

    /// Whether a task that it has has started, or was seen to run before. A task that was seen to run through its claim
    /// cannot be withdrawn any more, whatever the claim says later.
    pub(crate) fn sees_started(&mut self, sequence: u64) -> bool {
        let (has_started, has_claims) = (self.has_started(sequence), self.claims().is_some());
        let Some(flight) = self.flight(sequence) else { return false };
        flight.was_seen |= has_started && has_claims;
        has_started || flight.was_seen
    }

    /// Looks whether the task that is the next to be answered has used up its time. None: it has no limit.
    pub(crate) fn look_at_limit(&mut self, now: Instant, is_in_a_reply: bool) -> Option<(u64, Look)> {
        let front = self.flights.front().filter(|flight| flight.job.time_limit.is_some())?;
        let (sequence, claims) = (front.sequence, self.claims());
        // Before the claim, which a worker changes before it says that it has taken the task.
        let is_taken = claims.is_some_and(|claims| self.has_taken(claims, sequence));
        let claim = claims.map(|claims| claims.claim(sequence));
        // Only now: a worker notes the time before it starts, so this is the time of what was seen to run, or of what
        // came after it. The other way round, a task that has just begun would be given the time of the one before it.
        let age = claims.and_then(|claims| monotonic_now().checked_sub(claims.started_at()));
        let (progress, bytes, given_back) = (self.progress, self.bytes_received, self.given_back);
        let flight = self.flights.front_mut()?;
        let limit = flight.job.time_limit?;
        // The worker's clock has gone on while this whole program was stopped.
        let age = match claim {
            Some(Claim::Running { item }) => age.map(|age| age.saturating_sub(given_back.to(sequence, item))),
            _ => age,
        };
        let facts = Facts {
            now,
            claim,
            age,
            was_seen: flight.was_seen || is_taken,
            since: flight.since,
            front_since: flight.since.max(progress),
            received: flight.job.received(),
            open: flight.job.open(),
            is_in_a_reply,
            bytes,
        };
        let look = Watch::look(&mut flight.watch, &facts, limit);
        flight.was_seen |= claim.is_some() && flight.watch.is_some();
        Some((sequence, look))
    }

    pub(crate) fn claims(&self) -> Option<&dyn Claims> {
        self.outbox.as_ref()?.claims()
    }

    pub(crate) fn flights(&self) -> &VecDeque<Flight> {
        &self.flights
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
        self.flights.iter().filter(|flight| self.has_started_flight(flight)).count()
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

    /// Whether a slot is free: it is once the worker has taken the task that had it before off its queue. The worker's
    /// word counts for tasks that it was given and that were withdrawn since, and never frees the slot of one that it
    /// has.
    fn has_slot(&self, claims: &dyn Claims) -> bool {
        let has_slot = |taken: u64| self.last_sequence.saturating_sub(taken) < claims.slots() - 1;
        // What is known mostly does, and a look takes the memory away from the worker.
        if has_slot(self.answered.max(self.sequence_before)) {
            return true;
        }
        let taken = claims.taken();
        let is_kept = |flight: &Flight| !has_slot(flight.sequence);
        taken <= self.last_sequence && has_slot(taken) && !self.flights.front().is_some_and(is_kept)
    }

    /// Whether nothing but its queue keeps it from another task, where only withdrawn tasks are left.
    fn is_clogged(&self) -> bool {
        self.is_idle() && (self.backlog.is_some() || self.claims().is_some_and(|claims| !self.has_slot(claims)))
    }

    /// Whether the worker has said that it has taken the task off its queue that is the next to be answered: then it
    /// has started it, or found it withdrawn, and has changed its claim before it said so.
    fn has_taken(&self, claims: &dyn Claims, sequence: u64) -> bool {
        (sequence..=self.last_sequence).contains(&claims.taken())
    }

    /// Whether it has still to take a task off its queue that was withdrawn right before it would have started.
    pub(crate) fn is_to_skip(&self) -> bool {
        let has_passed = |past: u64| past >= self.skipped;
        !has_passed(self.answered.max(self.sequence_before))
            && self.claims().is_some_and(|claims| !has_passed(claims.taken()))
    }

    /// Asks for the bell if it would take another task, but for those that were withdrawn and still lie in its queue:
    /// the bell tells when the worker gets past them. True: it has asked; look at [`has_room`](Unit::has_room) once
    /// more.
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
        self.flights.push_back(Flight { sequence, job, offset, since: now, was_seen: false, watch: None });
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
        if self.flights[at].job.is_spent() || self.flights[at].was_seen {
            return None;
        }
        let is_free = match self.claims() {
            // A claim that says otherwise was written over, and the task runs.
            Some(claims) if at == 0 && self.has_taken(claims, sequence) => {
                self.flights[at].was_seen = true;
                false
            }
            Some(claims) => claims.withdraw(sequence),
            None => self.unsent == Some(sequence),
        };
        if !is_free {
            return None;
        }
        if at == 0 {
            self.skipped = sequence;
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

    /// The memory of an argument that the worker has read, and that nobody is going to need any more, for its reply of
    /// this length. New memory costs more than the copy into it.
    pub(crate) fn spare_memory(&mut self, sequence: u64, length: u64) -> Option<Vec<u8>> {
        let is_sent = self.backlog.as_ref().is_none_or(|backlog| backlog.sequence != sequence);
        if !is_sent || !self.has_started(sequence) {
            return None;
        }
        // What waits behind it has not started, whatever its claim says.
        self.flights.front_mut().filter(|flight| flight.sequence == sequence)?.job.spend(length)
    }

    /// The worker has answered a task for good, or one item of it. None: it has not got that task, or not as a whole
    /// yet, so it is not to be talked to any more. A task that was withdrawn is not answered.
    pub(crate) fn answered(&mut self, sequence: u64, outcome: Cow<'_, [u8]>, now: Instant) -> Option<Answer> {
        // Answers come in the order of the requests.
        let flight = self.flights.front().filter(|flight| flight.sequence == sequence)?;
        if self.backlog.as_ref().is_some_and(|backlog| backlog.sequence == sequence) {
            return None;
        }
        let verdict = self.verdict.as_ref().filter(|verdict| verdict.sequence == sequence);
        let (condemned, most) =
            (verdict.is_some(), verdict.map_or(u64::MAX, |verdict| verdict.item.saturating_sub(flight.job.received())));
        if most == 0 {
            // Too late: it is being killed for this very task, or item, which has nothing left to do.
            self.signal(Signal::KILL);
            return Some(Answer::Part);
        }
        self.has_answered = true;
        self.answered = self.answered.max(sequence);
        let flight = self.flights.front_mut()?;
        (flight.since, flight.was_seen) = (now, true);
        let Some(reply) = flight.job.outcome(outcome, most) else { return Some(Answer::Part) };
        // Not with each item of a batch: what waits behind it waits for all of them.
        (self.progress, self.was_idle) = (now, false);
        let flight = self.flights.pop_front()?;
        if condemned {
            self.signal(Signal::KILL);
        }
        Some(Answer::Whole(flight.job, reply))
    }

    /// Whether a reply of this kind can be an answer to the task that is the next to be answered.
    pub(crate) fn expects(&self, is_batch: bool) -> bool {
        self.flights.front().is_some_and(|flight| flight.job.is_batch() == is_batch)
    }

    /// Forbids the running task to finish, if it still runs; of a batch, only if it is at this item. True: the caller
    /// kills the worker.
    pub(crate) fn condemn(&mut self, sequence: u64, only: Option<u64>, error: Error) -> bool {
        if self.verdict.is_some() || self.process.is_none() {
            return false;
        }
        let Some(job) = self.flight(sequence).map(|flight| &flight.job) else { return false };
        let (received, is_batch) = (job.received(), job.is_batch());
        let item = match self.claims() {
            Some(claims) => {
                // Items may follow each other faster than this can look; but not for ever at the very same moment.
                let caught = (0..1000).find_map(|_| match claims.claim(sequence) {
                    Claim::Running { item } if only.is_none_or(|only| only == item) => {
                        // Outcomes of the items before it may still be on their way.
                        let ahead = item.wrapping_sub(received) % ITEM_MODULUS;
                        claims.condemn(sequence, item).then_some(received + ahead)
                    }
                    // Only a task that has written over the claims can make one that it was given be gone.
                    Claim::Gone => Some(received),
                    _ => None,
                });
                let Some(item) = caught else { return false };
                item
            }
            None if !self.has_started(sequence) => return false,
            None => received,
        };
        // Of a batch that was asked to end, whichever item runs then is stopped: an outcome that comes is of one that
        // was done before. Where an item has used up its time it is that one: the error must not fall on the next.
        let is_asked = is_batch && error.kind() == ErrorKind::Terminated;
        self.pass_verdict(sequence, if is_asked { u64::MAX } else { item }, error);
        true
    }

    /// As [`condemn`](Unit::condemn), whatever the worker says of the task: it has had its chance. What it sends from
    /// here on does not count. False: it was condemned before, for this task or another.
    pub(crate) fn condemn_by_force(&mut self, sequence: u64, error: Error) -> bool {
        let Some(received) = self.flight(sequence).map(|flight| flight.job.received()) else { return false };
        let is_new = self.verdict.is_none();
        if is_new {
            self.pass_verdict(sequence, received, error);
        }
        is_new
    }

    fn pass_verdict(&mut self, sequence: u64, item: u64, error: Error) {
        self.verdict = Some(Verdict { sequence, item, error });
        self.stage = Stage::Leaving;
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
