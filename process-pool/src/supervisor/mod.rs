//! The thread that looks after a pool's workers: their words, their ends, and the deadlines.
//!
//! It waits for everything at once, and deals with one [event](Event) after the other. It alone starts and reaps
//! workers. It runs no user code: results are read by those who ask for them, and callbacks, wakers and what else may
//! run some are the [`courier`](crate::courier)'s. It makes no call that waits for somebody else: what workers write to
//! their standard error is passed on by the [`forward`](crate::forward) thread.

mod attendant;
mod clock;
mod ends;
mod logs;
mod restart;
mod stderr;

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Backend, Error, ErrorKind};
use polling::Events;
use rustix::process::Signal;

use crate::{
    death::MemoryKills,
    frame::Request,
    pool::{Ear, Heard, LONG_REST, Leftovers, Phase, Pool, REST, Stage, Timer},
    start::spawn::{Blueprint, Started},
    trace::{self, Trace},
};
use attendant::{Attendant, Source};
use logs::Logs;
use restart::RestartPolicy;

/// What may happen.
enum Event {
    /// A worker rings, or its link may have room, or it has hung up.
    Bell(usize),
    /// A worker's process has ended.
    Exit(usize),
    /// A worker has written to its standard error.
    Stderr(usize),
    /// Something was set for now.
    Due(Timer),
}

/// The call that every worker makes before it is ready.
#[derive(Debug)]
pub(crate) struct Initializer {
    pub(crate) request: Request,
    pub(crate) body: Vec<u8>,
}

/// See the [module](self).
pub(crate) struct Supervisor {
    pool: Arc<Pool>,
    blueprint: Blueprint,
    initializer: Option<Initializer>,
    attendants: Vec<Option<Attendant>>,
    /// Units whose link had more to say than was read at once.
    unfinished: VecDeque<usize>,
    /// Units whose workers do not ring at the moment, and when they are listened to.
    looked_after: Vec<(usize, Instant)>,
    memory_kills: MemoryKills,
    restart: RestartPolicy,
    logs: Logs,
}

/// How long a worker may take to answer, before it runs the initializer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a worker that was told to leave may take over it: exit handlers may run.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// How long a process whose link is closed may take to end.
const LINGER: Duration = Duration::from_millis(200);

impl Supervisor {
    pub(crate) fn new(pool: Arc<Pool>, blueprint: Blueprint, initializer: Option<Initializer>) -> Supervisor {
        let workers = pool.state.lock().units.len();
        Supervisor {
            pool,
            blueprint,
            initializer,
            attendants: (0..workers).map(|_| None).collect(),
            unfinished: VecDeque::new(),
            looked_after: Vec::new(),
            memory_kills: MemoryKills::watch(),
            restart: RestartPolicy::new(workers),
            logs: Logs::new(),
        }
    }

    /// Starts the first worker of a place.
    pub(crate) fn start(&mut self, unit: usize) -> io::Result<()> {
        let name = self.pool.state.lock().units[unit].name.clone();
        let started = self.blueprint.start(unit, &name)?;
        self.take_charge(unit, started)
    }

    fn take_charge(&mut self, unit: usize, started: Started) -> io::Result<()> {
        // A worker has its reply as a whole before it sends it.
        let longest = self.blueprint.memory_limit.unwrap_or(u64::MAX);
        let (mut attendant, outbox, inbox) = Attendant::new(started);
        let mut ear = Ear::new(inbox, longest);
        if attendant.report().is_none() {
            ear.keep_to_the_supervisor();
        }
        self.pool.open_ear(unit, ear);
        let mut state = self.pool.state.lock();
        let place = &mut state.units[unit];
        let name = place.name.clone();
        place.occupy(attendant.process(), outbox);
        let generation = place.generation;
        let is_another = generation > 1;
        match &self.initializer {
            Some(initializer) => place.send_initializer(&initializer.request, &initializer.body),
            None => {
                state.set_timer(Instant::now() + START_LIMIT, Timer::Late { unit, generation });
            }
        }
        if is_another {
            state.tally.count_restart();
        }
        state.watch_for_stop(unit, Instant::now(), &mut Leftovers::default());
        drop(state);
        let mut trace = Trace::default();
        trace.of_worker(|| trace::Event::Started { worker: name, pid: attendant.pid(), again: is_another });
        self.pool.tell(trace);
        let watched = attendant.watch(&self.pool.poller, unit);
        self.attendants[unit] = Some(attendant);
        watched?;
        // What came before it was watched has rung no bell that anybody heard.
        self.unfinished.push_back(unit);
        Ok(())
    }

    /// Ends what was started, for a pool that cannot be built after all.
    pub(crate) fn abandon(mut self) {
        for unit in 0..self.attendants.len() {
            self.pool.state.lock().units[unit].signal(Signal::KILL);
            self.bury(unit);
        }
        self.pool.announce_gone();
        self.pool.join(None);
    }

