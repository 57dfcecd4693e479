//! The caller's half of a task.

use std::{
    fmt,
    future::IntoFuture,
    time::{Duration, Instant},
};

use crate::{
    Awaited, Error, ErrorKind, SharedFuture, TaskId, catch,
    signal::Signal,
    task::{
        self,
        cell::{Read, TaskRef, Typed},
        state::Withdraw,
        waiter::Waiter,
        work::Work,
    },
};

/// The handle of a task: asks for its state, cancels it, waits for its result.
///
/// The same type for every back-end, so futures of several can be waited for together. Dropping it neither cancels the
/// task nor waits for it. Python's counterpart is `concurrent.futures.Future`.
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
    unpack: fn(&[u8]) -> Result<T, Error>,
}

impl<T: Send + 'static> Future<T> {
    pub(crate) fn new<W: Work<Output = T>>(typed: Typed<T>) -> Future<T> {
        Future { typed, unpack: W::unpack }
    }

    pub(crate) fn task(&self) -> &TaskRef {
        &self.typed.task
    }

    pub(crate) fn typed(&self) -> &Typed<T> {
        &self.typed
    }

    /// Another handle of the same task. Not public: there is one value, and one owner to move it out.
    pub(crate) fn alias(&self) -> Future<T> {
        Future { typed: self.typed.clone(), unpack: self.unpack }
    }

    /// The id of the task, which the task itself sees in [`task::current`](crate::task::current).
    pub fn id(&self) -> TaskId {
        self.task().id
    }

    /// Whether it is over: it has a result, failed, or was cancelled.
    pub fn done(&self) -> bool {
        self.task().state.snapshot().is_done()
    }

    /// Whether it runs at this moment. Exact: a task that lies in a worker's queue does not run.
    pub fn running(&self) -> bool {
        let state = self.task().state.snapshot();
        if !state.is_placed() {
            return state.is_running();
        }
        let task = self.task();
        // ORDERING: Acquire pairs with the Release of `Task::place`.
        let place = task.place.load(std::sync::atomic::Ordering::Acquire);
        task.host().find().is_some_and(|host| host.started(task.id, place)) && !self.done()
    }

    /// Whether it was cancelled before it started.
    pub fn cancelled(&self) -> bool {
        self.task().state.snapshot().is_cancelled()
    }

    /// Withdraws the task. True: it will not run, and never did; it is done, and its callbacks run here and now. False:
    /// it runs or is over, and nothing changed.
    ///
    /// It succeeds until the very instant the task starts, also when the task already lies in a worker's queue.
    pub fn cancel(&self) -> bool {
        let task = self.task();
        loop {
            match task::cancel_queued(task) {
                Ok(()) | Err(Withdraw::Won) => return true,
                Err(Withdraw::Late(seen)) => return seen.is_withdrawn(),
                Err(Withdraw::Placed) => {
                    // ORDERING: as in `running`.
                    let place = task.place.load(std::sync::atomic::Ordering::Acquire);
                    let Some(host) = task.host().find() else { return false };
                    if host.withdraw(task.id, place) {
                        return true;
                    }
                    // It may have been moved to another worker while we asked; then ask again.
                    let again = task.state.snapshot();
                    let moved = task.place.load(std::sync::atomic::Ordering::Acquire) != place;
                    if !(again.is_queued() || again.is_placed() && moved) {
                        return again.is_withdrawn();
                    }
                }
            }
        }
    }

    /// Cancels the task if it waits, and stops it if it runs, where the back-end can stop one: a worker process gets
    /// `SIGTERM`, and `SIGKILL` after `grace`. The future then fails with [`ErrorKind::Terminated`].
    ///
    /// True: it was cancelled, or it will be stopped unless it ends by itself before. False: it is over already, or it
    /// runs where nothing can stop it; then it is asked to stop, and can see that in
    /// [`Context::is_cancelled`](crate::task::Context::is_cancelled).
    pub fn terminate(&self, grace: Duration) -> bool {
        if self.cancel() {
            return true;
        }
        let task = self.task();
        if self.done() {
            return false;
        }
        task.state.ask_to_stop();
        // ORDERING: as in `running`.
        let place = task.place.load(std::sync::atomic::Ordering::Acquire);
        task.host().find().is_some_and(|host| host.terminate(task.id, place, grace))
    }

    /// Waits for the task and moves its value out. `None` waits as long as it takes; a zero duration only looks.
    ///
    /// Called inside a task on a future of the same executor, it runs the awaited task on the spot if that has not started,
    /// so that tasks that wait for their subtasks never use up all workers. It never runs anything else.
    ///
    /// # Errors
    ///
    /// [`Timeout`](ErrorKind::Timeout) if it is not done in time: the task is not touched, and can be waited for again.
    /// [`InvalidState`](ErrorKind::InvalidState) if the value was moved out before. Else the error of the task, as often
    /// as it is asked for.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<T, Error> {
        let (typed, unpack) = (&self.typed, self.unpack);
        wait_for(self.task(), timeout.into(), || typed.take(unpack))
    }

    /// Waits for the task and answers its error, or `None` if it has a value, which stays where it is.
    ///
    /// # Errors
    ///
    /// [`Timeout`](ErrorKind::Timeout) and [`Cancelled`](ErrorKind::Cancelled), which are not errors *of* the task.
    pub fn exception(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<Error>, Error> {
        let (typed, unpack) = (&self.typed, self.unpack);
        let error = wait_for(self.task(), timeout.into(), || typed.error(unpack))?;
        match error {
            Some(error) if self.cancelled() => Err(error),
            other => Ok(other),
        }
    }

    /// Calls a function once the task is done, in the thread that completes it; at once, in this thread, if it is done
    /// already. Callbacks run in the order they were added, after those who wait were woken, outside of every lock. A
    /// panic of one is reported and does not hurt the others.
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor};
    /// let future = InlineExecutor::new().submit(|n: u64| n + 1, 1)?;
    /// future.add_done_callback(|future| assert!(future.done()));
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn add_done_callback(&self, callback: impl FnOnce(&Future<T>) + Send + 'static) {
        let unpack = self.unpack;
        let erased = self.typed.erase(move |typed| callback(&Future { typed, unpack }));
        if let Err(Waiter::Callback(late)) = self.task().waiters.add(self.task(), Waiter::Callback(erased)) {
            catch::contain(|| late(self.task()));
        }
    }

    /// Turns the handle into one that can be cloned, and whose `result` clones the value instead of moving it out.
    pub fn shared(self) -> SharedFuture<T>
    where
        T: Clone,
    {
        SharedFuture::new(self)
    }

    /// Waits until the task is done, without looking at its output. False: the time ran out.
    pub(crate) fn wait_done(&self, deadline: Option<Instant>) -> bool {
        let task = self.task();
        if self.done() || help(task) {
            return true;
        }
        wait_until(task, deadline, || task.state.snapshot().is_done())
    }

    pub(crate) fn unpack_fn(&self) -> fn(&[u8]) -> Result<T, Error> {
        self.unpack
    }
}

