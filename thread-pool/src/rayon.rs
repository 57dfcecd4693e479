//! A back-end over a rayon pool.

mod progress;
mod threads;

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
use progress::{Progress, Stage};
use threads::Threads;

use crate::{
    fairness::{Exception, PollCount, PollOrder},
    phase::{self, Phase},
    queues::Queues,
    stale::{Stale, StaleCount},
};

/// Runs tasks on a rayon pool that the program has already, beside whatever else runs there.
///
/// It never closes that pool: shutting this executor down ends only what went through it.
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
/// # Where it differs from `ThreadPoolExecutor`
///
/// - Tasks share the threads with other jobs of the rayon pool. When a thread gets round to this executor, it takes the
///   task that is to start first: by priority, then in the order of submission, nested ones included. Priorities count
///   among this executor's tasks, not against other jobs. A thread takes one of every 2,560 tasks from each of the low,
///   the usual and the high priorities whatever else waits, and the oldest there, so that no task waits for ever.
/// - A thread that waits inside rayon (`join`, `scope`, `install`) may take up one of these tasks meanwhile, as it may
///   any other job. So do not hold a lock across such a wait that a task takes too.
/// - The job of a task that was cancelled stays in rayon's queue until a thread gets round to it. Its memory, some
///   fifty bytes, is all that is left of the task.
/// - There is no bound of the queue, no initializer, and the names of workers are made of the executor's and the
///   thread's number.
/// - A panic of a task is its error, as everywhere here, and does not end the program as in `rayon::spawn`.
/// - [`join`](Backend::join) waits for the tasks, for the threads are not this executor's. From one of its tasks it
///   returns false immediately. On a thread of a pool given to [`new`](RayonExecutor::new) it does so too outside of
///   tasks, and on a thread of the [`global`](RayonExecutor::global) pool if a task has run on it before. Rayon does
///   not tell the others from the threads of another pool, so there, call it from a task or not at all.
/// - Nested waits go no deeper than the stack of their thread: [`result`](Future::result) returns
///   [`InvalidState`](executor_core::ErrorKind::InvalidState) when little is left, because a task on another stack
///   would be outside of its pool. `rayon::ThreadPoolBuilder::stack_size` gives more.
/// - With a time-out, a task that waits counts a thread as idle if it runs none of this executor's tasks, whatever else
///   it runs.
pub struct RayonExecutor {
    handle: Handle,
}

/// What submits after the borrow of the executor is over; it has everything but the draining at the end.
struct Handle(Arc<Shared>);

/// What the executor, its handles and its jobs in the rayon pool share.
struct Shared {
    name: Box<str>,
    threads: Threads,
    /// The workers' names, by the number of the thread.
    workers: Box<[Arc<str>]>,
    /// How often each worker has polled the queues.
    polls: Box<[CachePadded<AtomicU32>]>,
    /// What each thread is at, as far as this executor knows.
    phases: Box<[Phase]>,
    /// Threads that wait, with a time-out, while another one is idle.
    idle: IdleWatch,
    born: fork::Generation,
    registration: Registration,
    /// For each task in here there is a job in the rayon pool, which takes whichever task is the first by then. A job
    /// that finds nothing, because tasks were withdrawn or taken out, does nothing.
    queues: Queues,
    progress: Progress,
    stale: StaleCount,
    stop_all: Arc<AtomicBool>,
}

impl RayonExecutor {
    /// Over this pool, which is kept for as long as the executor or one of its tasks is there.
    pub fn new(pool: Arc<rayon::ThreadPool>) -> RayonExecutor {
        RayonExecutor::over(Threads::Own(pool))
    }

    /// Over rayon's global pool, which is started if it was not before.
    ///
    /// Its tasks run there wherever they are submitted from, also from a thread of another rayon pool. From such a
    /// thread they take a detour: rayon's own functions would mean that thread's pool, so the executor starts a thread
    /// outside of all pools, which passes them on and ends with the executor.
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
    /// As rayon does, if its global pool cannot be started.
    pub fn global() -> RayonExecutor {
        RayonExecutor::over(Threads::Global(threads::Global::default()))
    }

