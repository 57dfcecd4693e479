//! What the workers, the executor and its handles share.
//!
//! # Closing, step by step
//!
//! 1. The stage moves on; it never moves back. From `CancelPending` on, a worker that finds a task withdraws it.
//! 2. CLOSED is set in the counters of [`Sleep`], and every sleeper is woken. A submit that looks from here on answers
//!    `ShutDown`.
//! 3. Submitters that wait for room are sent away; they answer `ShutDown`.
//! 4. `CancelPending` and `Terminate`: the closing thread withdraws what waits, in every queue. `Terminate` sets the
//!    flag that running tasks see in `Context::is_cancelled`.
//! 5. A worker that finds nothing leaves, through the [`Gate`], which keeps the last one until nothing is left.
//!
//! What a submit sees that races with this:
//!
//! 1. It looks before step 2 and pushes before the last worker's last look: it is accepted. Its task runs, or is
//!    cancelled if the stage says so; if the closing thread had passed by already, the submitter itself withdraws it.
//! 2. It looks before step 2 and pushes later: it gets its task back at the gate, and answers `ShutDown`.
//! 3. It looks after step 2: `ShutDown`.
//!
//! So what was accepted is resolved, and what was refused never ran.

mod sweep;

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU8, Ordering::*, fence},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_deque::Stealer;
use executor_core::{
    Backend, Error, Shutdown, Task, TaskId, fork,
    host::{self, Host, HostId, IdleWatch, Registration},
    task,
};
use parking_lot::Mutex;

use crate::{
    crew::Crew,
    fresh_stack::FreshStack,
    gate::Gate,
    initializer::Initializer,
    local,
    phase::{self, Phase},
    queues::{Queues, steal},
    room::{NoRoom, Room},
    sleep::{AfterPush, AfterSearch, Sleep},
    stale::StaleCount,
};

/// The shared part of a pool.
pub(crate) struct Pool {
    pub(crate) name: Box<str>,
    born: fork::Generation,
    registration: Registration,
    pub(crate) queues: Queues,
    /// The other ends of the workers' own queues.
    stealers: Box<[Stealer<Task>]>,
    /// What each worker is at.
    phases: Box<[Phase]>,
    pub(crate) sleep: Sleep,
    /// None: the queue has no bound.
    room: Option<Room>,
    stage: AtomicU8,
    /// Asks every task that runs to stop.
    pub(crate) stop_all: Arc<AtomicBool>,
    /// Why the pool can run nothing any more. Set once, before the stage moves on for that reason.
    broken: OnceLock<Error>,
    gate: Gate,
    pub(crate) crew: Crew,
    /// Workers that wait, with a time-out, while another one is idle.
    pub(crate) idle: IdleWatch,
    pub(crate) initializer: Option<Arc<Initializer>>,
    stale: StaleCount,
    /// Held while tasks are moved between the queues, and so out of sight. No user code runs under it.
    sweeping: Mutex<()>,
}

/// The stages of a pool's life, in this order.
const OPEN: u8 = 0;
const DRAINING: u8 = 1;
const CANCELLING: u8 = 2;
const TERMINATING: u8 = 3;

impl Pool {
    /// A pool whose workers are to be started.
    pub(crate) fn new(
        name: Box<str>,
        stealers: Box<[Stealer<Task>]>,
        sleep: Sleep,
        queue_capacity: Option<usize>,
        initializer: Option<Arc<Initializer>>,
    ) -> Arc<Pool> {
        Arc::new_cyclic(|pool: &Weak<Pool>| Pool {
            name,
            born: fork::generation(),
            registration: host::register(pool.clone()),
            queues: Queues::default(),
            gate: Gate::new(stealers.len()),
            phases: stealers.iter().map(|_| Phase::starting(initializer.is_some())).collect(),
            stealers,
            sleep,
            room: queue_capacity.map(Room::new),
            stage: AtomicU8::new(OPEN),
            stop_all: Arc::default(),
            broken: OnceLock::new(),
            crew: Crew::default(),
            idle: IdleWatch::default(),
            initializer,
            stale: StaleCount::default(),
            sweeping: Mutex::default(),
        })
    }

    pub(crate) fn host(&self) -> HostId {
        self.registration.id()
    }

    pub(crate) fn is_forked_copy(&self) -> bool {
        self.born.check().is_err()
    }