    /// Until the pool is closed and the last worker is gone.
    pub(crate) fn run(mut self) {
        let _guard = Guard(self.pool.clone());
        let mut events = Events::new();
        loop {
            self.retire_the_idle();
            if self.is_over() {
                break;
            }
            self.wait(&mut events);
            let happened: Vec<Event> = events
                .iter()
                .filter_map(|event| Source::of(event.key))
                .map(|(unit, source)| match source {
                    Source::Socket => Event::Bell(unit),
                    Source::Exit => Event::Exit(unit),
                    Source::Stderr => Event::Stderr(unit),
                })
                .collect();
            events.clear();
            let mut unfinished = std::mem::take(&mut self.unfinished);
            unfinished.extend(self.rested());
            self.resume_logs();
            unfinished.extend(std::mem::take(&mut self.pool.state.lock().backlogged));
            happened.into_iter().chain(unfinished.into_iter().map(Event::Bell)).for_each(|event| self.handle(event));
            self.look_at_the_clock();
        }
        self.pool.announce_gone();
    }

    fn is_over(&self) -> bool {
        let state = self.pool.state.lock();
        state.phase > Phase::Open
            && self.attendants.iter().all(Option::is_none)
            && (state.is_finished() || state.broken.is_some())
    }

    /// Listens to a unit after a rest.
    fn look_again(&mut self, unit: usize, rest: Duration) {
        self.looked_after.retain(|(other, _)| *other != unit);
        self.looked_after.push((unit, Instant::now() + rest));
    }

    /// The units that are to be listened to now.
    fn rested(&mut self) -> Vec<usize> {
        if self.looked_after.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        self.looked_after.extract_if(.., |(_, at)| *at <= now).map(|(unit, _)| unit).collect()
    }

    fn wait(&mut self, events: &mut Events) {
        let now = Instant::now();
        let mut next = match self.unfinished.is_empty() {
            true => self.pool.state.lock().timers.next(),
            false => Some(now),
        };
        let rested = self.looked_after.iter().map(|(_, at)| *at).min();
        next = next.into_iter().chain(rested).min();
        let timeout = next.map(|next| next.saturating_duration_since(now));
        if self.pool.poller.wait(events, timeout).is_err() {
            // Nothing that is handed to it can be wrong, so this is a passing lack of resources.
            std::thread::yield_now();
        }
        if let Some(next) = next {
            self.give_back_since(next.max(now));
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Bell(unit) => self.answer_bell(unit),
            Event::Stderr(unit) => self.read_stderr(unit),
            Event::Exit(unit) => self.bury_and_replace(unit),
            Event::Due(Timer::Limit { unit }) => self.check_limits(unit),
            Event::Due(Timer::Stall { unit }) => self.check_stall(unit),
            Event::Due(Timer::Kill { unit, generation }) => self.kill_late(unit, generation),
            Event::Due(Timer::Insist { unit, sequence }) => self.end_unanswered(unit, sequence),
            Event::Due(Timer::Late { unit, generation }) => self.check_start(unit, generation),
            Event::Due(Timer::Look { unit, generation }) => self.look_for_stop(unit, generation),
            Event::Due(Timer::Unlinked { unit, generation }) => {
                if self.pool.state.lock().units[unit].generation == generation {
                    self.give_up(unit);
                }
            }
            Event::Due(Timer::Start { unit }) => self.fill(unit),
            Event::Due(Timer::Trim) => self.pool.state.lock().trim(),
            Event::Due(Timer::Line { unit, generation }) => self.flush_line(unit, generation),
            Event::Due(Timer::Logs) => self.look_at_paused_logs(),
            Event::Due(Timer::Callbacks) => self.pool.run_callbacks(),
        }
    }

    /// A worker rings, or is to be looked at again.
    fn answer_bell(&mut self, unit: usize) {
        if self.pool.with_ear(unit, Ear::hush) == Some(false) {
            self.look_again(unit, LONG_REST);
        } else {
            self.listen(unit);
        }
    }

    /// Hears what a worker has to say, up to a bound, and sends it what is still to be sent.
    fn listen(&mut self, unit: usize) {
        const ROUNDS: usize = 16;
        let mut outcomes = 0;
        for _ in 0..ROUNDS {
            let pool = &self.pool;
            match pool.with_ear(unit, |ear| pool.hear(unit, ear)) {
                None => return,
                Some(Ok(heard)) if heard.bytes > 0 || heard.nonsense => {
                    outcomes += heard.endings.len();
                    self.note_answer(unit);
                    self.act_on(unit, heard);
                }
                Some(Ok(_)) => {
                    if self.rest_from(unit, outcomes) {
                        return;
                    }
                }
                // It has written nonsense over the link.
                Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => return self.give_up(unit),
                Some(Err(error)) => return self.hang_up(unit, &error),
            }
        }
        self.unfinished.push_back(unit);
    }

    /// Nothing more has come: sees to it that what comes next is heard. False: it has come.
    fn rest_from(&mut self, unit: usize, outcomes: usize) -> bool {
        let is_looked_after = self.pool.with_ear(unit, |ear| ear.is_to_be_looked_after(outcomes)) == Some(true);
        self.send_the_rest(unit, !is_looked_after);
        if is_looked_after {
            self.look_again(unit, REST);
        } else if self.pool.with_ear(unit, Ear::arm) == Some(false) {
            return false;
        }
        if let Some(attendant) = &self.attendants[unit]
            && let Err(error) = attendant.look_for_hang_up()
        {
            self.hang_up(unit, &error);
        }
        true
    }

