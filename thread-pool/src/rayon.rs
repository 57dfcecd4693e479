//! The executor over a rayon pool.

mod progress;
mod target_pool;

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crossbeam_utils::CachePadded;
use executor_core::{
    Backend, Error, ErrorKind, Future, Shutdown, Task, TaskId, TaskOptions, fork,
    host::{self, Host, HostId, IdleWatch, Registration},
    task,
};
use progress::{Closing, Progress};
use target_pool::{GlobalPool, TargetPool};

use crate::{
    fairness::{Exception, PollCount, PollOrder},
    phase::{self, Phase},
    queues::Queues,
    stale::{Stale, StaleCount},
};

/// Runs tasks on an existing rayon pool, alongside the other jobs of that pool.
///
/// It never closes the pool. Shutting this executor down only ends its own tasks.
///
/// ```
/// use std::sync::Arc;
/// use executor_core::Executor;
/// use thread_pool::RayonExecutor;
///
/// let rayon = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
/// let executor = RayonExecutor::new(rayon.clone());
/// let squares = executor.map(|n: u64| n * n, 0..4u64)?;
/// assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [0, 1, 4, 9]);
/// drop(executor);
/// assert_eq!(rayon.install(|| 6 * 7), 42);
/// # Ok::<(), executor_core::Error>(())
/// ```
///
/// # Differences from `ThreadPoolExecutor`
///
/// - **Order.** Tasks share the threads with other jobs of the rayon pool. When a thread reaches this executor, it
///   takes the task that should start first: by priority, then in the order of submission, nested tasks included.
///   Priorities count among the tasks of this executor, not against other jobs. Of every 2,560 tasks that a thread
///   takes, one is the oldest of the low priorities, one is the oldest of priority 0 and one is the oldest of the high
///   priorities, so no task waits forever.
/// - **Waiting inside rayon.** A thread that waits in `join`, `scope` or `install` of rayon may run one of these tasks
///   meanwhile, as it may run any other job. So do not hold a lock during such a wait if a task takes the same lock.
/// - **Cancelling.** The job of a cancelled task stays in rayon's queue until a thread reaches it. It holds about fifty
///   bytes; the task itself is dropped.
/// - **Options.** There is no bound of the queue and no initializer. Workers are called `<executor>_<number of the
///   thread>`.
/// - **Panics.** A panic of a task is its error. It does not abort the program as in `rayon::spawn`.
/// - **Joining.** [`join`](Backend::join) waits for the tasks, because the threads do not belong to this executor. It
///   returns `false` immediately from one of its tasks, from a thread of a pool given to [`new`](RayonExecutor::new),
///   and from a thread of the [`global`](RayonExecutor::global) pool on which a task has run before. Rayon does not
///   distinguish other threads of the global pool from those of other pools. On those threads, call `join` only from a
///   task.
/// - **Nested waits.** They go no deeper than the stack of their thread, because a task on another stack would be
///   outside of its pool. When little of the stack is left, [`result`](Future::result) returns
///   [`InvalidState`](executor_core::ErrorKind::InvalidState). `rayon::ThreadPoolBuilder::stack_size` sets a larger
///   one.
/// - **Time-outs.** For a task that waits with a time-out, a thread is idle if it runs none of this executor's tasks,
///   even if it runs another job.
pub struct RayonExecutor {
    handle: Handle,
}

/// The executor without the draining at its end. A handle that outlives the executor is one of these.
struct Handle(Arc<Shared>);

/// What the executor, its handles and its jobs share.
struct Shared {
    name: Box<str>,
    pool: TargetPool,
    /// The names of the workers, by the number of the thread.
    workers: Box<[Arc<str>]>,
    /// How often each worker has polled the queues.
    polls: Box<[CachePadded<AtomicU32>]>,
    /// What each thread is doing for this executor.
    phases: Box<[Phase]>,
    /// Threads that wait with a time-out while another thread is idle.
    idle: IdleWatch,
    born: fork::Generation,
    registration: Registration,
    /// For each task in these queues there is a job in the rayon pool, which takes the task that is first when it runs.
    /// A job that finds no task, because tasks were withdrawn or removed, does nothing.
    queues: Queues,
    progress: Progress,
    stale: StaleCount,
    stop_all: Arc<AtomicBool>,
}

impl RayonExecutor {
    /// Makes an executor over this pool. The pool is kept alive until the executor and its tasks are dropped.
    pub fn new(pool: Arc<rayon::ThreadPool>) -> RayonExecutor {
        RayonExecutor::over(TargetPool::Given(pool))
    }

