//! The caller's half of a task.

use std::{
    fmt,
    future::IntoFuture,
    hash::{Hash, Hasher},
    time::{Duration, Instant},
};

use crate::{
    Awaited, Error, SharedFuture, TaskId, catch, result_callback,
    task::{
        cell::TaskRef,
        queued::{self, queueing_host},
        typed::Typed,
        waiter::Waiter,
    },
    waiting::{WaitEnd, help, help_or_fail, wait_for, wait_until_done},
};

/// The handle of a task: it shows the state, cancels the task, and waits for the result.
///
/// It is one type for every back-end, so futures of several back-ends can be waited for together. Dropping it neither
/// cancels the task nor waits for it. Python's counterpart is `concurrent.futures.Future`, whose methods have the same
/// names.
///
/// All methods may be called from any thread, from callbacks and from tasks.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::time::Duration;
/// use concurrent_futures::{Executor, InlineExecutor};
///
/// let future = InlineExecutor::new().submit(|n: u64| n * n, 12)?;
/// assert!(future.done());
/// assert_eq!(future.result(Duration::from_secs(1))?, 144);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[must_use = "a future tells how the task ended; drop it explicitly to let the task run unobserved"]
pub struct Future<T> {
    typed: Typed<T>,
}

impl<T: Send + 'static> Future<T> {
    pub(crate) fn new(typed: Typed<T>) -> Future<T> {
        Future { typed }
    }

    pub(crate) fn task(&self) -> &TaskRef {
        &self.typed.task
    }

    pub(crate) fn typed(&self) -> &Typed<T> {
        &self.typed
    }

    /// Returns another handle of the same task. Not public, because only one owner can move the value out.
    pub(crate) fn alias(&self) -> Future<T> {
        Future { typed: self.typed.clone() }
    }

    /// Returns the id of the task, which the task itself sees in [`task::current`](crate::task::current).
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor, task};
    /// let future = InlineExecutor::new().submit(|()| task::current().map(|context| context.id()), ())?;
    /// let id = future.id();
    /// assert_eq!(future.result(None)?, Some(id));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn id(&self) -> TaskId {
        self.task().id
    }

    /// Returns whether the task is done: it has a result, failed, or was cancelled. Once this is `true` it stays
    /// `true`.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// let (promise, future) = concurrent_futures::promise::<u64>();
    /// assert!(!future.done());
    /// promise.set_result(1)?;
    /// assert!(future.done());
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn done(&self) -> bool {
        self.task().state.snapshot().is_done()
    }

    /// Returns whether the task is running. A task in a worker's queue is not running; Python reports it as running.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// let (promise, future) = concurrent_futures::promise::<u64>();
    /// assert!(!future.running());
    /// assert!(promise.set_running_or_notify_cancel());
    /// assert!(future.running());
    /// ```
    pub fn running(&self) -> bool {
        self.task().is_running()
    }

    /// Returns whether the task was cancelled before it started. A cancelled future is [`done`](Future::done).
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// let (_promise, future) = concurrent_futures::promise::<u64>();
    /// assert!(!future.cancelled());
    /// future.cancel();
    /// assert!(future.cancelled() && future.done());
    /// ```
    pub fn cancelled(&self) -> bool {
        self.task().state.snapshot().is_cancelled()
    }

    /// Cancels the task. Returns `true` if the task never ran and never will. The task is then done, and this call runs
    /// its callbacks. Returns `false` if the task runs or is done; nothing changes then.
    ///
    /// It succeeds until the task starts, even if the task is already in a worker's queue. In the end the task either
    /// ran or was cancelled, and never both. In the thread that cancels the task, the arguments are dropped before this
    /// returns. If another thread calls this at the same moment, it may return a little earlier.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::ErrorKind;
    /// let (promise, future) = concurrent_futures::promise::<u64>();
    /// assert!(future.cancel());
    /// assert!(!promise.set_running_or_notify_cancel(), "it must not start any more");
    /// assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::Cancelled);
    ///
    /// let (promise, future) = concurrent_futures::promise::<u64>();
    /// assert!(promise.set_running_or_notify_cancel());
    /// assert!(!future.cancel(), "it runs");
    /// ```
    pub fn cancel(&self) -> bool {
        queued::cancel(self.task())
    }

    /// Cancels the task if it has not started. If it runs, stops it where the back-end can do that: a worker process
    /// receives `SIGTERM`, and `SIGKILL` after `grace`. The future then fails with
    /// [`Terminated`](crate::ErrorKind::Terminated).
    ///
    /// Returns `true` if the task was cancelled, or will be stopped unless it ends before. Returns `false` if the task
    /// is done, or runs where nothing can stop it. Such a task is asked to stop, which
    /// [`Context::is_cancelled`](crate::task::Context::is_cancelled) reports. Python has no counterpart.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use std::time::Duration;
    /// let (promise, future) = concurrent_futures::promise::<u64>();
    /// assert!(promise.set_running_or_notify_cancel());
    /// assert!(!future.terminate(Duration::ZERO), "nothing can stop the producer of a promise");
    /// ```
    pub fn terminate(&self, grace: Duration) -> bool {
        let task = self.task();
        loop {
            if self.cancel() {
                return true;
            }
            if self.done() {
                return false;
            }
            task.state.ask_to_stop();
            if queueing_host(task).is_some_and(|host| host.terminate(task.id, task.place(), grace)) {
                return true;
            }
            // The task's worker may have died meanwhile, so that the task waits for another attempt.
            if !task.state.snapshot().is_queued() {
                return false;
            }
        }
    }

    /// Runs the task inline if it has not started and the calling thread is a worker of the task's back-end, as
    /// [`result`](Future::result) does first. Returns whether it did: `false` if the task had started, or there is no
    /// stack for it. This is for authors of back-ends whose threads wait in another way.
    pub fn run_inline(&self) -> bool {
        help(self.task()).unwrap_or(false)
    }

    /// Runs the task inline as [`run_inline`](Future::run_inline) does, or fails it with
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if there is no stack for it. Returns whether it did one of
    /// both, so that the task is done. This is for authors of back-ends.
    pub fn run_inline_or_fail(&self) -> bool {
        help_or_fail(self.task())
    }

    /// Waits for the task and moves its value out. `None` waits without a time-out; a zero duration does not wait.
    ///
    /// Called inside a task on a future of the same executor, it runs the awaited task inline if that has not started.
    /// So tasks that wait for their subtasks never use up all workers. It never runs another task.
    ///
    /// With a time-out it does so only while no worker of the executor is idle; the wait may then last as long as the
    /// awaited task. If a worker is idle, that worker runs the awaited task, and the wait ends at the time-out.
    ///
    /// Nested waits can use more stack than one thread has. When half of the stack is used, the awaited task runs on a
    /// fresh one: on another thread, while this thread waits. A thread pool has such threads, which are workers like
    /// the waiting one. A rayon pool has none, because the task would leave the pool. Without a fresh stack, tasks go
    /// on running on top of each other until less than a quarter of the stack is left (512 KiB at most). Then this
    /// immediately returns [`InvalidState`](crate::ErrorKind::InvalidState), and the awaited task stays queued. On
    /// [`InlineExecutor`](crate::InlineExecutor), `submit` returns this error.
    ///
    /// A task that waits for a task of *another* executor keeps its worker while it waits. If tasks of two executors
    /// wait for each other, all workers of both can be waiting: a deadlock, unless every wait has a time-out. Let each
    /// executor wait for the other in one direction only, use one executor for tasks that wait for each other, or
    /// return the future and let the caller wait for it.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Error, Executor, InlineExecutor};
    /// let (parsers, readers) = (InlineExecutor::new(), InlineExecutor::new());
    /// // Neither task waits for the other executor: the caller joins the two steps.
    /// let text = readers.submit(|path: String| format!("text of {path}"), "a.txt".to_string())?.result(None)?;
    /// let words = parsers.submit(|text: String| text.split(' ').count(), text)?.result(None)?;
    /// assert_eq!(words, 3);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// The thread that calls this decodes a result that came from another process, so a `Deserialize` that panics is an
    /// error here.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use std::time::Duration;
    /// use concurrent_futures::{ErrorKind, Executor, InlineExecutor, promise};
    ///
    /// let future = InlineExecutor::new().submit(|n: u64| n + 1, 1)?;
    /// assert_eq!(future.result(Duration::from_secs(1))?, 2);
    /// assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::InvalidState, "the value was moved out");
    ///
    /// let (_promise, future) = promise::<u64>();
    /// assert_eq!(future.result(Duration::ZERO).unwrap_err().kind(), ErrorKind::Timeout);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Timeout`](crate::ErrorKind::Timeout) if the task is not done in time. The task goes on, and can be waited
    ///   for again.
    /// - [`InvalidState`](crate::ErrorKind::InvalidState) if the value was moved out before, or the waits are nested
    ///   too deep for the stack (see above).
    /// - [`Broken`](crate::ErrorKind::Broken) in a forked child, for a task of the parent that was not done.
    /// - The error of the task, each time this is called.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        wait_for(self.task(), timeout.into(), || self.typed.take())
    }

    /// Waits for the task and returns its error, or `None` if it has a value. The value stays in the future.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{ErrorKind, Executor, InlineExecutor};
    /// let executor = InlineExecutor::new();
    /// let failed = executor.submit(|n: u64| n.checked_sub(1).expect("too small"), 0)?;
    /// assert_eq!(failed.exception(None)?.unwrap().panic().unwrap().message(), "too small");
    /// let fine = executor.submit(|n: u64| n, 1)?;
    /// assert!(fine.exception(None)?.is_none());
    /// assert_eq!(fine.result(None)?, 1);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Timeout`](crate::ErrorKind::Timeout) and [`Cancelled`](crate::ErrorKind::Cancelled), which are not
    /// errors *of* the task. Returns [`InvalidState`](crate::ErrorKind::InvalidState) and
    /// [`Broken`](crate::ErrorKind::Broken) as [`result`](Future::result) does, except for a value that was moved out.
    pub fn exception(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<Error>, Error> {
        let error = wait_for(self.task(), timeout.into(), || self.typed.error())?;
        match error {
            Some(error) if self.cancelled() => Err(error),
            other => Ok(other),
        }
    }

    /// Calls a function once the task is done, in the thread that completes it, or immediately in this thread if the
    /// task is done. Callbacks run in the order they were added, after waiting threads were woken, and outside every
    /// lock. The panic hook reports a panic of a callback, and the other callbacks still run.
    ///
    /// While a callback blocks, the thread that completed the task, which often is a worker, does nothing else. A
    /// callback may wait for tasks of the same executor, as a task may.
    ///
    /// The function receives a handle of its own task. If it moves the value out, no other reader gets the value,
    /// unless the future is [shared](Future::shared).
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let future = InlineExecutor::new().submit(|n: u64| n + 1, 1)?;
    /// future.add_done_callback(|future| assert!(future.done()));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn add_done_callback(&self, callback: impl FnOnce(&Future<T>) + Send + 'static) {
        let erased = self.typed.erase(move |typed| callback(&Future { typed }));
        if let Err(Waiter::Callback(late)) = self.task().waiters().add(self.task(), Waiter::Callback(erased)) {
            catch::contain(|| late(self.task()));
        }
    }

    /// Calls a function with the outcome of the task, and leaves the outcome for [`result`](Future::result) and every
    /// other reader. Python's counterparts are `callback` and `error_callback` of `Pool.apply_async`.
    ///
    /// The function runs once the task is done, in the thread that completes it, or immediately in this thread if the
    /// task is done. Result callbacks run in the order they were added, before the functions of
    /// [`add_done_callback`](Future::add_done_callback) and outside every lock. The panic hook reports a panic of one,
    /// and the others still run.
    ///
    /// Until the last of them has ended, `result`, `exception` and `.await` wait, within their time-outs, even though
    /// the future is [`done`](Future::done). So they always come after the callbacks, and a callback that blocks delays
    /// them. In the callback itself they return [`InvalidState`](crate::ErrorKind::InvalidState), because the callback
    /// has the result as its argument. The thread that runs the callbacks decodes a result that came from another
    /// process.
    ///
    /// A function that is added late receives [`InvalidState`](crate::ErrorKind::InvalidState) if the value was moved
    /// out before, or is [shared](Future::shared). A cancelled task is an error of kind
    /// [`Cancelled`](crate::ErrorKind::Cancelled).
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let future = InlineExecutor::new().submit(|n: u64| n + 1, 1)?;
    /// future.add_result_callback(|result| match result {
    ///     Ok(value) => println!("the value is {value}"),
    ///     Err(error) => eprintln!("it failed: {error}"),
    /// });
    /// assert_eq!(future.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn add_result_callback(&self, callback: impl FnOnce(Result<&T, &Error>) + Send + 'static) {
        result_callback::add(&self.typed, callback);
    }

    /// Turns the handle into one that can be cloned, and whose `result` clones the value instead of moving it out.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    /// let shared = InlineExecutor::new().submit(|n: u64| n + 1, 1)?.shared();
    /// let other = shared.clone();
    /// let in_a_thread = std::thread::spawn(move || other.result(None)).join().unwrap()?;
    /// assert_eq!((shared.result(None)?, in_a_thread), (2, 2));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn shared(self) -> SharedFuture<T>
    where
        T: Clone,
    {
        SharedFuture::new(self)
    }

    /// Waits until the task is done, without reading its output.
    pub(crate) fn wait_done(&self, deadline: Option<Instant>) -> Result<(), WaitEnd> {
        wait_until_done(self.task(), deadline)
    }
}

