//! The thread that manages a pool's workers: their replies, their deaths, and the deadlines.
//!
//! It waits for all kinds of [event](Event) together, and handles one after the other. It alone starts and reaps
//! workers. It runs no user code: results are decoded by the threads that ask for them, and callbacks, wakers and other
//! user code run in the [callback thread](crate::callbacks). It makes no call that another program can block: the
//! [`forward`](crate::forward) thread passes on the standard error of workers.

mod clock;
mod forwarding;
mod logs;
mod reading;
mod reaping;
mod restart;
mod starting;
mod stderr;
mod telemetry;
mod worker_io;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Backend, Error, codec::handles::Handles};

use crate::{
    death::MemoryKills,
    frame::Request,
    lines::Lines,
    pool::{PerSlot, Phase, Pool, SlotId, Timer},
    process::Ending,
    start::spawn::Blueprint,
    sys::poller::Events,
};
use logs::Logs;
use restart::RestartPolicy;
pub(crate) use worker_io::Source;
use worker_io::WorkerIo;

/// The events that the supervisor handles.
enum Event {
    /// A worker rings its doorbell, or its link may have space, or it has closed the link.
    Doorbell(SlotId),
    /// A worker's process has ended.
    Exit(SlotId),
    /// A worker has written to its standard error.
    Stderr(SlotId),
    /// A worker has written to its standard output, which a function gets.
    Stdout(SlotId),
    /// A worker has sent events of its tasks.
    Telemetry(SlotId),
    /// The channel for descriptors has space again.
    Channel(SlotId),
    /// A timer is due.
    Due(Timer),
}

impl Event {
    fn of(slot: SlotId, source: Source) -> Event {
        match source {
            Source::Socket => Event::Doorbell(slot),
            Source::Exit => Event::Exit(slot),
            Source::Stderr => Event::Stderr(slot),
            Source::Channel => Event::Channel(slot),
            Source::Stdout => Event::Stdout(slot),
            Source::Telemetry => Event::Telemetry(slot),
        }
    }
}

/// The call that every worker makes before it is ready.
#[derive(Debug)]
pub(crate) struct Initializer {
    pub(crate) request: Request,
    pub(crate) body: Vec<u8>,
    /// The handles of its argument.
    pub(crate) handles: Handles,
}

/// See the [module](self).
pub(crate) struct Supervisor {
    pool: Arc<Pool>,
    blueprint: Blueprint,
    initializer: Option<Initializer>,
    worker_io: PerSlot<Option<WorkerIo>>,
    /// Slots whose link had more bytes than one read takes.
    unfinished: VecDeque<SlotId>,
    /// Slots whose workers need not ring, each with the time at which the supervisor reads its replies.
    later_reads: Vec<(SlotId, Instant)>,
    memory_kills: MemoryKills,
    restart: RestartPolicy,
    logs: Logs,
    /// The lines of the standard output and of the standard error that wait for a function, if there is one.
    stdout_lines: Option<Arc<Lines>>,
    stderr_lines: Option<Arc<Lines>>,
    /// What is told about the worker if it is a process of its own, which no other replaces.
    process: Option<OwnProcess>,
    /// The place of the first slot among all that the poller reports.
    first_place: usize,
    /// When it last looked at the clock.
    looked_at: Instant,
}

/// What the supervisor of a single process needs besides its pool.
pub(crate) struct OwnProcess {
    /// The name of the function that it runs.
    pub(crate) task: String,
    pub(crate) ending: Arc<Ending>,
}

/// What a supervisor without a thread of its own needs next.
#[must_use]
pub(crate) enum Step {
    /// It must be run again at this time, or when something happens.
    Wait(Option<Instant>),
    /// Its worker is gone, and it has nothing left to do.
    Over,
}

impl Supervisor {
    pub(crate) fn new(pool: Arc<Pool>, blueprint: Blueprint, initializer: Option<Initializer>) -> Supervisor {
        let workers = pool.max_workers();
        if let Some(rules) = &blueprint.sandbox {
            pool.state.lock().has_sandbox = true;
            if rules.reports_refusals() {
                pool.collect_refusals();
            }
        }
        Supervisor {
            process: None,
            first_place: 0,
            looked_at: Instant::now(),
            pool,
            stdout_lines: blueprint.stdout.function().cloned().map(Lines::new),
            stderr_lines: blueprint.stderr.function().cloned().map(Lines::new),
            blueprint,
            initializer,
            worker_io: PerSlot::new(workers, |_| None),
            unfinished: VecDeque::new(),
            later_reads: Vec::new(),
            memory_kills: MemoryKills::watch(),
            restart: RestartPolicy::new(workers),
            logs: Logs::new(),
        }
    }

    /// Makes the supervisor of a process of its own, which is the only worker of its pool. It has no thread: its caller
    /// [runs](Supervisor::step) it. `place` is the place under which the poller reports its events.
    pub(crate) fn of_process(pool: Arc<Pool>, blueprint: Blueprint, process: OwnProcess, place: usize) -> Supervisor {
        let supervisor = Supervisor::new(pool, blueprint, None);
        Supervisor { process: Some(process), first_place: place, ..supervisor }
    }