    /// Makes an executor over rayon's global pool, and starts that pool if necessary.
    ///
    /// Its tasks run there even if a thread of another rayon pool submits them. On such a thread, rayon's own functions
    /// mean the thread's own pool. So the executor starts a helper thread outside of all pools, which passes the tasks
    /// on and ends with the executor.
    ///
    /// ```
    /// use executor_core::Executor;
    /// use thread_pool::RayonExecutor;
    ///
    /// let executor = RayonExecutor::global();
    /// let other = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    /// assert_eq!(other.install(|| executor.submit(|n: u64| n + 1, 41)?.result(None))?, 42);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if rayon cannot start its global pool.
    pub fn global() -> RayonExecutor {
        RayonExecutor::over(TargetPool::Global(GlobalPool::default()))
    }

    fn over(pool: TargetPool) -> RayonExecutor {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // ORDERING: the counter only has to give different numbers.
        let name = format!("RayonExecutor-{}", NEXT.fetch_add(1, Relaxed));
        let shared = Arc::new_cyclic(|shared: &Weak<Shared>| Shared {
            workers: (0..pool.len()).map(|index| worker_name(&name, index)).collect(),
            polls: (0..pool.len()).map(|_| CachePadded::default()).collect(),
            phases: (0..pool.len()).map(|_| Phase::starting(false)).collect(),
            idle: IdleWatch::default(),
            name: name.into(),
            pool,
            born: fork::generation(),
            registration: host::register(shared.clone()),
            queues: Queues::default(),
            progress: Progress::default(),
            stale: StaleCount::default(),
            stop_all: Arc::default(),
        });
        RayonExecutor { handle: Handle(shared) }
    }

    /// Runs a closure, which may capture values.
    ///
    /// # Errors
    ///
    /// In these cases the closure does not run:
    ///
    /// - [`ShutDown`](executor_core::ErrorKind::ShutDown) after the executor was shut down.
    /// - [`Other`](executor_core::ErrorKind::Other) if a thread of another pool submits to the
    ///   [`global`](RayonExecutor::global) one and the system refuses the helper thread.
    ///
    /// ```
    /// use thread_pool::RayonExecutor;
    ///
    /// let executor = RayonExecutor::global();
    /// let words = vec!["captured".to_string(), "values".to_string()];
    /// assert_eq!(executor.spawn(move || words.concat().len())?.result(None)?, 14);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn spawn<R: Send + 'static>(&self, closure: impl FnOnce() -> R + Send + 'static) -> Result<Future<R>, Error> {
        self.spawn_with(TaskOptions::new(), closure)
    }

    /// Runs a closure like [`spawn`](Self::spawn), with a name or a priority.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn).
    pub fn spawn_with<R: Send + 'static>(
        &self,
        options: TaskOptions,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Future<R>, Error> {
        let (task, future) = Task::from_closure(options, closure);
        self.schedule(task)?;
        Ok(future)
    }
}

impl Shared {
    fn host(&self) -> HostId {
        self.registration.id()
    }

    /// Runs the task that should start first. Each job in the rayon pool calls this once.
    fn run_one(&self) {
        let index = self.pool.index_of_job();
        let Some(task) = self.take(index) else { return };
        let is_nested = task::worker_host() == self.host();
        let worker = self.worker(index);
        let worker = task::enter_stoppable_worker(worker, self.host(), self.stop_all.clone());
        let was_waiting = if !self.progress.runs_tasks() {
            task.withdraw().is_some()
        } else if let Some(started) = task.start() {
            // The task is claimed before this thread counts as busy, as in `Pool::run_on`.
            self.set_busy(index);
            // This drop runs callbacks, while the thread still counts as a worker.
            drop(started.run());
            if !is_nested {
                self.set_free(index);
            }
            true
        } else {
            false
        };
        if !was_waiting {
            self.stale.remove(1);
        }
        drop(worker);
        self.progress.finish();
    }

    fn set_busy(&self, worker: usize) {
        if let Some(phase) = self.phases.get(worker) {
            let _ = phase.set_busy();
        }
        self.idle.none_idle();
    }

    fn set_free(&self, worker: usize) {
        if let Some(phase) = self.phases.get(worker) {
            phase.set_free();
        }
    }

    /// Removes the stale tasks from the queues. Their jobs stay in the rayon pool, and find no task.
    #[cold]
    fn sweep(&self) {
        let stale = self.queues.remove_stale();
        self.stale.remove(stale.len());
        self.stale.set_limit(self.queues.len());
        for task in stale {
            // The last reference to a task may drop its result, which is user code.
            drop(task);
            self.progress.finish();
        }
    }

