//! The executor that users hold.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use executor_core::{Backend, Error, Future, Shutdown, Submitting, Task, TaskOptions};

use crate::{
    Scope, ThreadStats,
    pool::Pool,
    scope::{self, Target},
};

/// Runs tasks on threads of this process.
///
/// It is the counterpart of Python's `concurrent.futures.ThreadPoolExecutor`, but its tasks run in parallel. The trait
/// [`Executor`](executor_core::Executor) has the methods of every executor, such as `submit` and `map`. The methods
/// here are those that only threads can offer: [`spawn`](Self::spawn) for closures that capture, and
/// [`scope`](Self::scope) for closures that borrow.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
/// use concurrent_futures::{Executor, ThreadPoolExecutor};
///
/// let pool = ThreadPoolExecutor::new(4)?;
/// assert_eq!(pool.submit(|(base, exponent): (u64, u32)| base.pow(exponent), (2, 8))?.result(None)?, 256);
///
/// let words = vec!["captured".to_string(), "values".to_string()];
/// assert_eq!(pool.spawn(move || words.concat().len())?.result(None)?, 14);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// # Order
///
/// Tasks of higher [priority](TaskOptions::priority) start first. Within a priority, tasks from outside the pool start
/// in the order of their submission. A task that a task of the same pool submits goes to the queue of its worker. Such
/// tasks start in the order of their submission, either on that worker, before tasks from outside, or on an idle
/// worker.
///
/// No task waits forever behind others, as long as a worker takes tasks at all. Every worker deviates from the order
/// above at fixed intervals. It starts
///
/// - at most 63 other tasks before it polls for tasks from outside, while none of higher priority waits;
/// - at most 127 other tasks before it polls the queue of another worker, while none of higher priority waits. It is a
///   different worker each time, so the queue of each worker, even of a blocked one, is polled after fewer than 128
///   tasks times the number of workers;
/// - whatever the priorities, at most 2,559 other tasks before it polls each of these: the tasks from outside, the
///   queue of another worker, the oldest task of lower priority, and the oldest task of higher priority.
///
/// Tasks that a task spawns in a [`scope`](Self::scope) have a queue of their own on each worker. It comes before the
/// worker's other tasks, and the worker takes the *newest* first, so that a recursion such as a directory walk keeps
/// few tasks waiting. Idle workers take the oldest. While the worker goes on with scoped tasks, it starts at most 127
/// of them before it polls the other tasks that were submitted there. It takes the oldest one after at most 512 of
/// them, then after twice as many each time, and at last after at most 131,072.
///
/// Priorities are exact among the first 511 tasks that a worker takes after it was idle.
///
/// # Waiting inside a task
///
/// If a task calls [`result`](Future::result) on a task of the same pool that has not started, it runs that task
/// inline. So nested waits never use up the workers. A wait with a time-out runs it inline only while no other worker
/// is idle.
///
/// Nested waits may go deeper than the stack of a worker. When half of the stack is used, the awaited task runs on a
/// fresh stack of the same size: a new thread with the name of the waiting worker. That thread counts as a worker of
/// the pool. It runs the initializer of the pool first, and has its own thread locals. If the system refuses a thread,
/// `result` returns [`InvalidState`](executor_core::ErrorKind::InvalidState) when less than a quarter of the stack is
/// left.
///
/// A task that waits by other means, such as a channel, blocks its worker. Other workers run the tasks that it has
/// submitted; see [Order](#order).
///
/// Two pools whose tasks wait for each other can deadlock. For example, with one worker each, a task of `a` that waits
/// for a task of `b` that waits for a task of `a` never ends. Use one pool for tasks that wait for each other, to any
/// depth:
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
/// use std::sync::Arc;
/// use concurrent_futures::{Backend, Executor, ThreadPoolExecutor};
///
/// let pool = Arc::new(ThreadPoolExecutor::new(1)?);
/// let (reading, parsing) = (pool.clone(), pool.clone());
/// let words = pool.spawn(move || {
///     let parsed = parsing.spawn(move || {
///         let text = reading.spawn(|| "two words")?.result(None)?;
///         Ok(text.split(' ').count())
///     })?;
///     parsed.result(None)?
/// })?;
/// assert_eq!(words.result(None)??, 2);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// Otherwise let only one pool wait for the other, or return the future and let the caller wait for it.
///
/// # Callbacks and wakers
///
/// When a task has ended, its worker wakes the threads that wait for it, and then runs its
/// [callbacks](Future::add_done_callback) and wakers. Like a task, these may submit to the pool and wait for its tasks;
/// a task that has not started runs inline. A callback that waits by other means blocks its worker.
///
/// A callback or waker must not wait for a task that waits for it. For example, a task that runs the task of the
/// callback inline continues only after the callback has returned.
///
/// # The end
///
/// Dropping the executor waits for all submitted tasks and joins the threads. **This blocks the dropping thread**, so
/// async code drops it elsewhere, or calls [`close`](Backend::close) first and waits for its futures: then the drop
/// only waits for the threads. If one of its own tasks or callbacks drops it, it is only closed: its threads finish the
/// submitted tasks and then end.
///
/// A running task cannot be stopped by force. `Shutdown::Terminate` asks it to stop: from then on,
/// [`Context::is_cancelled`](executor_core::task::Context::is_cancelled) returns `true` in the task.
///
/// After a fork, the child has the executor but none of its threads. There, a submit returns
/// [`Broken`](executor_core::ErrorKind::Broken), `join` immediately returns `false`, and dropping the executor does
/// nothing.
///
/// # Signals
///
/// Processes that a task starts inherit the signal mask of its thread, which is the mask of the thread that built the
/// pool. So a program that waits for a signal must block it before it builds a pool.
pub struct ThreadPoolExecutor {
    pool: Arc<Pool>,
}