    /// Handles the events of these sources, and everything else that is to be done now. `due` is when this should have
    /// been called.
    pub(crate) fn step(&mut self, happened: &[Source], due: Option<Instant>) -> Step {
        self.give_back_since(due.unwrap_or_else(Instant::now));
        self.handle_all(happened.iter().map(|source| Event::of(SlotId::FIRST, *source)).collect());
        self.adjust_workers();
        if self.is_over() {
            self.pool.note_gone();
            return Step::Over;
        }
        let now = self.look();
        Step::Wait(self.next_wake(now))
    }

    /// Ends the process, if it was started, and completes its future with this error.
    pub(crate) fn give_up(&mut self, error: &Error) {
        self.break_down(error);
        self.reap(SlotId::FIRST);
        if let Some(process) = &self.process {
            process.ending.set(None);
        }
        self.pool.note_gone();
    }

    /// Stops the workers and threads of a pool whose build has failed.
    pub(crate) fn abandon(mut self) {
        for slot in self.worker_io.ids() {
            self.reap(slot);
        }
        self.pool.announce_gone();
        self.pool.join(None);
    }

    /// Runs until the pool is closed and the last worker is gone.
    pub(crate) fn run(mut self) {
        let _guard = Guard(self.pool.clone());
        let mut events = Events::new();
        loop {
            self.adjust_workers();
            if self.is_over() {
                break;
            }
            self.wait(&mut events);
            let happened = events
                .iter()
                .filter_map(|event| Source::of(event.key))
                .map(|(place, source)| Event::of(SlotId::new(place), source))
                .collect();
            events.clear();
            self.handle_all(happened);
        }
        for lines in [self.stdout_lines.take(), self.stderr_lines.take()].into_iter().flatten() {
            self.pool.finish_lines(lines);
        }
        self.pool.deliver_telemetry();
        self.pool.announce_gone();
    }

    /// Handles these events, and everything else that is to be done now.
    fn handle_all(&mut self, happened: Vec<Event>) {
        let mut to_read = std::mem::take(&mut self.unfinished);
        to_read.extend(self.take_due_reads());
        self.resume_logs();
        to_read.extend(self.pool.state.lock().take_for_supervisor());
        happened.into_iter().chain(to_read.into_iter().map(Event::Doorbell)).for_each(|event| self.handle(event));
        self.handle_due_timers();
    }

    fn is_over(&self) -> bool {
        let state = self.pool.state.lock();
        state.phase > Phase::Open
            && self.worker_io.iter().all(Option::is_none)
            && (state.is_finished() || state.broken.is_some())
    }

    /// Tells workers what they must know although they have no task: which handles to forget, and that they may leave.
    /// Starts workers for the tasks that wait for one.
    fn adjust_workers(&mut self) {
        let mut state = self.pool.state.lock();
        state.set_trim_check();
        self.unfinished.extend(state.send_forgets());
        self.unfinished.extend(state.retire_idle_workers(Instant::now()));
        let wanted = state.take_wanted_slots();
        drop(state);
        wanted.into_iter().for_each(|slot| self.fill(slot));
    }

    /// Returns when there is something to do again, even if nothing happens.
    fn next_wake(&self, now: Instant) -> Option<Instant> {
        let next = match self.unfinished.is_empty() {
            true => self.pool.state.lock().timers.next(),
            false => Some(now),
        };
        let next_read = self.later_reads.iter().map(|(_, at)| *at).min();
        next.into_iter().chain(next_read).min()
    }

    fn wait(&mut self, events: &mut Events) {
        let now = self.look();
        let next = self.next_wake(now);
        let timeout = next.map(|next| next.saturating_duration_since(now));
        if self.pool.poller.wait(events, timeout).is_err() {
            // No argument can be wrong here, so this is a temporary lack of resources.
            std::thread::yield_now();
        }
        self.look_after_wait(next);
    }

    /// Schedules another read of a slot after a backoff.
    fn schedule_read(&mut self, slot: SlotId, backoff: Duration) {
        self.later_reads.retain(|(other, _)| *other != slot);
        self.later_reads.push((slot, Instant::now() + backoff));
    }

    /// Returns the slots whose backoff is over.
    fn take_due_reads(&mut self) -> Vec<SlotId> {
        if self.later_reads.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let mut due = Vec::new();
        self.later_reads.retain(|&(slot, at)| {
            if at <= now {
                due.push(slot);
            }
            at > now
        });
        due
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Doorbell(slot) => self.on_doorbell(slot),
            Event::Stderr(slot) => self.read_stderr(slot),
            Event::Stdout(slot) => self.read_stdout(slot),
            Event::Telemetry(slot) => self.read_telemetry(slot),
            Event::Channel(slot) => self.send_rest(slot, true),
            Event::Exit(slot) => self.reap_and_replace(slot),
            Event::Due(timer) => self.on_timer(timer),
        }
    }

    /// Breaks the pool with this error.
    fn break_down(&mut self, reason: &Error) {
        let deferred = self.pool.state.lock().break_down(reason);
        self.pool.perform(deferred);
        self.pool.notify_sandboxed();
    }
}

/// Completes every future if the supervisor itself fails.
struct Guard(Arc<Pool>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.collapse();
        }
    }
}
