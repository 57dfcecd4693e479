//! The caller's half of a task.

use std::{
    fmt,
    future::IntoFuture,
    time::{Duration, Instant},
};

use crate::{
    Awaited, Error, SharedFuture, TaskId, catch,
    task::{cell::TaskRef, queued::cancel_queued, state::Withdraw, typed::Typed, waiter::Waiter},
    waiting::{WaitEnd, help, help_or_fail, wait_for, wait_until_done},
};

/// The handle of a task: asks for its state, cancels it, waits for its result.
///
/// The same type for every back-end, so futures of several can be waited for together. Dropping it neither cancels the
/// task nor waits for it. Python's counterpart is `concurrent.futures.Future`, whose methods have the same names here.
///
/// All methods may be called from any thread, from callbacks and from tasks.
///
/// ```
/// use std::time::Duration;
/// use executor_core::{Executor, InlineExecutor};
///
/// let future = InlineExecutor::new().submit(|n: u64| n * n, 12)?;
/// assert!(future.done());
/// assert_eq!(future.result(Duration::from_secs(1))?, 144);
/// # Ok::<(), executor_core::Error>(())
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

    /// Another handle of the same task. Not public: there is one value, and one owner to move it out.
    pub(crate) fn alias(&self) -> Future<T> {
        Future { typed: self.typed.clone() }
    }

    /// The id of the task, which the task itself sees in [`task::current`](crate::task::current).
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor, task};
    /// let future = InlineExecutor::new().submit(|()| task::current().map(|context| context.id()), ())?;
    /// let id = future.id();
    /// assert_eq!(future.result(None)?, Some(id));
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn id(&self) -> TaskId {
        self.task().id
    }

    /// Whether it is over: it has a result, failed, or was cancelled. Once true it stays true.
    ///
    /// ```
    /// let (promise, future) = executor_core::promise::<u64>();
    /// assert!(!future.done());
    /// promise.set_result(1)?;
    /// assert!(future.done());
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn done(&self) -> bool {
        self.task().state.snapshot().is_done()
    }

    /// Whether it runs at this moment. Exact: a task that lies in a worker's queue does not run, which is where Python
    /// says otherwise.
    ///
    /// ```
    /// let (promise, future) = executor_core::promise::<u64>();
    /// assert!(!future.running());
    /// assert!(promise.set_running_or_notify_cancel());
    /// assert!(future.running());
    /// ```
    pub fn running(&self) -> bool {
        self.task().is_running()
    }

    /// Whether it was cancelled before it started. A cancelled future is [`done`](Future::done).
    ///
    /// ```
    /// let (_promise, future) = executor_core::promise::<u64>();
    /// assert!(!future.cancelled());
    /// future.cancel();
    /// assert!(future.cancelled() && future.done());
    /// ```
    pub fn cancelled(&self) -> bool {
        self.task().state.snapshot().is_cancelled()
    }

    /// Withdraws the task. True: it will not run, and never did; it is done, and its callbacks run here and now. False:
    /// it runs or is over, and nothing changed.
    ///
    /// It succeeds until the very instant the task starts, also when the task already lies in a worker's queue. Of "it
    /// ran" and "it was cancelled" exactly one is true in the end. The arguments are dropped by the time
    /// it answers the one who cancelled the task; another who asks at the same moment may hear it a little earlier.
    ///
    /// ```
    /// # use executor_core::ErrorKind;
    /// let (promise, future) = executor_core::promise::<u64>();
    /// assert!(future.cancel());
    /// assert!(!promise.set_running_or_notify_cancel(), "it must not start any more");
    /// assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::Cancelled);
    ///
    /// let (promise, future) = executor_core::promise::<u64>();
    /// assert!(promise.set_running_or_notify_cancel());
    /// assert!(!future.cancel(), "it runs");
    /// ```
    pub fn cancel(&self) -> bool {
        let task = self.task();
        loop {
            match cancel_queued(task) {
                Withdraw::Withdrawn(_) => return true,
                Withdraw::TooLate(seen) => return seen.is_cancelled(),
                Withdraw::Placed => {
                    let place = task.place();
                    let Some(host) = task.host().find() else { return self.cancelled() };
                    if host.withdraw(task.id, place) {
                        return true;
                    }
                    // It may have been moved to another worker while we asked; then ask again.
                    let again = task.state.snapshot();
                    if !(again.is_queued() || again.is_placed() && task.place() != place) {
                        return again.is_cancelled();
                    }
                }
            }
        }
    }

    /// Cancels the task if it waits, and stops it if it runs, where the back-end can stop one: a worker process gets
    /// `SIGTERM`, and `SIGKILL` after `grace`. The future then fails with [`Terminated`](crate::ErrorKind::Terminated).
    ///
    /// True: it was cancelled, or it will be stopped unless it ends by itself before. False: it is over already, or it
    /// runs where nothing can stop it; then it is asked to stop, and can see that in
    /// [`Context::is_cancelled`](crate::task::Context::is_cancelled). Python has no counterpart.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (promise, future) = executor_core::promise::<u64>();
    /// assert!(promise.set_running_or_notify_cancel());
    /// assert!(!future.terminate(Duration::ZERO), "nobody can stop what is behind a promise");
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
            if task.host().find().is_some_and(|host| host.terminate(task.id, task.place(), grace)) {
                return true;
            }
            // Its worker may have died meanwhile, so that it waits for another attempt.
            if !task.state.snapshot().is_queued() {
                return false;
            }
        }
    }

    /// Runs the task here and now if it has not started, provided that the calling thread is a worker of the back-end
    /// that has it; [`result`](Future::result) begins with this. For authors of back-ends, who wait in ways of their
    /// own. True: it was run, and is done. False: it had started, or there is no stack for it.
    pub fn run_inline(&self) -> bool {
        help(self.task()).unwrap_or(false)
    }

    /// As [`run_inline`](Future::run_inline), for one who cannot do without the end of the task. If there is
    /// no stack to run it on, it fails with [`InvalidState`](crate::ErrorKind::InvalidState). For authors of back-ends.
    pub fn run_inline_or_fail(&self) -> bool {
        help_or_fail(self.task())
    }

    /// Waits for the task and moves its value out. `None` waits as long as it takes; a zero duration only looks.
    ///
    /// Called inside a task on a future of the same executor, it runs the awaited task inline if that has not started,
    /// so that tasks that wait for their subtasks never use up all workers. It never runs anything else.
    ///
    /// With a time-out it does so only while no worker of the executor is idle. An idle worker runs the awaited task
    /// instead, and the time-out holds. If no worker is idle, the wait takes as long as the task that it runs.
    ///
    /// Waits may be nested deeper than a stack is long. When half of the stack is used up, the awaited task runs on a
    /// fresh one: on a thread of its own, while this thread waits. A thread pool has such threads, which are workers
    /// like the one that waits. Over a rayon pool there is none, because the task would leave its pool. If none can be
    /// had, tasks go on running on top of each other until less than a quarter of the stack is left (512 KiB at most),
    /// and then this returns [`InvalidState`](crate::ErrorKind::InvalidState) at once; the awaited task stays where it
    /// is. On [`InlineExecutor`](crate::InlineExecutor) it is `submit` that returns this error.
    ///
    /// A task that waits for a task of *another* executor keeps its worker while it waits. If tasks of two executors
    /// wait for each other, all workers of both can be waiting: a deadlock, unless every wait has a time-out. Let each
    /// executor wait for the other in one direction only, use one executor for tasks that wait for each other, or
    /// return the future and let the caller wait for it.
    ///
    /// ```
    /// # use executor_core::{Executor, Error, InlineExecutor};
    /// # let (parsers, readers) = (InlineExecutor::new(), InlineExecutor::new());
    /// // Neither task waits for the other executor: the caller joins the two steps.
    /// let text = readers.submit(|path: String| format!("text of {path}"), "a.txt".to_string())?.result(None)?;
    /// let words = parsers.submit(|text: String| text.split(' ').count(), text)?.result(None)?;
    /// assert_eq!(words, 3);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// A result that came from another process is read by the thread that asks for it, so a `Deserialize` that panics
    /// shows here, as an error.
    ///
    /// ```
    /// use std::time::Duration;
    /// use executor_core::{ErrorKind, Executor, InlineExecutor, promise};
    ///
    /// let future = InlineExecutor::new().submit(|n: u64| n + 1, 1)?;
    /// assert_eq!(future.result(Duration::from_secs(1))?, 2);
    /// assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::InvalidState, "the value was moved out");
    ///
    /// let (_promise, future) = promise::<u64>();
    /// assert_eq!(future.result(Duration::ZERO).unwrap_err().kind(), ErrorKind::Timeout);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) if it is not done in time: the task is not touched, and can be waited for
    /// again. [`InvalidState`](crate::ErrorKind::InvalidState) if the value was moved out before, or the waits are
    /// nested too deep for the stack, see above.
    /// [`Broken`](crate::ErrorKind::Broken) in a forked child, for a task of the parent that was not done.
    /// Else the error of the task, as often as it is asked for.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        wait_for(self.task(), timeout.into(), || self.typed.take())
    }

    /// Waits for the task and answers its error, or `None` if it has a value, which stays where it is.
    ///
    /// ```
    /// # use executor_core::{ErrorKind, Executor, InlineExecutor};
    /// let executor = InlineExecutor::new();
    /// let failed = executor.submit(|n: u64| n.checked_sub(1).expect("too small"), 0)?;
    /// assert_eq!(failed.exception(None)?.unwrap().panic().unwrap().message(), "too small");
    /// let fine = executor.submit(|n: u64| n, 1)?;
    /// assert!(fine.exception(None)?.is_none());
    /// assert_eq!(fine.result(None)?, 1);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) and [`Cancelled`](crate::ErrorKind::Cancelled), which are not errors *of*
    /// the task; and [`InvalidState`](crate::ErrorKind::InvalidState) where waits are nested too deep for the stack, as
    /// for [`result`](Future::result).
    pub fn exception(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<Error>, Error> {
        let error = wait_for(self.task(), timeout.into(), || self.typed.error())?;
        match error {
            Some(error) if self.cancelled() => Err(error),
            other => Ok(other),
        }
    }

    /// Calls a function once the task is done, in the thread that completes it; at once, in this thread, if it is done
    /// already. Callbacks run in the order they were added, after those who wait were woken, outside of every lock. A
    /// panic of one is reported by the panic hook and does not hurt the others.
    ///
    /// A callback that blocks keeps the thread that completed the task, which often is a worker, and the callbacks
    /// after it. It may wait for tasks of the same executor, as a task may.
    ///
    /// It is given a handle of its own task. If it takes the value out of it, the value is gone for everybody else,
    /// unless the future is [shared](Future::shared).
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor};
    /// let future = InlineExecutor::new().submit(|n: u64| n + 1, 1)?;
    /// future.add_done_callback(|future| assert!(future.done()));
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn add_done_callback(&self, callback: impl FnOnce(&Future<T>) + Send + 'static) {
        let erased = self.typed.erase(move |typed| callback(&Future { typed }));
        if let Err(Waiter::Callback(late)) = self.task().waiters.add(self.task(), Waiter::Callback(erased)) {
            catch::contain(|| late(self.task()));
        }
    }

    /// Turns the handle into one that can be cloned, and whose `result` clones the value instead of moving it out.
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor};
    /// let shared = InlineExecutor::new().submit(|n: u64| n + 1, 1)?.shared();
    /// let other = shared.clone();
    /// let in_a_thread = std::thread::spawn(move || other.result(None)).join().unwrap()?;
    /// assert_eq!((shared.result(None)?, in_a_thread), (2, 2));
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn shared(self) -> SharedFuture<T>
    where
        T: Clone,
    {
        SharedFuture::new(self)
    }

    /// Waits until the task is done, without looking at its output.
    pub(crate) fn wait_done(&self, deadline: Option<Instant>) -> Result<(), WaitEnd> {
        wait_until_done(self.task(), deadline)
    }
}

impl<T: Send + 'static> IntoFuture for Future<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Awaited<T>;

    /// For `.await`, on any runtime. Dropping what this answers does not touch the task.
    fn into_future(self) -> Awaited<T> {
        Awaited::new(self)
    }
}

impl<T: Send + 'static> IntoFuture for &Future<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Awaited<T>;

    /// For `.await` that leaves the handle where it is, for a `cancel` later on. It moves the value out, as
    /// [`result`](Future::result) does.
    fn into_future(self) -> Awaited<T> {
        Awaited::new(self.alias())
    }
}

impl<T: Send + 'static> IntoFuture for &mut Future<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Awaited<T>;

    /// As `&Future` does.
    fn into_future(self) -> Awaited<T> {
        Awaited::new(self.alias())
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
