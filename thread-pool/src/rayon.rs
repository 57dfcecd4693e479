//! The executor over a rayon pool.

mod handle;
mod progress;
mod shared;
mod target_pool;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use executor_core::{Backend, Error, Future, Shutdown, Task, TaskOptions};

pub(crate) use handle::Handle;

use shared::Shared;
use target_pool::{GlobalPool, TargetPool};

use crate::{
    Scope,
    scope::{self, Target},
};

/// Runs tasks on an existing rayon pool, alongside the other jobs of that pool.
///
/// It never closes the pool. Shutting this executor down only ends its own tasks. Dropping it waits for them, which
/// blocks the dropping thread; submitting never blocks.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
/// use std::sync::Arc;
/// use concurrent_futures::{Executor, RayonExecutor};
///
/// let rayon = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
/// let executor = RayonExecutor::new(rayon.clone());
/// let squares = executor.map(|n: u64| n * n, 0..4u64)?;
/// assert_eq!(squares.collect::<Result<Vec<_>, _>>()?, [0, 1, 4, 9]);
/// drop(executor);
/// assert_eq!(rayon.install(|| 6 * 7), 42);
/// # Ok::<(), concurrent_futures::Error>(())
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

impl RayonExecutor {
    /// Makes an executor over this pool. The pool is kept alive until the executor and its tasks are dropped.
    pub fn new(pool: Arc<rayon::ThreadPool>) -> RayonExecutor {
        RayonExecutor::over(TargetPool::Given(pool))
    }

    /// Makes an executor over rayon's global pool, and starts that pool if necessary.
    ///
    /// Its tasks run there even if a thread of another rayon pool submits them. On such a thread, rayon's own functions
    /// use the thread's own pool. So the executor starts a helper thread outside of all pools, which passes the tasks
    /// on and ends with the executor.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{Executor, RayonExecutor};
    ///
    /// let executor = RayonExecutor::global();
    /// let other = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    /// assert_eq!(other.install(|| executor.submit(|n: u64| n + 1, 41)?.result(None))?, 42);
    /// # Ok::<(), concurrent_futures::Error>(())
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
        // ORDERING: the numbers only have to be different.
        let name = format!("RayonExecutor-{}", NEXT.fetch_add(1, Relaxed));
        RayonExecutor { handle: Handle::new(Shared::new(name, pool)) }
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
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::RayonExecutor;
    ///
    /// let executor = RayonExecutor::global();
    /// let words = vec!["captured".to_string(), "values".to_string()];
    /// assert_eq!(executor.spawn(move || words.concat().len())?.result(None)?, 14);
    /// # Ok::<(), concurrent_futures::Error>(())
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

    /// Runs closures that borrow from the caller, as [`ThreadPoolExecutor::scope`](crate::ThreadPoolExecutor::scope)
    /// does. All tasks that the scope has spawned have ended when this returns.
    ///
    /// A task of this executor may call this: it runs tasks of the scope that have not started inline. If it is nested
    /// too deep for the stack, tasks that cannot run fail with
    /// [`InvalidState`](executor_core::ErrorKind::InvalidState). A thread of the rayon pool that runs another job must
    /// not call this, because the tasks may need that thread.
    ///
    /// # Panics
    ///
    /// Panics if the closure panics, or if a scoped task panics and no one has read its panic.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::RayonExecutor;
    ///
    /// let executor = RayonExecutor::global();
    /// let numbers = vec![1, 2, 3, 4, 5];
    /// let sum = executor.scope(|scope| {
    ///     let (left, right) = numbers.split_at(2);
    ///     let left = scope.spawn(|| left.iter().sum::<i32>());
    ///     let right = scope.spawn(|| right.iter().sum::<i32>());
    ///     Ok(left.result(None)? + right.result(None)?)
    /// });
    /// assert_eq!(sum?, 15);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[track_caller]
    pub fn scope<'env, F, T>(&self, body: F) -> T
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
    {
        scope::scope(&Target::Rayon(self.handle.clone()), body)
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
        Some(Arc::new(self.handle.clone()))
    }
}

impl Drop for RayonExecutor {
    fn drop(&mut self) {
        if self.handle.is_forked_copy() {
            // A thread of the parent may have held any lock at the fork, so the copy is leaked.
            std::mem::forget(self.handle.clone());
            return;
        }
        self.close(Shutdown::Drain);
        self.join(None);
        self.handle.release();
    }
}

impl fmt::Debug for RayonExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RayonExecutor")
            .field("name", &self.handle.name())
            .field("workers", &self.max_workers())
            .field("progress", self.handle.progress())
            .finish_non_exhaustive()
    }
}