    fn over(threads: Threads) -> RayonExecutor {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // ORDERING: the counter only has to give different numbers.
        let name = format!("RayonExecutor-{}", NEXT.fetch_add(1, Relaxed));
        let shared = Arc::new_cyclic(|shared: &Weak<Shared>| Shared {
            workers: (0..threads.len()).map(|index| worker_name(&name, index)).collect(),
            polls: (0..threads.len()).map(|_| CachePadded::default()).collect(),
            phases: (0..threads.len()).map(|_| Phase::starting(false)).collect(),
            idle: IdleWatch::default(),
            name: name.into(),
            threads,
            born: fork::generation(),
            registration: host::register(shared.clone()),
            queues: Queues::default(),
            progress: Progress::default(),
            stale: StaleCount::default(),
            stop_all: Arc::default(),
        });
        RayonExecutor { handle: Handle(shared) }
    }

    /// Runs a closure, which may capture what it likes.
    ///
    /// # Errors
    ///
    /// [`ShutDown`](executor_core::ErrorKind::ShutDown); [`Other`](executor_core::ErrorKind::Other) from a thread of
    /// another pool, if the system refuses the thread that reaches the [`global`](RayonExecutor::global) one. The
    /// closure does not run then.
    pub fn spawn<R: Send + 'static>(&self, closure: impl FnOnce() -> R + Send + 'static) -> Result<Future<R>, Error> {
        self.spawn_with(TaskOptions::new(), closure)
    }

    /// As [`spawn`](Self::spawn), with a name or a priority.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
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

    /// Runs the task that is to start first. A job in the rayon pool.
    fn run_one(&self) {
        let index = self.threads.index_of_job();
        let Some(task) = self.take(index) else { return };
        let is_nested = task::worker_host() == self.host();
        let worker = self.worker(index);
        let worker = task::enter_stoppable_worker(worker, self.host(), self.stop_all.clone());
        let was_waiting = if self.progress.is_past_running() {
            task.withdraw().is_some()
        } else if let Some(started) = task.start() {
            // Claimed before this thread counts as busy, as in the thread pool.
            self.set_busy(index);
            // Callbacks run here, in the worker.
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
            phase.set_busy();
        }
        self.idle.none_idle();
    }

    fn set_free(&self, worker: usize) {
        if let Some(phase) = self.phases.get(worker) {
            phase.set_free();
        }
    }

    /// Takes tasks out of the queues that were cancelled there, or run by one that waits for them. Their jobs stay in
    /// the rayon pool, and find nothing.
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

    /// The task that is to start first; now and then another one, so that none waits for ever.
    fn take(&self, worker: usize) -> Option<Task> {
        let Some(polls) = self.polls.get(worker) else { return self.queues.pop() };
        // ORDERING: only this worker changes it.
        let mut count = PollCount::after(polls.load(Relaxed));
        let exceptional = match count.count() {
            PollOrder::Usual => None,
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
        // There are more than was known if the number of threads could not be asked for.
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
        if !shared.progress.begin() {
            return Err(Error::shut_down(&shared.name));
        }
        let way = match shared.threads.way(&shared.name) {
            Ok(way) => way,
            Err(error) => {
                shared.progress.finish();
                return Err(error);
            }
        };
        task.attach(shared.host());
        shared.queues.push(task);
        let job = shared.clone();
        way.spawn(move || job.run_one());
        Ok(())
    }

    fn close(&self, mode: Shutdown) {
        let shared = &self.0;
        if shared.born.check().is_err() {
            return;
        }
        match mode {
            Shutdown::Drain => shared.progress.close(Stage::Draining),
            Shutdown::CancelPending => shared.progress.close(Stage::Cancelling),
            Shutdown::Terminate { .. } => {
                // ORDERING: the flag stands for itself.
                shared.stop_all.store(true, Relaxed);
                shared.progress.close(Stage::Cancelling);
            }
        }
        if shared.progress.is_past_running() {
            shared.withdraw_all();
        }
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        let shared = &self.0;
        if shared.born.check().is_err() || task::worker_host() == shared.host() || shared.threads.are_waited_for() {
            return false;
        }
        // A time-out too far away to be told apart from "never" is never.
        shared.progress.wait(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    fn max_workers(&self) -> usize {
        self.0.threads.len()
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
            // The parent's threads may have held any lock at the fork, so nothing of the copy is touched again.
            std::mem::forget(self.handle.0.clone());
            return;
        }
        self.close(Shutdown::Drain);
        self.join(None);
        self.handle.0.threads.release();
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