    /// Takes the task that should start first or, as [`fairness`](crate::fairness) requires, the oldest of a queue.
    fn take(&self, worker: usize) -> Option<Task> {
        let Some(polls) = self.polls.get(worker) else { return self.queues.pop() };
        // ORDERING: only this worker changes it.
        let mut count = PollCount::after(polls.load(Relaxed));
        let exceptional = match count.count() {
            PollOrder::Regular => None,
            PollOrder::Exception => match count.exception() {
                Exception::First(source) => self.queues.pop_oldest(source),
                Exception::AfterHigh(_) => None,
            },
        };
        let task = exceptional.or_else(|| self.queues.pop());
        if self.queues.is_empty() {
            count.reset();
        }
        polls.store(count.polls(), Relaxed);
        task
    }

    fn worker(&self, index: usize) -> Arc<str> {
        // There are more threads than names if the number of threads could not be determined.
        self.workers.get(index).cloned().unwrap_or_else(|| worker_name(&self.name, index))
    }

    fn withdraw_all(&self) {
        while let Some(task) = self.queues.pop() {
            drop(task.withdraw());
            self.progress.finish();
        }
    }
}

fn worker_name(executor: &str, index: usize) -> Arc<str> {
    format!("{executor}_{index}").into()
}

impl Backend for Handle {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        let shared = &self.0;
        shared.born.check()?;
        if !shared.progress.try_begin() {
            return Err(Error::shut_down(&shared.name));
        }
        let route = match shared.pool.route(&shared.name) {
            Ok(route) => route,
            Err(error) => {
                shared.progress.finish();
                return Err(error);
            }
        };
        task.attach(shared.host());
        shared.queues.push(task);
        let job = shared.clone();
        route.spawn(move || job.run_one());
        Ok(())
    }

    fn close(&self, mode: Shutdown) {
        let shared = &self.0;
        if shared.born.check().is_err() {
            return;
        }
        match mode {
            Shutdown::Drain => shared.progress.close(Closing::Draining),
            Shutdown::CancelPending => shared.progress.close(Closing::Cancelling),
            Shutdown::Terminate { .. } => {
                // ORDERING: the flag publishes nothing but itself.
                shared.stop_all.store(true, Relaxed);
                shared.progress.close(Closing::Cancelling);
            }
        }
        if !shared.progress.runs_tasks() {
            shared.withdraw_all();
        }
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        let shared = &self.0;
        if shared.born.check().is_err() || task::worker_host() == shared.host() || shared.pool.has_current_thread() {
            return false;
        }
        // A time-out that is too long for an `Instant` is none.
        shared.progress.wait(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    fn max_workers(&self) -> usize {
        self.0.pool.len()
    }
}

impl Host for Shared {
    fn has_idle_worker(&self) -> bool {
        phase::is_one_free(&self.phases)
    }

    fn idle_watch(&self) -> Option<&IdleWatch> {
        Some(&self.idle)
    }

    fn run_on_fresh_stack(&self, _: Option<usize>, _: &mut (dyn FnMut() + Send)) -> Result<(), Error> {
        Err(Error::new(ErrorKind::InvalidState, "a task on a fresh stack would be outside of its rayon pool"))
    }

    fn left_queue(&self, _: TaskId) {
        if self.stale.add(1) == Stale::TooMany {
            self.sweep();
        }
    }
}

impl Backend for RayonExecutor {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.handle.schedule(task)
    }

    fn close(&self, mode: Shutdown) {
        self.handle.close(mode);
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        self.handle.join(timeout)
    }

    fn max_workers(&self) -> usize {
        self.handle.max_workers()
    }

    fn handle(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(Handle(self.handle.0.clone())))
    }
}

impl Drop for RayonExecutor {
    fn drop(&mut self) {
        if self.handle.0.born.check().is_err() {
            // A thread of the parent may have held any lock at the fork, so the copy is leaked.
            std::mem::forget(self.handle.0.clone());
            return;
        }
        self.close(Shutdown::Drain);
        self.join(None);
        self.handle.0.pool.release();
    }
}

impl fmt::Debug for RayonExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RayonExecutor")
            .field("name", &self.handle.0.name)
            .field("workers", &self.max_workers())
            .field("progress", &self.handle.0.progress)
            .finish_non_exhaustive()
    }
}
