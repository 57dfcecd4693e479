//! What all users of a pool and its supervisor share: the tasks, the workers' places, and how far the pool's life has come.
//!
//! Everything that changes is in [`State`], behind one lock, which is held for short steps and never while user code runs.
//! Submitting, cancelling and closing happen in the callers' threads; everything else is the [`supervisor`](crate::supervisor)'s.

mod dispatch;
mod job;
mod queue;
mod timers;
mod unit;

pub(crate) use dispatch::Leftovers;
pub(crate) use job::{Aftermath, Ending, Job};
pub(crate) use timers::Timer;
pub(crate) use unit::{Flight, Stage, Unit};

use std::{
    fmt,
    sync::{Arc, OnceLock, Weak},
    thread::{JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use executor_core::{
    Backend, Error, ErrorKind, Shutdown, Task, TaskId, fork,
    host::{Host, HostId, Registration},
    task::Completed,
};
use parking_lot::{Condvar, Mutex};
use polling::Poller;
use rustix::process::Signal;

use crate::{courier::Courier, transport::Claim};
use queue::Queue;
use timers::Timers;
use unit::unplace;

/// What was decided when the pool was built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) queue_capacity: Option<usize>,
    pub(crate) max_tasks_per_worker: Option<usize>,
    pub(crate) time_limit: Option<Duration>,
}

/// See the [module](self).
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) state: Mutex<State>,
    /// Notified when a bounded pool has room again, or is closed.
    room: Condvar,
    /// Notified when the last worker is gone.
    gone: Condvar,
    pub(crate) poller: Poller,
    pub(crate) courier: Courier,
    registration: OnceLock<Registration>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    supervisor_id: OnceLock<ThreadId>,
    born: fork::Generation,
}

/// See the [module](self).
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) phase: Phase,
    /// Why nothing can be run any more.
    pub(crate) broken: Option<Error>,
    pub(crate) queue: Queue,
    pub(crate) units: Vec<Unit>,
    pub(crate) timers: Timers,
    /// Units whose link did not take all at once, for the supervisor to go on with.
    pub(crate) backlogged: Vec<usize>,
    /// Whether a task with another priority than the usual was ever submitted.
    priorities: bool,
    /// How many submitters wait for room.
    waiting_submitters: usize,
}

/// How far the pool's life has come. Later is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Takes tasks.
    Open,
    /// Runs what it has.
    Draining,
    /// Finishes what runs.
    Cancelling,
    /// Stops what runs.
    Terminating,
    /// Every worker is gone.
    Gone,
}

impl Pool {
    pub(crate) fn new(name: String, limits: Limits, units: Vec<Unit>) -> Result<Arc<Pool>, Error> {
        let poller = Poller::new().map_err(|cause| {
            Error::new(ErrorKind::Other, format!("{name} could not be built: no descriptor to wait with: {cause}"))
        })?;
        let state = State {
            limits,
            phase: Phase::Open,
            broken: None,
            queue: Queue::default(),
            units,
            timers: Timers::default(),
            backlogged: Vec::new(),
            priorities: false,
            waiting_submitters: 0,
        };
        let pool = Arc::new(Pool {
            courier: Courier::new(&name),
            name,
            state: Mutex::new(state),
            room: Condvar::new(),
            gone: Condvar::new(),
            poller,
            registration: OnceLock::new(),
            supervisor: Mutex::new(None),
            supervisor_id: OnceLock::new(),
            born: fork::generation(),
        });
        let host: Weak<dyn Host> = Arc::<Pool>::downgrade(&pool);
        let _ = pool.registration.set(executor_core::host::register(host));
        Ok(pool)
    }

    pub(crate) fn supervised_by(&self, thread: JoinHandle<()>) {
        let _ = self.supervisor_id.set(thread.thread().id());
        *self.supervisor.lock() = Some(thread);
    }

    fn host(&self) -> HostId {
        self.registration.get().map_or(HostId::NONE, Registration::id)
    }

    /// Wakes the supervisor.
    pub(crate) fn notify(&self) {
        // Fails only if the descriptor is gone, and then the supervisor is too.
        let _ = self.poller.notify();
    }

    /// Does what dispatching left to do. The lock is not held.
    pub(crate) fn deal_with(&self, leftovers: Leftovers) {
        drop(leftovers.left);
        if leftovers.wake_supervisor {
            self.notify();
        }
    }

    /// Says that room may have come up in a bounded pool.
    pub(crate) fn announce_room(&self, state: &State) {
        if state.waiting_submitters > 0 {
            self.room.notify_all();
        }
    }

