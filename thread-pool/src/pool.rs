//! What the workers, the executor and its handles share.

mod closing;
mod idle;
mod place;
mod scoped;
mod stage;
mod starting;
mod statistics;
mod sweep;

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*, fence},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use crossbeam_deque::Stealer;
use executor_core::{
    Backend, Error, Shutdown, Task, TaskId, deadline, fork,
    growing::Growing,
    host::{self, Host, HostId, IdleWatch, Registration},
    task::{self, Ended},
};
use parking_lot::Mutex;

use crate::{
    counts::TaskCounts,
    exit_gate::ExitGate,
    fresh_stack::FreshStack,
    idle_waiters::IdleWaiters,
    initializer::Initializer,
    job::Job,
    join::{half::HalfRef, latch::Joiner},
    local,
    phase::{self, Before, Phase},
    queue_bound::{QueueBound, Refused},
    queues::{Queues, steal},
    sleep::{AfterPush, AfterSearch, Sleep, Width},
    stale::StaleCount,
    threads::Threads,
};
pub(crate) use place::{FreePlaces, Place};
use stage::{Stage, StageCell};

/// The shared part of a pool.
pub(crate) struct Pool {
    /// The pool itself, for threads that it starts.
    own: Weak<Pool>,
    pub(crate) name: Box<str>,
    stack_size: Option<usize>,
    generation: fork::Generation,
    registration: Registration,
    pub(crate) queues: Queues,
    /// The stealing ends of the workers' own queues, by the number of the worker. A queue stays when its worker leaves,
    /// and so may tasks in it.
    stealers: Growing<Stealer<Task>>,
    /// The stealing ends of the workers' own queues of scoped jobs.
    scoped: Growing<Stealer<Job>>,
    /// What is needed to wake workers that wait in a join.
    pub(crate) joiners: Growing<Joiner>,
    /// What each worker is doing.
    phases: Growing<Phase>,
    pub(crate) sleep: Sleep,
    /// The numbers that no worker has.
    free_places: FreePlaces,
    /// The largest number of workers, for callers that do not need the lock.
    most_workers: AtomicUsize,
    /// `None` if the queue has no bound.
    bound: Option<QueueBound>,
    stage: StageCell,
    /// Asks all running tasks to stop.
    pub(crate) stop_all: Arc<AtomicBool>,
    /// Why the pool can run no more tasks. It is set once, before the stage advances for that reason.
    broken: OnceLock<Error>,
    exit_gate: ExitGate,
    pub(crate) threads: Threads,
    /// Workers that wait with a time-out while another worker is idle.
    pub(crate) idle: IdleWatch,
    /// Threads that wait until all workers are idle.
    idle_waiters: IdleWaiters,
    pub(crate) initializer: Option<Arc<Initializer>>,
    stale: StaleCount,
    /// The tasks that ended on threads that are no workers of this pool, such as those with a fresh stack.
    ended_elsewhere: TaskCounts,
    /// The tasks that were cancelled before they started.
    cancelled: AtomicU64,
    /// Held while tasks move between queues, because they are invisible meanwhile. No user code runs under it.
    sweeping: Mutex<()>,
}

impl Pool {
    /// Returns a pool of this width, which counts its least number of workers and has not started them.
    pub(crate) fn new(
        name: Box<str>,
        width: Width,
        stack_size: Option<usize>,
        queue_capacity: Option<usize>,
        initializer: Option<Arc<Initializer>>,
    ) -> Arc<Pool> {
        let (sleep, sleepers) = Sleep::new(width);
        let places: Vec<Place> = sleepers.into_iter().map(Place::new).collect();
        Arc::new_cyclic(|pool: &Weak<Pool>| Pool {
            own: pool.clone(),
            name,
            stack_size,
            generation: fork::generation(),
            registration: host::register(pool.clone()),
            queues: Queues::default(),
            exit_gate: ExitGate::new(width.least()),
            phases: Growing::new(places.iter().map(|_| Phase::of_no_worker())),
            stealers: Growing::new(places.iter().map(Place::stealer)),
            scoped: Growing::new(places.iter().map(Place::scoped_stealer)),
            joiners: Growing::new(places.iter().map(Place::joiner)),
            free_places: FreePlaces::new(places),
            sleep,
            most_workers: AtomicUsize::new(width.most),
            bound: queue_capacity.map(QueueBound::new),
            stage: StageCell::default(),
            stop_all: Arc::default(),
            broken: OnceLock::new(),
            threads: Threads::default(),
            idle: IdleWatch::default(),
            idle_waiters: IdleWaiters::default(),
            initializer,
            stale: StaleCount::default(),
            ended_elsewhere: TaskCounts::default(),
            cancelled: AtomicU64::new(0),
            sweeping: Mutex::default(),
        })
    }