impl<T: Send + 'static> IntoFuture for Future<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Awaited<T>;

    /// Makes the future for `.await`, on any runtime. Dropping it does not affect the task.
    fn into_future(self) -> Awaited<T> {
        Awaited::new(self)
    }
}

impl<T: Send + 'static> IntoFuture for &Future<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Awaited<T>;

    /// Makes a future for `.await`, and keeps the handle for a later `cancel`. The await moves the value out, as
    /// [`result`](Future::result) does.
    fn into_future(self) -> Awaited<T> {
        Awaited::new(self.alias())
    }
}

impl<T: Send + 'static> IntoFuture for &mut Future<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Awaited<T>;

    /// Makes a future as `&Future` does.
    fn into_future(self) -> Awaited<T> {
        Awaited::new(self.alias())
    }
}

/// Two futures are equal if they are handles of the same task, whatever its result is. With [`Hash`], a future can be
/// the key of a map, as in Python's `{future: url}`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::collections::HashMap;
/// use concurrent_futures::{Error, Executor, InlineExecutor, as_completed};
///
/// let executor = InlineExecutor::new();
/// let mut urls = HashMap::new();
/// for url in ["a.example", "bc.example"] {
///     urls.insert(executor.submit(|url: String| url.len(), url.to_string())?, url);
/// }
/// for future in as_completed(urls.keys(), None) {
///     let future = future?;
///     assert_eq!(future.result(None)?, urls[future].len());
/// }
/// # Ok::<(), Error>(())
/// ```
impl<T> PartialEq for Future<T> {
    fn eq(&self, other: &Future<T>) -> bool {
        self.typed.task.id == other.typed.task.id
    }
}

impl<T> Eq for Future<T> {}

impl<T> Hash for Future<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.typed.task.id.hash(state);
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.typed.task;
        let mut debug = f.debug_struct("Future");
        debug.field("id", &task.id.as_u64()).field("task", &task.name());
        debug.field("state", &format_args!("{}", task.state_name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_is_one_pointer_wide() {
        assert_eq!(size_of::<Future<String>>(), size_of::<usize>());
        assert_eq!(size_of::<Option<Future<String>>>(), size_of::<usize>());
    }
}