impl ThreadPoolExecutor {
    pub(crate) fn of(pool: Arc<Pool>) -> ThreadPoolExecutor {
        ThreadPoolExecutor { pool }
    }

    /// Runs a closure, which may capture values. Blocks while a bounded queue is full.
    ///
    /// Only threads can run such a closure. [`submit`](executor_core::Executor::submit) takes functions that run on any
    /// executor. Python's counterpart is `submit`.
    ///
    /// # Errors
    ///
    /// In these cases the closure does not run:
    ///
    /// - [`ShutDown`](executor_core::ErrorKind::ShutDown) after the executor was shut down.
    /// - [`Broken`](executor_core::ErrorKind::Broken) if an initializer has panicked, or in a forked child.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let n = vec![1, 2];
    /// assert_eq!(pool.spawn(move || n.len())?.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn spawn<R: Send + 'static>(&self, closure: impl FnOnce() -> R + Send + 'static) -> Result<Future<R>, Error> {
        self.spawn_with(TaskOptions::new(), closure)
    }

    /// Runs a closure like [`spawn`](Self::spawn), but returns an error instead of blocking.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn), and [`QueueFull`](executor_core::ErrorKind::QueueFull) while a
    /// bounded queue is full.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::builder().max_workers(1).queue_capacity(10).build()?;
    /// assert_eq!(pool.try_spawn(|| 1 + 1)?.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn try_spawn<R: Send + 'static>(
        &self,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Future<R>, Error> {
        let (task, future) = Task::from_closure_without_waiting(TaskOptions::new(), closure);
        self.pool.schedule(task)?;
        Ok(future)
    }

    /// Runs a closure like [`spawn`](Self::spawn), with a name or a priority.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn).
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{TaskOptions, ThreadPoolExecutor, task};
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let options = TaskOptions::new().name("parse").priority(1);
    /// let name = pool.spawn_with(options, || task::current().unwrap().name().to_string())?;
    /// assert_eq!(name.result(None)?, "parse");
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn spawn_with<R: Send + 'static>(
        &self,
        options: TaskOptions,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Future<R>, Error> {
        let (task, future) = Task::from_closure(options, closure);
        self.pool.schedule(task)?;
        Ok(future)
    }

    /// Runs a closure like [`spawn_with`](Self::spawn_with), but returns an error instead of blocking.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn), and [`QueueFull`](executor_core::ErrorKind::QueueFull) while a
    /// bounded queue is full.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{TaskOptions, ThreadPoolExecutor, task};
    /// let pool = ThreadPoolExecutor::builder().max_workers(1).queue_capacity(10).build()?;
    /// let options = TaskOptions::new().name("parse");
    /// let name = pool.try_spawn_with(options, || task::current().unwrap().name().to_string())?;
    /// assert_eq!(name.result(None)?, "parse");
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn try_spawn_with<R: Send + 'static>(
        &self,
        options: TaskOptions,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Future<R>, Error> {
        let (task, future) = Task::from_closure_without_waiting(options, closure);
        self.pool.schedule(task)?;
        Ok(future)
    }

    /// Runs a closure like [`spawn`](Self::spawn), for async code: while a bounded queue is full, the returned future
    /// waits, and no thread is blocked. See [`submit_async`](executor_core::Executor::submit_async).
    ///
    /// # Errors
    ///
    /// Yields the errors of [`spawn`](Self::spawn).
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{Error, ThreadPoolExecutor};
    ///
    /// async fn total(pool: &ThreadPoolExecutor, numbers: Vec<u64>) -> Result<u64, Error> {
    ///     pool.spawn_async(move || numbers.iter().sum()).await?.await
    /// }
    /// ```
    pub fn spawn_async<R: Send + 'static>(
        &self,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> Submitting<'_, ThreadPoolExecutor, R> {
        self.spawn_async_with(TaskOptions::new(), closure)
    }

    /// Runs a closure like [`spawn_async`](Self::spawn_async), with a name or a priority.
    ///
    /// # Errors
    ///
    /// Yields the errors of [`spawn`](Self::spawn).
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{Error, TaskOptions, ThreadPoolExecutor};
    ///
    /// async fn total(pool: &ThreadPoolExecutor, numbers: Vec<u64>) -> Result<u64, Error> {
    ///     pool.spawn_async_with(TaskOptions::new().name("total"), move || numbers.iter().sum()).await?.await
    /// }
    /// ```
    pub fn spawn_async_with<R: Send + 'static>(
        &self,
        options: TaskOptions,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> Submitting<'_, ThreadPoolExecutor, R> {
        let (task, future) = Task::from_closure_without_waiting(options, closure);
        Submitting::new(self, task, future)
    }

    /// Changes the number of threads. Of a pool with [`min_workers`](crate::ThreadPoolBuilder::min_workers) this is the
    /// largest number.
    ///
    /// Returns when the new threads are started. Of the threads that are too many, those that sleep end, and the others
    /// end within 32 further tasks. No task is lost: those that wait in the queue of such a thread run on others.
    /// Python has no counterpart.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) for 0 threads, or more than 32,767.
    /// - [`ShutDown`](executor_core::ErrorKind::ShutDown) after the executor was shut down, and
    ///   [`Broken`](executor_core::ErrorKind::Broken) if an initializer has panicked, or in a forked child.
    /// - [`Other`](executor_core::ErrorKind::Other), with the cause, if the system refuses a thread. The pool works
    ///   with those that it has, and tries again when tasks wait.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{Backend, ThreadPoolExecutor};
    ///
    /// let pool = ThreadPoolExecutor::new(1)?;
    /// pool.resize(3)?;
    /// assert_eq!(pool.max_workers(), 3);
    /// assert_eq!(pool.spawn(|| 1 + 1)?.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn resize(&self, workers: usize) -> Result<(), Error> {
        self.pool.resize(workers)
    }

    /// Waits until no task is queued or running, while the pool stays open. This is `join` of the crate `threadpool`.
    /// Python has no counterpart: there one waits for the futures.
    ///
    /// The callbacks of the tasks have run too. If other threads go on submitting, this returns at a moment when the
    /// pool had nothing to do. To wait for some tasks only, wait for their futures.
    ///
    /// [`Backend::join`] is something else: it waits for the end of the *workers*, which only end after a
    /// [`close`](Backend::close). On an open pool it blocks until another thread closes the pool.
    ///
    /// Returns `false` immediately if a task of this pool calls it, because that task has not ended, and in a forked
    /// child. Otherwise returns `true`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let done = Arc::new(AtomicU32::new(0));
    /// for _ in 0..10 {
    ///     let done = done.clone();
    ///     drop(pool.spawn(move || done.fetch_add(1, Ordering::Relaxed))?);
    /// }
    /// assert!(pool.wait_idle());
    /// assert_eq!(done.load(Ordering::Relaxed), 10);
    /// // The pool goes on.
    /// assert_eq!(pool.spawn(|| 1 + 1)?.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn wait_idle(&self) -> bool {
        self.pool.wait_idle()
    }

    /// Returns the current state of the pool, and counts of what it has done so far. This is what a service reports.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// pool.spawn(|| 1 + 1)?.result(None)?;
    /// assert_eq!(pool.stats().done, 1);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn stats(&self) -> ThreadStats {
        self.pool.stats()
    }

    /// Hands the numbers of [`stats`](Self::stats) to the recorder of the crate `metrics` that the program has
    /// installed. Call it whenever the metrics are exported, for example in the handler of `/metrics`: nothing is
    /// recorded in between, so tasks pay nothing for it. Needs the feature `metrics`.
    ///
    /// The gauges are `concurrent_futures_tasks_queued`, `concurrent_futures_tasks_running` and
    /// `concurrent_futures_workers`. The counters are `concurrent_futures_tasks_done_total`,
    /// `concurrent_futures_tasks_failed_total`, `concurrent_futures_tasks_panicked_total` and
    /// `concurrent_futures_tasks_cancelled_total`. Their labels are `executor`, which is the
    /// [name prefix](crate::ThreadPoolBuilder::name_prefix), and `backend="threads"`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::builder().max_workers(2).name_prefix("thumbnails").build()?;
    /// pool.record_metrics();
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self) {
        self.pool.stats().record(&self.pool.name);
    }

    /// Runs closures that borrow from the caller. All tasks that the scope has spawned have ended when this returns,
    /// even if the closure panics, as with [`std::thread::scope`]. Python has no counterpart.
    ///
    /// If a task of this pool calls this, tasks that have not started when the closure has returned run inline, so
    /// nested scopes never use up the workers. If they are nested too deep for the stack (see [waiting inside a
    /// task](Self#waiting-inside-a-task)), tasks that cannot run fail with
    /// [`InvalidState`](executor_core::ErrorKind::InvalidState).
    ///
    /// # Panics
    ///
    /// Panics if the closure panics. A panic of a scoped task is the error in the task's handle. If no one has read it
    /// there, this panics with its text, after all tasks have ended. Of several unread panics it raises the first one,
    /// and prints the others.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let numbers = vec![1, 2, 3, 4, 5];
    /// let (left, right) = numbers.split_at(2);
    /// let sum = pool.scope(|scope| {
    ///     let left = scope.spawn(|| left.iter().sum::<i32>());
    ///     let right = scope.spawn(|| right.iter().sum::<i32>());
    ///     Ok(left.result(None)? + right.result(None)?)
    /// });
    /// assert_eq!(sum?, 15);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// A borrowed value must outlive the scope:
    ///
    /// ```compile_fail,E0597
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// pool.scope(|scope| {
    ///     let local = String::from("dropped at the end of the closure");
    ///     let _ = scope.spawn(|| local.len()).done();
    /// });
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[track_caller]
    pub fn scope<'env, F, T>(&self, body: F) -> T
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
    {
        scope::scope(&Target::Pool(self.pool.clone()), body)
    }
}

impl Backend for ThreadPoolExecutor {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.pool.schedule(task)
    }

    fn close(&self, mode: Shutdown) {
        self.pool.close(mode);
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        self.pool.join(timeout)
    }

    fn max_workers(&self) -> usize {
        self.pool.max_workers()
    }

    fn handle(&self) -> Option<Arc<dyn Backend>> {
        Some(self.pool.clone())
    }

    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.pool.poll_room(task, context)
    }

    fn give_up_room(&self, task: &Task) {
        self.pool.give_up_room(task);
    }
}

impl Drop for ThreadPoolExecutor {
    fn drop(&mut self) {
        if self.pool.is_forked_copy() {
            // A thread of the parent may have held any lock at the fork, so the copy is leaked.
            std::mem::forget(self.pool.clone());
            return;
        }
        self.pool.close(Shutdown::Drain);
        self.pool.join(None);
    }
}

impl fmt::Debug for ThreadPoolExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}