    pub(crate) fn host(&self) -> HostId {
        self.registration.id()
    }

    pub(crate) fn is_forked_copy(&self) -> bool {
        self.generation.check().is_err()
    }

    /// Steals a job from the queues of another worker, beginning behind the thief's own.
    pub(crate) fn steal(&self, thief: usize) -> Option<Job> {
        let workers = self.stealers.len();
        (thief + 1..workers).chain(0..thief).find_map(|victim| {
            steal(|| self.stealers[victim].steal()).map(Job::Task).or_else(|| self.steal_scoped(victim))
        })
    }

    /// Steals a job from the queues of another worker, beginning `further` workers after the thief's successor, counted
    /// in a circle. `takes_scoped` says whether it may be a scoped job; every second round begins with these.
    pub(crate) fn steal_from(&self, thief: usize, further: usize, takes_scoped: bool) -> Option<Job> {
        let is_scoped_first = further / self.stealers.len() % 2 == 1;
        self.others(thief, further).find_map(|victim| {
            let task = || steal(|| self.stealers[victim].steal()).map(Job::Task);
            match (takes_scoped, is_scoped_first) {
                (true, true) => self.steal_scoped(victim).or_else(task),
                (true, false) => task().or_else(|| self.steal_scoped(victim)),
                (false, _) => task(),
            }
        })
    }

    /// Steals a scoped job from another worker, in the order of [`steal_from`](Pool::steal_from).
    pub(crate) fn steal_scoped_from(&self, thief: usize, further: usize) -> Option<Job> {
        self.others(thief, further).find_map(|victim| self.steal_scoped(victim))
    }

    /// Returns the other workers, beginning `further` workers after this one's successor.
    fn others(&self, worker: usize, further: usize) -> impl Iterator<Item = usize> {
        let workers = self.stealers.len();
        (0..workers).map(move |offset| (worker + 1 + further + offset) % workers).filter(move |other| *other != worker)
    }

    /// Returns `true` if any queue contains a task, even if the task is stale.
    pub(crate) fn has_work(&self) -> bool {
        !self.queues.is_empty()
            || self.stealers.iter().any(|stealer| !stealer.is_empty())
            || self.scoped.iter().any(|stealer| !stealer.is_empty())
    }

    /// Runs a task on the worker with this number, which is the calling one, or cancels it if the pool runs no more
    /// tasks. `searching` says whether the worker counts as searching; afterwards it does not.
    ///
    /// It is part of the loop of a worker, which would otherwise save its registers for each task.
    #[inline(always)]
    pub(crate) fn run_on(&self, worker: usize, task: Task, searching: bool) {
        if !self.stage.runs_tasks() {
            return self.run_nothing(task, searching);
        }
        // The task is claimed before this worker counts as busy. Otherwise a task that waits for it with a time-out
        // could find it in the queue and no worker idle.
        let id = task.id();
        let started = task.start();
        self.stop_searching(searching);
        let Some(started) = started else { return self.was_not_started(id) };
        let phase = &self.phases[worker];
        if phase.set_busy() == Before::Starting {
            self.idle.none_idle();
        }
        self.release_bound(id);
        started.run_to_end(|ended| phase.count(ended));
        phase.set_free();
    }

    /// Cancels a task of a pool that runs no more tasks.
    #[inline(never)]
    fn run_nothing(&self, task: Task, searching: bool) {
        self.stop_searching(searching);
        self.discard(task);
    }

    /// Notes that a task was cancelled or run inline, or that it failed without starting because it cannot run in
    /// place.
    #[inline(never)]
    fn was_not_started(&self, task: TaskId) {
        self.release_bound(task);
        self.uncount_stale();
    }

