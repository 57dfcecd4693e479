//! The executor that users hold.

use std::{fmt, sync::Arc, time::Duration};

use executor_core::{Backend, Error, Future, Shutdown, Task, TaskOptions};

use crate::{Scope, pool::Pool, scope};

/// Runs tasks on threads of this process.
///
/// The counterpart of Python's `concurrent.futures.ThreadPoolExecutor`, with every processor at work. Submitting is in
/// [`Executor`](executor_core::Executor), which this has as every back-end does; what only threads can do is here:
/// [`spawn`](Self::spawn) for closures that capture, and [`scope`](Self::scope) for closures that borrow.
///
/// ```
/// use executor_core::Executor;
/// use thread_pool::ThreadPoolExecutor;
///
/// let pool = ThreadPoolExecutor::new(4)?;
/// assert_eq!(pool.submit(|(base, exponent): (u64, u32)| base.pow(exponent), (2, 8))?.result(None)?, 256);
///
/// let words = vec!["captured".to_string(), "values".to_string()];
/// assert_eq!(pool.spawn(move || words.concat().len())?.result(None)?, 14);
/// # Ok::<(), executor_core::Error>(())
/// ```
///
/// # Order
///
/// Higher [priority](TaskOptions::priority) starts first, and within a priority tasks start in the order in which they
/// were submitted from outside. Tasks that a task of the same pool submits go to its own worker's queue: they start in
/// their order, on that worker before those that wait outside, or on any worker that is idle.
///
/// No task waits for ever behind others, wherever they come from, as long as a worker takes tasks at all. Every worker
/// deviates from that order now and then, so that it starts
///
/// - at most 63 other tasks before it turns to those from outside,
/// - at most 127 before it turns to another worker's queue, to a different one each time: so fewer than 128 times the
///   number of workers before it turns to a certain one, whose worker may be blocked in a task of its own,
/// - at most 2,559 before it turns to what has waited longest among the tasks of lower, and of higher, priority.
///
/// Among the first 511 tasks that a worker takes after it had nothing to do, priorities are exact.
///
/// # Waiting inside a task
///
/// A task that calls [`result`](Future::result) on a task of the same pool that has not started runs it inline, so
/// nested waiting never uses up the workers. With a time-out it does so only while no other worker is idle.
///
/// Nested waits may be deeper than a worker's stack is long. When half of it is used up, the awaited task runs on a
/// fresh stack of the same size: a thread of its own, with the name of the worker that waits for it. It is a worker of
/// the pool in every way; it runs the pool's initializer first, and its thread locals are its own. If the system
/// refuses a thread, `result` returns [`InvalidState`](executor_core::ErrorKind::InvalidState) when less than a quarter
/// is left.
///
/// A task that waits by other means, such as a channel, keeps its worker. What it has submitted is run by the others,
/// see [Order](#order).
///
/// Tasks of two pools that wait for each other can use up the workers of both: with one worker each, a task of `a` that
/// waits for a task of `b` that waits for a task of `a` never ends. Use one pool for tasks that wait for each other,
/// which may wait as deep as they like:
///
/// ```
/// use std::sync::Arc;
/// use executor_core::{Backend, Executor};
/// use thread_pool::ThreadPoolExecutor;
///
/// let pool = Arc::new(ThreadPoolExecutor::new(1)?);
/// let (reading, parsing) = (pool.clone(), pool.clone());
/// let words = pool.spawn(move || {
///     let parsed = parsing.spawn(move || reading.spawn(|| "two words")?.result(None).map(|text| text.split(' ').count()))?;
///     parsed.result(None)?
/// })?;
/// assert_eq!(words.result(None)??, 2);
/// # Ok::<(), executor_core::Error>(())
/// ```
///
/// Or give each pool one direction, or hand on the future instead of its value and let the caller wait for it.
///
/// # Callbacks and wakers
///
/// The worker that ends a task runs its [callbacks](Future::add_done_callback) and the wakers of those who await it,
/// after it has woken the threads that wait. They may submit to the pool and wait for its tasks, as a task may, and a
/// task that has not started is run inline. While one waits by other means, it keeps its worker as a task would. It
/// must not wait for a task that waits for it: one that runs the task of the callback inline, for example, goes on only
/// when the callback has returned.
///
/// # The end
///
/// Dropping the executor runs what was submitted and waits until the threads are gone. Dropped by one of its own tasks
/// or callbacks, it is only closed: its threads finish what there is, and end by themselves. A running task cannot be
/// stopped by force; `Shutdown::Terminate` asks it to, and it can see that in
/// [`task::current`](executor_core::task::current).
///
/// After a fork, the child has the executor but none of its threads: submitting answers
/// [`Broken`](executor_core::ErrorKind::Broken), `join` answers false at once, and dropping it does nothing.
///
/// # Signals
///
/// Tasks may start processes, which inherit the signal mask of their thread. So the threads have the mask of the thread
/// that builds the pool, and a program that waits for a signal blocks it before it builds one.
pub struct ThreadPoolExecutor {
    pool: Arc<Pool>,
}