    /// Deals with what was heard.
    fn act_on(&mut self, unit: usize, mut heard: Heard) {
        if heard.is_ready {
            self.restart.one_is_ready();
        }
        self.pool.act_on(unit, &mut heard);
        if let Some(error) = heard.not_ready {
            self.declined(unit, error);
        }
        if heard.nonsense {
            self.give_up(unit);
        }
    }

    fn note_answer(&mut self, unit: usize) {
        if let Some(attendant) = &mut self.attendants[unit] {
            attendant.note_answer();
        }
    }

    /// A worker has said that it cannot serve, and is about to leave. That breaks the pool if no other can.
    fn declined(&mut self, unit: usize, error: Error) {
        self.pool.state.lock().units[unit].stage = Stage::Leaving;
        if !self.others_may_serve(unit) {
            self.break_down(&broken_by_start(&self.pool.name, &error));
        }
        if let Some(attendant) = &mut self.attendants[unit] {
            attendant.declined = Some(error);
        }
    }

    /// Sends what did not fit before, and sees to it that the rest is not forgotten.
    fn send_the_rest(&mut self, unit: usize, wants_bell: bool) {
        let mut state = self.pool.state.lock();
        let place = &mut state.units[unit];
        let had = place.has_backlog();
        while place.pump() {
            if !wants_bell || !place.want_room() {
                break;
            }
        }
        let without_bell = place.claims().is_none();
        let mut leftovers = Leftovers::default();
        if had || !state.queue.is_empty() {
            // There may be room now, for bytes or for another task.
            state.dispatch(Instant::now(), &mut leftovers);
            self.pool.announce_room(&state);
        }
        let has = state.units[unit].has_backlog();
        drop(state);
        self.pool.deal_with(leftovers);
        if without_bell
            && had | has
            && let Some(attendant) = &self.attendants[unit]
        {
            attendant.watch_room(&self.pool.poller, unit, has);
        }
    }

    /// A worker has closed its end of the link, most likely because it has come to its own end, which will show in a
    /// moment.
    fn hang_up(&mut self, unit: usize, error: &io::Error) {
        let Some(attendant) = &mut self.attendants[unit] else { return };
        attendant.unwatch_socket(&self.pool.poller);
        if is_reset(error) {
            self.pool.state.lock().units[unit].ended_before_reading();
        }
        if !attendant.tells_its_end() {
            return self.give_up(unit);
        }
        let mut state = self.pool.state.lock();
        let place = &mut state.units[unit];
        place.shun();
        let generation = place.generation;
        state.set_timer(Instant::now() + LINGER, Timer::Unlinked { unit, generation });
    }

    /// Kills a worker that talks nonsense, or cannot be talked to any more; its end settles the rest.
    fn give_up(&mut self, unit: usize) {
        let Some(attendant) = &mut self.attendants[unit] else { return };
        attendant.unwatch_socket(&self.pool.poller);
        let mut state = self.pool.state.lock();
        state.units[unit].shun();
        state.units[unit].kill_for("it had closed its link to this program, or written over it, so it was killed");
        drop(state);
        if !attendant.tells_its_end() {
            self.bury_and_replace(unit);
        }
    }

    /// Lets go of workers that have had the tasks of their life, and of those that have nothing to do when the pool is
    /// closed.
    fn retire_the_idle(&mut self) {
        let mut state = self.pool.state.lock();
        let closing = state.phase > Phase::Open || state.broken.is_some();
        let all_done = state.queue.is_empty() || state.broken.is_some();
        let most = state.limits.max_tasks_per_worker;
        state.watch_room();
        for unit in 0..state.units.len() {
            let place = &mut state.units[unit];
            let idle = place.is_idle() && !place.has_backlog();
            if idle && (place.is_spent(most) || closing && all_done) {
                place.retire();
                if place.has_backlog() {
                    self.unfinished.push_back(unit);
                }
                let generation = place.generation;
                state.set_timer(Instant::now() + LEAVE_LIMIT, Timer::Kill { unit, generation });
            } else if place.stage == Stage::Starting && closing && all_done {
                // It has nothing of anybody's, and may be in the middle of a long initializer.
                place.stage = Stage::Leaving;
                place.was_let_go = true;
                place.signal(Signal::KILL);
            }
        }
    }
}

/// Whether the other end of a socket was closed with something unread in it. Not every system says so.
fn is_reset(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

/// Sees to it that nobody waits for ever should the supervisor itself fail.
struct Guard(Arc<Pool>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.collapse();
        }
    }
}

/// The reason of a pool that is broken because a worker said why it cannot serve.
fn broken_by_start(pool: &str, error: &Error) -> Error {
    Error::new(
        ErrorKind::Broken,
        format!("{pool} is broken: a worker could not start to serve: {error}. Fix that, and build another pool"),
    )
}
