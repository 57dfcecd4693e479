//! What all users of a pool and its supervisor share: the tasks, the workers' places, and how far the pool's life has
//! come.
//!
//! Everything that changes is in [`State`], behind one lock, which is held for short steps and never while user code
//! runs. Submitting, cancelling and closing happen in the callers' threads; everything else is the
//! [`supervisor`](crate::supervisor)'s.

mod dispatch;
mod ear;
#[cfg(fuzzing)]
pub mod fuzzing;
mod host;
mod job;
mod queue;
mod stop;
#[cfg(test)]
mod tests;
mod timers;
mod unit;
mod view;

pub(crate) use dispatch::Leftovers;
pub(crate) use ear::{Ear, Heard, LONG_REST, REST};
pub(crate) use job::{Aftermath, Ending, Job};
pub(crate) use timers::Timer;
pub(crate) use unit::{Answer, Flight, Look, Reached, Stage, Unit};

use std::{
    num::NonZero,
    sync::{Arc, OnceLock, Weak},
    thread::{self, JoinHandle, ThreadId},
    time::{Duration, Instant},
};

use executor_core::{
    Backend, Error, ErrorKind, Shutdown, Task, deadline, fork,
    host::{Host, HostId, Registration},
    task::Completed,
};
use parking_lot::{Condvar, Mutex};
use polling::Poller;
use rustix::process::Signal;

use crate::{
    courier::Courier,
    forward::Forwarder,
    trace::{Event, Trace},
};
use queue::Queue;
use timers::Timers;
use view::Tally;