    /// Takes the threads that were started, of so many that were planned.
    pub(crate) fn man(&self, threads: Vec<JoinHandle<()>>, planned: usize) {
        for phase in &self.phases[threads.len()..planned] {
            phase.set_busy();
            self.gate.give_up_one();
        }
        self.crew.set(threads);
    }

    /// Steals a task from a worker's own queue, beginning behind the given one.
    pub(crate) fn steal(&self, thief: usize) -> Option<Task> {
        let (before, after) = self.stealers.split_at(thief);
        after.iter().skip(1).chain(before).find_map(|stealer| steal(|| stealer.steal()))
    }

    /// Steals a task from another worker's own queue, beginning with the one that is so many further on, counted round
    /// and round.
    pub(crate) fn steal_from(&self, thief: usize, further: usize) -> Option<Task> {
        let (before, after) = self.stealers.split_at((thief + 1 + further) % self.stealers.len());
        let own = &self.stealers[thief];
        let mut others = after.iter().chain(before).filter(|stealer| !std::ptr::eq(*stealer, own));
        others.find_map(|stealer| steal(|| stealer.steal()))
    }

    /// Whether anything lies in any queue, be it a task that was cancelled there.
    pub(crate) fn has_work(&self) -> bool {
        !self.queues.is_empty() || self.stealers.iter().any(|stealer| !stealer.is_empty())
    }

    /// Runs a task on the worker with this number, which is the calling one, unless the pool is past running any.
    /// `searching`: it counts as a worker that searches.
    pub(crate) fn run_on(&self, worker: usize, task: Task, searching: bool) {
        // ORDERING: Acquire pairs with the Release in `advance`: who sees a later stage sees the reason too.
        if self.stage.load(Acquire) >= CANCELLING {
            self.stop_searching(searching);
            return self.discard(task);
        }
        // Claimed before this worker counts as busy. A task that waits for it with a time-out would otherwise find the
        // task in the queue and no worker idle.
        let id = task.id();
        let started = task.start();
        self.stop_searching(searching);
        let Some(started) = started else {
            // It was cancelled, or it failed without having started, because it cannot run in place.
            self.leave_room(id);
            return self.uncount_stale();
        };
        let phase = &self.phases[worker];
        if phase.set_busy() {
            self.idle.none_idle();
        }
        self.leave_room(id);
        drop(started.run());
        phase.set_free();
    }

    fn stop_searching(&self, searching: bool) {
        if searching && self.sleep.stop_searching(|| self.has_work()) == AfterSearch::NoneIdle {
            self.idle.none_idle();
        }
    }

    /// The worker with this number has run its initializer.
    pub(crate) fn has_started(&self, worker: usize) {
        if self.initializer.is_some() {
            self.phases[worker].set_free();
        }
    }

    /// The worker with this number has left, after it had counted as searching or not.
    pub(crate) fn has_left(&self, worker: usize, searching: bool) {
        self.phases[worker].set_busy();
        if searching {
            let _ = self.sleep.stop_searching(|| false);
        }
        self.idle.none_idle();
    }

    /// Resolves a task that is not to run.
    fn discard(&self, task: Task) {
        self.leave_room(task.id());
        let completed = match self.broken.get() {
            Some(reason) => task.refuse(reason.clone()),
            None => task.withdraw(),
        };
        // Callbacks run here, outside every lock.
        drop(completed);
    }

    /// Resolves everything that waits.
    fn discard_all(&self) {
        let in_deques = || self.stealers.iter().find_map(|stealer| steal(|| stealer.steal()));
        while let Some(task) = self.queues.pop().or_else(in_deques) {
            self.discard(task);
        }
    }