    /// The supervisor's last word.
    pub(crate) fn announce_gone(&self) {
        self.state.lock().phase = Phase::Gone;
        self.gone.notify_all();
        self.room.notify_all();
    }

    fn accept(&self, job: Job) -> Result<(), Error> {
        let mut leftovers = Leftovers::default();
        let mut state = self.state.lock();
        loop {
            if let Some(reason) = &state.broken {
                return Err(reason.clone());
            }
            if state.phase > Phase::Open {
                return Err(Error::shut_down(&self.name));
            }
            match state.limits.queue_capacity {
                Some(capacity) if state.waiting() >= capacity && !state.units.iter().any(Unit::is_idle) => {
                    if !job.task.may_wait() {
                        return Err(Error::queue_full(&self.name, capacity));
                    }
                    state.waiting_submitters += 1;
                    self.room.wait(&mut state);
                    state.waiting_submitters -= 1;
                }
                _ => break,
            }
        }
        let priority = job.task.priority();
        state.priorities |= priority != 0;
        if state.priorities {
            state.make_way_for(priority);
        }
        state.queue.push_back(job);
        state.dispatch(Instant::now(), &mut leftovers);
        drop(state);
        self.deal_with(leftovers);
        Ok(())
    }

    /// Stops accepting, and cancels or stops what the mode says.
    fn shut(&self, mode: Shutdown) {
        let phase = match mode {
            Shutdown::Drain => Phase::Draining,
            Shutdown::CancelPending => Phase::Cancelling,
            Shutdown::Terminate { .. } => Phase::Terminating,
        };
        let mut cancelled = Vec::new();
        let mut state = self.state.lock();
        state.phase = state.phase.max(phase);
        if phase >= Phase::Cancelling {
            cancelled = state.cancel_waiting();
        }
        if let Shutdown::Terminate { grace } = mode {
            state.terminate_running(grace);
        }
        self.room.notify_all();
        drop(state);
        self.notify();
        settle_all(cancelled);
    }
}

/// Resolves futures in the calling thread, where their callbacks run.
fn settle_all(endings: Vec<Ending>) {
    let completed: Vec<Completed> = endings.into_iter().map(Ending::settle).collect();
    drop(completed);
}

impl State {
    /// Takes out everything that has not started.
    fn cancel_waiting(&mut self) -> Vec<Ending> {
        let mut cancelled: Vec<Ending> = self.queue.drain().into_iter().map(|job| Ending::Cancel(job.task)).collect();
        for unit in &mut self.units {
            let placed: Vec<u64> = unit.flights().iter().map(|flight| flight.sequence).collect();
            for sequence in placed {
                cancelled.extend(unit.withdraw(sequence, true).map(|job| Ending::Cancel(job.task)));
            }
        }
        cancelled
    }

    /// Stops every task that runs.
    fn terminate_running(&mut self, grace: Duration) {
        for index in 0..self.units.len() {
            let running: Vec<u64> = self.units[index].flights().iter().map(|flight| flight.sequence).collect();
            for sequence in running {
                self.terminate(index, sequence, grace);
            }
        }
    }

    /// Stops one task, if it runs.
    fn terminate(&mut self, index: usize, sequence: u64, grace: Duration) -> bool {
        let unit = &mut self.units[index];
        let Some(flight) = unit.flight(sequence) else { return false };
        let name = flight.job.task.name().to_string();
        let error =
            Error::new(ErrorKind::Terminated, format!("task `{name}` was running and was stopped, as was asked for"));
        if !self.condemn(index, sequence, error) {
            return false;
        }
        let unit = &self.units[index];
        if let Some(claims) = unit.claims() {
            claims.ask_to_stop(sequence);
        }
        if grace.is_zero() {
            unit.signal(Signal::KILL);
        } else {
            unit.signal(Signal::TERM);
            // One that was stopped by `SIGSTOP` hears nothing before it goes on.
            unit.signal(Signal::CONT);
            let generation = unit.generation;
            // A grace too long to be told apart from "for ever" sets no timer.
            if let Some(at) = Instant::now().checked_add(grace) {
                self.timers.set(at, Timer::Kill { unit: index, generation });
            }
        }
        true
    }