/// Whoever submits while no worker has room listens to them after so many tasks: it has the lock mostly anyway, and so
/// the supervisor need not fight for it.
const LISTEN_EVERY: usize = 32;

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
    width: usize,
    /// Of tasks that ask for none themselves. Here and not behind the lock, for every submit reads it.
    time_limit: Option<Duration>,
    pub(crate) state: Mutex<State>,
    /// Locked before the state, where both are.
    ears: Box<[Mutex<Option<Ear>>]>,
    /// Notified when a bounded pool has room again, or is closed.
    room: Condvar,
    /// Notified when the last worker is gone.
    gone: Condvar,
    pub(crate) poller: Arc<Poller>,
    courier: Courier,
    pub(crate) forwarder: Forwarder,
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
    pub(crate) tally: Tally,
    /// Units whose link did not take all at once, for the supervisor to go on with.
    pub(crate) backlogged: Vec<usize>,
    /// How many threads this program can run at once.
    processors: usize,
    /// The unit that the last task was given to, and how many more it is given without a look at the others.
    served: usize,
    helping: usize,
    /// Whether tasks have come back into the queue that are older than what workers may have.
    returned: bool,
    /// Whether a task with another priority than the usual was ever submitted.
    priorities: bool,
    /// How many submitters wait for room.
    waiting_submitters: usize,
    /// Whether it is going to be looked whether the queue has more room than it needs.
    trim_is_due: bool,
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
        let poller = Arc::new(poller);
        let (width, time_limit) = (units.len(), limits.time_limit);
        let state = State::new(limits, units);
        let pool = Arc::new(Pool {
            courier: Courier::new(&name),
            forwarder: Forwarder::new(&name, poller.clone()),
            name,
            width,
            time_limit,
            state: Mutex::new(state),
            ears: (0..width).map(|_| Mutex::new(None)).collect(),
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

    fn is_supervisor(&self) -> bool {
        self.supervisor_id.get() == Some(&std::thread::current().id())
    }

    /// The processes of the workers. None in the child of a fork, whose they are not.
    pub(crate) fn processes(&self) -> Vec<u32> {
        if self.born.check().is_err() {
            return Vec::new();
        }
        self.state.lock().units.iter().filter_map(|unit| Some(unit.process.as_ref()?.number())).collect()
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
        self.tell(leftovers.trace);
    }

    /// Tells `tracing` what has happened. The lock is not held.
    pub(crate) fn tell(&self, trace: Trace) {
        if trace.is_empty() {
            return;
        }
        if !self.is_supervisor() {
            trace.tell();
        } else if !self.courier.tell(trace) {
            self.run_callbacks_later();
        }
    }

    /// Tries again to have callbacks run for which there was no thread.
    pub(crate) fn run_callbacks(&self) {
        if !self.courier.retry() {
            self.run_callbacks_later();
        }
    }

    /// There is no thread to run callbacks in: the supervisor tries again after a while. At the latest they are run by
    /// the thread that joins the pool.
    #[cold]
    fn run_callbacks_later(&self) {
        const PAUSE: Duration = Duration::from_millis(200);
        self.state.lock().set_timer(Instant::now() + PAUSE, Timer::Callbacks);
        self.notify();
    }

    /// Says that room may have come up in a bounded pool.
    pub(crate) fn announce_room(&self, state: &State) {
        if state.waiting_submitters > 0 {
            self.room.notify_all();
        }
    }

    /// The supervisor's last word.
    pub(crate) fn announce_gone(&self) {
        let mut trace = Trace::default();
        trace.of_worker(|| Event::Gone { pool: self.name.clone() });
        self.tell(trace);
        self.state.lock().phase = Phase::Gone;
        self.gone.notify_all();
        self.room.notify_all();
    }

    /// What is left to do if the supervisor fails, which is an error in this crate: everybody hears of it.
    pub(crate) fn collapse(&self) {
        let message = format!("{} is broken: its supervisor has failed, which is an error in the library", self.name);
        let reason = Error::new(ErrorKind::Broken, message);
        let mut state = self.state.lock();
        let mut endings = state.break_down(&reason);
        for unit in &mut state.units {
            unit.signal(Signal::KILL);
            endings.extend(unit.vacate().into_iter().map(|(flight, _)| flight.job.given_up(Some(&reason))));
        }
        drop(state);
        self.settle(None, endings);
        self.announce_gone();
    }

    /// Resolves futures, and has their callbacks run elsewhere. Nothing is locked.
    pub(crate) fn settle(&self, unit: Option<usize>, endings: Vec<Ending>) {
        let mut trace = Trace::default();
        for ending in &endings {
            trace.of_task(|| self.done(unit, ending));
        }
        self.tell(trace);
        let mut all_are_told = true;
        for ending in endings {
            all_are_told &= self.courier.deliver(ending.settle());
        }
        if !all_are_told {
            self.run_callbacks_later();
        }
    }

    /// What is told of the end of a task, which this unit's worker had, if any had it.
    fn done(&self, unit: Option<usize>, ending: &Ending) -> Event {
        let worker = unit.map(|unit| self.state.lock().units[unit].name.clone());
        let task = ending.task();
        Event::Done {
            task: task.id().as_u64(),
            name: task.name().to_string(),
            worker: worker.unwrap_or_default(),
            has_value: ending.has_value(),
        }
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
                Some(capacity) if state.waiting() >= capacity && !state.somebody_is_free() => {
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
        // Where tasks wait already, nobody has room who is to have one, and whoever has it next is given the first of
        // them.
        let is_next = state.queue.is_empty() || state.priorities;
        state.queue.push_back(job);
        if is_next {
            state.dispatch(Instant::now(), &mut leftovers);
            drop(state);
            self.deal_with(leftovers);
        } else if state.queue.len().is_multiple_of(LISTEN_EVERY) {
            drop(state);
            self.listen_around();
        }
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
        cancelled.iter().for_each(|ending| state.tally.count(ending));
        if let Shutdown::Terminate { grace } = mode {
            state.terminate_running(grace);
        }
        self.room.notify_all();
        drop(state);
        self.notify();
        settle_all(cancelled);
        let mut trace = Trace::default();
        trace.of_worker(|| Event::Closed { pool: self.name.clone(), mode });
        self.tell(trace);
    }
}

/// Resolves futures in the calling thread, where their callbacks run.
fn settle_all(endings: Vec<Ending>) {
    let completed: Vec<Completed> = endings.into_iter().map(Ending::settle).collect();
    drop(completed);
}

impl State {
    fn new(limits: Limits, units: Vec<Unit>) -> State {
        State {
            limits,
            phase: Phase::Open,
            broken: None,
            queue: Queue::default(),
            units,
            timers: Timers::default(),
            tally: Tally::default(),
            backlogged: Vec::new(),
            processors: thread::available_parallelism().map_or(1, NonZero::get),
            served: 0,
            helping: 0,
            returned: false,
            priorities: false,
            waiting_submitters: 0,
            trim_is_due: false,
        }
    }

    /// Whether a worker has nothing to do.
    fn somebody_is_free(&self) -> bool {
        let most = self.limits.max_tasks_per_worker;
        self.units.iter().any(|unit| unit.is_idle() && unit.has_room(most))
    }

    /// Takes out everything that has not started.
    fn cancel_waiting(&mut self) -> Vec<Ending> {
        let mut cancelled: Vec<Ending> = self.queue.drain().into_iter().map(|job| job.given_up(None)).collect();
        for unit in &mut self.units {
            let placed: Vec<u64> = unit.flights().iter().map(|flight| flight.sequence).collect();
            for sequence in placed {
                cancelled.extend(unit.withdraw(sequence, true).map(|job| job.given_up(None)));
            }
        }
        cancelled
    }

    /// Takes a task in again whose worker has died.
    pub(crate) fn take_in_again(&mut self, job: Job) {
        if job.task.recall() {
            self.queue.put_back(job);
            self.returned = true;
        }
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
        let endings: Vec<Ending> = self.queue.drain().into_iter().map(|job| job.given_up(Some(reason))).collect();
        endings.iter().for_each(|ending| self.tally.count(ending));
        endings
    }
}

impl Backend for Pool {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.born.check()?;
        task.attach(self.host());
        self.accept(Job::new(task, self.time_limit)?)
    }

    fn close(&self, mode: Shutdown) {
        if self.born.check().is_ok() {
            self.shut(mode);
        }
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        if self.born.check().is_err() {
            return false;
        }
        let until = deadline::after(timeout);
        let mut state = self.state.lock();
        if !deadline::wait_while(&self.gone, &mut state, until, |state| state.phase < Phase::Gone) {
            return false;
        }
        drop(state);
        let supervisor = self.supervisor.lock().take();
        if let Some(thread) = supervisor {
            // It has said its last word, and runs no code of the user's.
            let _ = thread.join();
        }
        self.forwarder.finish(until);
        self.courier.join(until);
        true
    }

    fn max_workers(&self) -> usize {
        self.width
    }
}