    /// Runs a job as [`run_on`](Pool::run_on) does.
    #[inline(always)]
    pub(crate) fn run_job_on(&self, worker: usize, job: Job, searching: bool) {
        match job {
            Job::Task(task) => self.run_on(worker, task, searching),
            Job::Half(half) => self.run_half_on(worker, half, searching),
        }
    }

    /// Runs a half that was stolen. The owner can help if no other scoped job is in this worker's queue.
    #[inline(never)]
    fn run_half_on(&self, worker: usize, half: HalfRef, searching: bool) {
        self.stop_searching(searching);
        if self.phases[worker].set_busy() == Before::Starting {
            self.idle.none_idle();
        }
        let helped = (!self.has_scoped(worker)).then_some(worker);
        half.run(helped, &self.joiners);
        self.phases[worker].set_free();
    }

    pub(crate) fn stop_searching(&self, searching: bool) {
        if searching {
            match self.sleep.stop_searching(|| self.has_work()) {
                AfterSearch::SomeIdle => {}
                AfterSearch::NoneIdle => self.idle.none_idle(),
                AfterSearch::MustStart => {
                    self.start_one_more();
                    self.idle.none_idle();
                }
            }
        }
    }

    /// Notes that the worker with this number has run its initializer.
    pub(crate) fn has_started(&self, worker: usize) {
        if self.initializer.is_some() {
            self.phases[worker].set_free();
        }
    }

    /// Notes that the worker with this number has left. `searching` says whether it counted as searching.
    pub(crate) fn has_left(&self, worker: usize, searching: bool) {
        self.phases[worker].set_gone();
        if searching {
            let _ = self.sleep.stop_searching(|| false);
        }
        self.idle.none_idle();
        self.left_for_waiters();
    }

    /// Counts a task as waiting. The task must be attached to this host.
    #[inline]
    fn acquire_bound(&self, task: &Task) -> Result<(), Error> {
        match &self.bound {
            Some(bound) => self.acquire(bound, task),
            None => Ok(()),
        }
    }

    /// It is not inlined, because most pools have no bound.
    #[inline(never)]
    fn acquire(&self, bound: &QueueBound, task: &Task) -> Result<(), Error> {
        let id = task.id();
        if task::worker_host() == self.host() {
            bound.acquire_past_bound(id);
        } else {
            bound.acquire(id, task.may_wait()).map_err(|refused| match refused {
                Refused::Full => bound.full_error(&self.name),
                Refused::Closed => self.refusal(),
            })?;
        }
        // ORDERING: pairs with the fence of a cancel between its change of the state and its read of the host. Either
        // the canceller sees the host and calls `left_queue`, or this thread sees that the task was cancelled. If both
        // happen, the second release changes nothing.
        fence(SeqCst);
        if task.has_left_queue() {
            bound.release(id);
        }
        Ok(())
    }

    /// Returns whether a task goes to the injector, and nothing is to be done for it but its push.
    #[inline]
    fn takes_plainly(&self, task: &Task) -> bool {
        self.generation.check().is_ok()
            && !self.sleep.is_closed()
            && self.bound.is_none()
            && task.priority() == 0
            && !local::is_of(self.host())
    }

    /// Accepts a task. `push_locally` puts a task of priority 0 into a queue of the calling worker, or returns it.
    // A usual submit does not come here, and need not save the registers that this needs.
    #[inline(never)]
    fn accept(&self, task: Task, push_locally: impl FnOnce(HostId, Task) -> Result<(), Task>) -> Result<(), Error> {
        self.generation.check()?;
        if self.sleep.is_closed() {
            return Err(self.refusal());
        }
        // The task is attached before it counts as waiting, so that a later cancel calls `left_queue`.
        task.attach(self.host());
        self.acquire_bound(&task)?;
        let id = task.id();
        let priority = task.priority();
        let task = match priority {
            0 => match push_locally(self.host(), task) {
                Ok(()) => {
                    // The calling thread is a worker, which polls its own queues before it leaves.
                    self.after_local_push();
                    return Ok(());
                }
                Err(task) => task,
            },
            _ => task,
        };
        self.queues.push(priority, task);
        self.after_push(id)
    }