impl ThreadPoolExecutor {
    pub(crate) fn of(pool: Arc<Pool>) -> ThreadPoolExecutor {
        ThreadPoolExecutor { pool }
    }

    /// Runs a closure, which may capture what it likes. Waits while a bounded pool is full.
    ///
    /// Only threads can do this; a function that is to run on any back-end goes to
    /// [`submit`](executor_core::Executor::submit).
    ///
    /// # Errors
    ///
    /// [`ShutDown`](executor_core::ErrorKind::ShutDown), [`Broken`](executor_core::ErrorKind::Broken); the closure does
    /// not run then.
    ///
    /// ```
    /// # use thread_pool::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let n = vec![1, 2];
    /// assert_eq!(pool.spawn(move || n.len())?.result(None)?, 2);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn spawn<R: Send + 'static>(&self, closure: impl FnOnce() -> R + Send + 'static) -> Result<Future<R>, Error> {
        self.spawn_with(TaskOptions::new(), closure)
    }

    /// As [`spawn`](Self::spawn), but answers [`QueueFull`](executor_core::ErrorKind::QueueFull) instead of waiting.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), and `QueueFull`.
    pub fn try_spawn<R: Send + 'static>(
        &self,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Future<R>, Error> {
        let (task, future) = Task::from_closure_without_waiting(TaskOptions::new(), closure);
        self.pool.schedule(task)?;
        Ok(future)
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
        self.pool.schedule(task)?;
        Ok(future)
    }

    /// Runs closures that borrow from the caller: everything that the scope has spawned is over when this returns, also
    /// when the closure panics, as with [`std::thread::scope`].
    ///
    /// A panic of a scoped task is the error in its handle, and goes no further. Python has no counterpart.
    ///
    /// Called inside a task of this pool, it runs inline what has not started when its closure is through, so that
    /// nested scopes never use up the workers. Nested too deep for the stack, see [waiting inside a
    /// task](Self#waiting-inside-a-task), what it cannot run fails with
    /// [`InvalidState`](executor_core::ErrorKind::InvalidState).
    ///
    /// ```
    /// # use thread_pool::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// let numbers = vec![1, 2, 3, 4, 5];
    /// let (left, right) = numbers.split_at(2);
    /// let sum = pool.scope(|scope| {
    ///     let left = scope.spawn(|| left.iter().sum::<i32>());
    ///     let right = scope.spawn(|| right.iter().sum::<i32>());
    ///     Ok(left.result(None)? + right.result(None)?)
    /// });
    /// assert_eq!(sum?, 15);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    ///
    /// What is borrowed has to live longer than the scope:
    ///
    /// ```compile_fail,E0597
    /// # use thread_pool::ThreadPoolExecutor;
    /// let pool = ThreadPoolExecutor::new(2)?;
    /// pool.scope(|scope| {
    ///     let local = String::from("gone when the closure is through");
    ///     let _ = scope.spawn(|| local.len()).done();
    /// });
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn scope<'env, F, T>(&self, body: F) -> T
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
    {
        scope::scope(&self.pool, body)
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
}

impl Drop for ThreadPoolExecutor {
    fn drop(&mut self) {
        if self.pool.is_forked_copy() {
            // The parent's threads may have held any lock at the fork, so nothing of the copy is touched again.
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