    /// A worker found nothing and the pool is closed. False: it has to look again.
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        self.gate.leave(|| {
            self.wait_for_sweep();
            self.has_work()
        })
    }

    /// Ends the pool for a reason that every task and every later submit is told.
    pub(crate) fn break_down(&self, reason: Error) {
        // The first reason stands.
        let _ = self.broken.set(reason);
        self.advance(CANCELLING);
    }

    fn advance(&self, stage: u8) {
        // ORDERING: Release pairs with the Acquire loads of the stage.
        self.stage.fetch_max(stage, AcqRel);
        self.sleep.close();
        if let Some(room) = &self.room {
            room.close();
        }
        if stage >= CANCELLING {
            self.discard_all();
        }
    }

    /// Takes a place for a task that carries the host's id already.
    fn enter_room(&self, task: &Task) -> Result<(), Error> {
        let Some(room) = &self.room else { return Ok(()) };
        let id = task.id();
        if task::worker_host() == self.host() {
            room.enter_over_the_bound(id);
        } else {
            room.enter(id, task.may_wait()).map_err(|no| match no {
                NoRoom::Full => room.full(&self.name),
                NoRoom::Closed => self.refusal(),
            })?;
        }
        // ORDERING: pairs with the fence of a cancel, between the change of the state and the look for the host: either
        // the canceller sees the host and calls `left_queue`, or this sees that the task was cancelled. If both happen,
        // the second one finds nothing to do.
        fence(SeqCst);
        if task.has_left_queue() {
            room.leave(id);
        }
        Ok(())
    }

    fn leave_room(&self, task: TaskId) {
        if let Some(room) = &self.room {
            room.leave(task);
        }
    }

    /// The pool was closed while a task was pushed: see [`Gate`].
    #[cold]
    fn closed_behind(&self, task: TaskId) -> Result<(), Error> {
        if let Some(task) = self.gate.reclaim(task, || self.queues.pop()) {
            self.leave_room(task.id());
            // Its future goes with the error that is answered here, so what it is resolved with is seen by nobody.
            drop(task.refuse(self.refusal()));
            return Err(self.refusal());
        }
        // ORDERING: as in `run`.
        if self.stage.load(Acquire) >= CANCELLING {
            // The closing thread may have passed by before the task was there, and every worker may be busy.
            self.discard_all();
        }
        Ok(())
    }

    #[cold]
    fn refusal(&self) -> Error {
        self.broken.get().cloned().unwrap_or_else(|| Error::shut_down(&self.name))
    }
}

/// A handle that outlives the executor is the pool itself: it does not keep the workers, who leave when it is closed.
impl Backend for Pool {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.born.check()?;
        if self.sleep.is_closed() {
            return Err(self.refusal());
        }
        // Before it takes a place, so that a cancel from now on is told.
        task.attach(self.host());
        self.enter_room(&task)?;
        let id = task.id();
        let task = match task.priority() {
            0 => match local::push(self.host(), task) {
                Ok(()) => {
                    // This very thread is a worker that has not left, and will look into its own queue before it does.
                    let _ = self.sleep.after_push();
                    return Ok(());
                }
                Err(task) => task,
            },
            _ => task,
        };
        self.queues.push(task);
        match self.sleep.after_push() {
            AfterPush::Open => Ok(()),
            AfterPush::Closed => self.closed_behind(id),
        }
    }

    fn close(&self, mode: Shutdown) {
        if self.is_forked_copy() {
            return;
        }
        match mode {
            Shutdown::Drain => self.advance(DRAINING),
            Shutdown::CancelPending => self.advance(CANCELLING),
            Shutdown::Terminate { .. } => {
                // ORDERING: the flag stands for itself.
                self.stop_all.store(true, Relaxed);
                self.advance(TERMINATING);
            }
        }
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        if self.is_forked_copy() || self.crew.has_current_thread() || task::worker_host() == self.host() {
            return false;
        }
        // A time-out too far away to be told apart from "never" is never.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.gate.wait(deadline) && self.crew.join(deadline)
    }

    fn max_workers(&self) -> usize {
        self.crew.len()
    }
}

impl Host for Pool {
    fn has_idle_worker(&self) -> bool {
        phase::has_idle(&self.phases, || self.sleep.has_idle_worker())
    }

    fn idle_watch(&self) -> Option<&IdleWatch> {
        Some(&self.idle)
    }

    fn run_on_fresh_stack(&self, size: Option<usize>, code: &mut (dyn FnMut() + Send)) -> Result<(), Error> {
        let stack = FreshStack {
            pool_name: &self.name,
            host: self.host(),
            stop_all: &self.stop_all,
            crew: &self.crew,
            initializer: self.initializer.as_ref(),
        };
        stack.run(size, code)
    }

    fn left_queue(&self, task: TaskId) {
        self.leave_room(task);
        self.count_stale();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ORDERING: for reading by people.
        let stage = match (self.broken.get(), self.stage.load(Relaxed)) {
            (Some(_), _) => "broken",
            (None, OPEN) => "open",
            (None, DRAINING) => "draining",
            (None, CANCELLING) => "cancelling",
            (None, _) => "terminating",
        };
        f.debug_struct("ThreadPoolExecutor")
            .field("name", &self.name)
            .field("workers", &self.crew.len())
            .field("stage", &stage)
            .field("waiting", &self.room.as_ref().map(Room::waiting))
            .field("sleep", &self.sleep)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