    /// Finds a worker for a task that was pushed into a queue of all workers.
    #[inline]
    fn after_push(&self, id: TaskId) -> Result<(), Error> {
        match self.sleep.after_push() {
            AfterPush::Open => Ok(()),
            AfterPush::MustStart => {
                self.start_one_more();
                Ok(())
            }
            AfterPush::Closed => self.after_push_to_closed(id),
        }
    }

    /// Asks for room as [`Backend::poll_room`] does.
    fn poll_bound(&self, task: &Task, waker: &Waker) -> Poll<Result<(), Error>> {
        self.generation.check()?;
        if self.sleep.is_closed() {
            return Poll::Ready(Err(self.refusal()));
        }
        match &self.bound {
            // A worker of the pool exceeds the bound in `schedule`.
            Some(bound) if task::worker_host() != self.host() => {
                bound.poll_acquire(task.id(), waker.clone()).map_err(|_| self.refusal())
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Finds a worker for something that the calling worker has pushed into a queue of its own, which it polls before
    /// it leaves.
    #[inline]
    pub(super) fn after_local_push(&self) {
        if self.sleep.after_push() == AfterPush::MustStart {
            self.start_one_more();
        }
    }

    fn release_bound(&self, task: TaskId) {
        if let Some(bound) = &self.bound {
            bound.release(task);
        }
    }
}

/// A handle that outlives the executor is the pool itself. It does not keep the workers, which leave when the pool is
/// closed.
impl Backend for Pool {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        if !self.takes_plainly(&task) {
            return self.accept(task, local::push);
        }
        task.attach(self.host());
        let id = task.id();
        self.queues.push_plain(task);
        self.after_push(id)
    }

    fn close(&self, mode: Shutdown) {
        if self.is_forked_copy() {
            return;
        }
        match mode {
            Shutdown::Drain => self.advance(Stage::Draining),
            Shutdown::CancelPending => self.advance(Stage::Cancelling),
            Shutdown::Terminate { .. } => {
                // ORDERING: the flag publishes nothing but itself.
                self.stop_all.store(true, Relaxed);
                self.advance(Stage::Terminating);
            }
        }
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        if self.is_forked_copy() || self.threads.has_current_thread() || task::worker_host() == self.host() {
            return false;
        }
        // A time-out that is too long for an `Instant` counts as none.
        let deadline = deadline::after(timeout);
        self.exit_gate.wait(deadline) && self.threads.join(deadline)
    }

    fn max_workers(&self) -> usize {
        // ORDERING: nothing depends on the value.
        self.most_workers.load(Relaxed)
    }

    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_bound(task, context.waker())
    }

    fn give_up_room(&self, task: &Task) {
        if let (Some(bound), false) = (&self.bound, self.is_forked_copy()) {
            bound.give_up(task.id());
        }
    }
}

impl Host for Pool {
    fn has_idle_worker(&self) -> bool {
        phase::has_idle(|| self.phases.iter(), || self.sleep.has_idle_worker())
    }

    fn idle_watch(&self) -> Option<&IdleWatch> {
        Some(&self.idle)
    }

    fn run_on_fresh_stack(&self, size: Option<usize>, code: &mut (dyn FnMut() + Send)) -> Result<(), Error> {
        let stack = FreshStack {
            pool_name: &self.name,
            host: self.host(),
            stop_all: &self.stop_all,
            threads: &self.threads,
            initializer: self.initializer.as_ref(),
        };
        stack.run(size, code)
    }

    fn left_queue(&self, task: TaskId) {
        self.release_bound(task);
        self.count_stale();
    }

    fn was_cancelled(&self) {
        self.count_cancelled();
    }

    fn ended_inline(&self, ended: Ended) {
        self.count_inline(ended);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match (self.broken.get(), self.stage.get()) {
            (Some(_), _) => "broken",
            (None, Stage::Open) => "open",
            (None, Stage::Draining) => "draining",
            (None, Stage::Cancelling) => "cancelling",
            (None, Stage::Terminating) => "terminating",
        };
        f.debug_struct("ThreadPoolExecutor")
            .field("name", &self.name)
            .field("workers", &self.max_workers())
            .field("stage", &stage)
            .field("waiting", &self.bound.as_ref().map(QueueBound::waiting))
            .field("sleep", &self.sleep)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