    /// Takes back what waits behind a task, and forbids the task to finish. True: the caller kills its worker.
    pub(crate) fn condemn(&mut self, index: usize, sequence: u64, error: Error) -> bool {
        let unit = &mut self.units[index];
        let behind: Vec<u64> =
            unit.flights().iter().map(|flight| flight.sequence).filter(|other| *other != sequence).collect();
        let taken: Vec<Job> = behind.into_iter().filter_map(|other| unit.withdraw(other, false)).collect();
        for job in taken.into_iter().rev() {
            job.task.recall();
            self.queue.push_front(job);
        }
        self.units[index].condemn(sequence, error)
    }

    /// Whether there is nothing left to do.
    pub(crate) fn is_finished(&self) -> bool {
        self.queue.is_empty() && self.units.iter().all(|unit| unit.flights().is_empty())
    }

    /// Makes the pool useless, for this reason. Answers what can never run now.
    pub(crate) fn break_down(&mut self, reason: &Error) -> Vec<Ending> {
        if self.broken.is_none() {
            self.broken = Some(reason.clone());
        }
        self.queue.drain().into_iter().map(|job| Ending::Error(job.task, reason.clone())).collect()
    }
}

impl Backend for Pool {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.born.check()?;
        let limit = self.state.lock().limits.time_limit;
        task.attach(self.host());
        self.accept(Job::new(task, limit)?)
    }

    fn close(&self, mode: Shutdown) {
        if self.born.check().is_ok() {
            self.shut(mode);
        }
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        if self.born.check().is_err() || self.supervisor_id.get() == Some(&std::thread::current().id()) {
            return false;
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        while state.phase < Phase::Gone {
            match deadline {
                None => self.gone.wait(&mut state),
                Some(deadline) => {
                    if self.gone.wait_until(&mut state, deadline).timed_out() {
                        return state.phase == Phase::Gone;
                    }
                }
            }
        }
        drop(state);
        let supervisor = self.supervisor.lock().take();
        if let Some(thread) = supervisor {
            // It has said its last word, and contains every panic of the user's.
            let _ = thread.join();
        }
        self.courier.join();
        true
    }

    fn max_workers(&self) -> usize {
        self.state.lock().units.len()
    }
}

impl Host for Pool {
    fn withdraw(&self, _: TaskId, place: u64) -> bool {
        if self.born.check().is_err() {
            return false;
        }
        let (index, sequence) = unplace(place);
        let mut leftovers = Leftovers::default();
        let mut state = self.state.lock();
        let Some(job) = state.units.get_mut(index).and_then(|unit| unit.withdraw(sequence, true)) else {
            return false;
        };
        // Under the lock, so that a second cancel, which does not find the job any more, finds the task cancelled.
        let completed = job.task.cancel();
        state.dispatch(Instant::now(), &mut leftovers);
        self.announce_room(&state);
        drop(state);
        self.deal_with(leftovers);
        drop(completed);
        true
    }

    fn started(&self, _: TaskId, place: u64) -> bool {
        if self.born.check().is_err() {
            return false;
        }
        let (index, sequence) = unplace(place);
        let mut state = self.state.lock();
        let Some(unit) = state.units.get_mut(index) else { return false };
        if unit.flight(sequence).is_none() {
            return false;
        }
        unit.claims().is_none_or(|claims| claims.claim(sequence) != Claim::Offered)
    }

    fn terminate(&self, _: TaskId, place: u64, grace: Duration) -> bool {
        if self.born.check().is_err() {
            return false;
        }
        let (index, sequence) = unplace(place);
        let mut leftovers = Leftovers::default();
        let mut state = self.state.lock();
        if index >= state.units.len() || !state.terminate(index, sequence, grace) {
            return false;
        }
        state.dispatch(Instant::now(), &mut leftovers);
        drop(state);
        leftovers.wake_supervisor = true;
        self.deal_with(leftovers);
        true
    }

    fn ask_to_stop(&self, _: TaskId, place: u64) {
        if self.born.check().is_err() {
            return;
        }
        let (index, sequence) = unplace(place);
        let mut state = self.state.lock();
        if let Some(unit) = state.units.get_mut(index)
            && unit.flight(sequence).is_some()
            && let Some(claims) = unit.claims()
        {
            claims.ask_to_stop(sequence);
        }
    }

    fn left_queue(&self, _: TaskId) {
        if self.born.check().is_err() {
            return;
        }
        let mut state = self.state.lock();
        state.queue.left();
        self.announce_room(&state);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("phase", &state.phase)
            .field("waiting", &state.waiting())
            .field("workers", &state.units.iter().filter(|unit| unit.stage == Stage::Ready).count())
            .finish_non_exhaustive()
    }
}