/// Inside a task of the same host, a task that has not started is run on the spot: nobody else might be free to do it.
pub(crate) fn help(task: &TaskRef) -> bool {
    let host = task::current_host();
    host != crate::host::HostId::NONE && host == task.host() && task::run_on_the_spot(task)
}

/// Waits until `read` has an answer.
pub(crate) fn wait_for<R>(
    task: &TaskRef,
    timeout: Option<Duration>,
    mut read: impl FnMut() -> Read<R>,
) -> Result<R, Error> {
    let mut answer = read();
    if let Read::NotDone = answer
        && help(task)
    {
        answer = read();
    }
    if let Read::NotDone | Read::Unpacking = answer {
        if !timeout.is_some_and(|timeout| timeout.is_zero()) {
            task.born.check()?;
            // A time-out too far away to be told apart from "never" is never.
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            wait_until(task, deadline, || {
                answer = read();
                !matches!(answer, Read::NotDone | Read::Unpacking)
            });
        }
    }
    match answer {
        Read::Ready(result) => result,
        Read::Taken => Err(Error::new(
            ErrorKind::InvalidState,
            format!(
                "the result of task `{}` was moved out before: use `shared()` to read it several times",
                task.name()
            ),
        )),
        Read::NotDone | Read::Unpacking => {
            Err(Error::timed_out(task.name(), task.state.snapshot().name(), timeout.unwrap_or_default()))
        }
    }
}

/// Blocks until the condition holds, which can only become true by a notification of this task. False: too late.
fn wait_until(task: &TaskRef, deadline: Option<Instant>, mut condition: impl FnMut() -> bool) -> bool {
    let signal = Signal::of_this_thread();
    loop {
        let registered = task.waiters.add(task, Waiter::Thread(signal.clone())).is_ok();
        // Checked after registering, so that a change between the check and the sleep is not missed.
        if condition() {
            if registered {
                forget(task, &signal);
            }
            return true;
        }
        if !registered {
            // Done, but not in the way that is waited for: between two steps of another thread that unpacks.
            std::thread::yield_now();
            continue;
        }
        signal.wait(deadline);
        forget(task, &signal);
        if condition() {
            return true;
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return false;
        }
    }
}

fn forget(task: &TaskRef, signal: &std::sync::Arc<Signal>) {
    task.waiters.remove(|waiter| matches!(waiter, Waiter::Thread(other) if std::sync::Arc::ptr_eq(other, signal)));
}

impl<T: Send + 'static> IntoFuture for Future<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Awaited<T>;

    /// For `.await`, on any runtime. Dropping what this answers does not touch the task.
    fn into_future(self) -> Awaited<T> {
        Awaited::new(self)
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(&self.typed.task, "Future", f)
    }
}

pub(crate) fn debug(task: &TaskRef, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("id", &task.id.as_u64())
        .field("task", &task.name())
        .field("state", &task.state.snapshot())
        .finish()
}
