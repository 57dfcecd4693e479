//! The back-end's half of a task.

use std::{fmt, mem::ManuallyDrop, sync::atomic::Ordering::*, time::Duration};

use super::{
    TaskId,
    cell::TaskRef,
    completed::Completed,
    rare::Rare,
    rights::{Claimed, Completing},
    started::Started,
    state::Withdraw,
    typed::Typed,
    work::{Encoded, Work},
};
use crate::{
    Error, ErrorKind, catch,
    codec::{Bytes, handles::Handles},
    function::outcome,
    host::HostId,
    nesting,
};

/// The back-end's half of a task. It cannot be cloned, and its holder must complete it. Dropping it fails the future.
///
/// A back-end that runs its tasks locally only needs [`run`](Task::run); see [`Backend`](crate::Backend). One that runs
/// them remotely encodes them and delivers the replies:
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::time::Duration;
/// use concurrent_futures::{Backend, Error, Executor, Shutdown, Task, task::Encoded};
///
/// /// Runs each task as if in another process.
/// struct Remote;
///
/// fn call(encoded: Encoded, argument: &[u8]) -> Vec<u8> {
///     let mut reply = Vec::new();
///     encoded.entry.call(argument, &mut reply);
///     reply
/// }
/// impl Backend for Remote {
///     fn schedule(&self, task: Task) -> Result<(), Error> {
///         let mut argument = Vec::new();
///         let encoded = task.encode(&mut argument)?;
///         if task.begin() {
///             drop(task.complete(call(encoded, &argument)));
///         }
///         Ok(())
///     }
///     fn close(&self, _: Shutdown) {}
///     fn join(&self, _: Option<Duration>) -> bool {
///         true
///     }
///     fn max_workers(&self) -> usize {
///         1
///     }
/// }
/// assert_eq!(Remote.submit(|(a, b): (u64, u64)| a * b, (6, 7))?.result(None)?, 42);
/// # Ok::<(), Error>(())
/// ```
///
/// The README in this crate's `src/task` describes the states of a task, and what each thread may do in them.
pub struct Task {
    pub(super) task: TaskRef,
}

impl Task {
    /// Makes a task, and the pointer of its future.
    #[inline]
    pub(crate) fn new<W: Work>(work: W, rare: Rare, may_wait: bool) -> (Task, Typed<W::Output>) {
        let (own, typed) = Typed::allocate(work, rare, may_wait);
        (Task { task: own.task }, typed)
    }

    /// Returns only the reference. The caller must complete the task.
    #[inline]
    #[allow(unsafe_code)]
    fn into_ref(self) -> TaskRef {
        let task = ManuallyDrop::new(self);
        // SAFETY: `task` is neither used nor dropped after this, so the reference is moved out of it.
        unsafe { std::ptr::read(&task.task) }
    }

    /// Returns the id, which the future has too.
    pub fn id(&self) -> TaskId {
        self.task.id
    }

    /// Returns the name from the options, or else the function's path.
    pub fn name(&self) -> &str {
        self.task.name()
    }

    /// Returns the name from the options, if they have one.
    pub fn custom_name(&self) -> Option<&str> {
        self.task.rare.settings()?.options.name.as_deref()
    }

    /// Returns the priority. Tasks of a higher priority start first.
    #[inline]
    pub fn priority(&self) -> i32 {
        self.task.rare.settings().map_or(0, |settings| settings.options.priority)
    }

    /// Returns how long the task may run.
    pub fn time_limit(&self) -> Option<Duration> {
        self.task.rare.settings().and_then(|settings| settings.options.time_limit)
    }

    /// Returns how many more times the task may be run after its worker died while running it.
    pub fn retries(&self) -> u32 {
        self.task.rare.settings().map_or(0, |settings| settings.options.retries)
    }

    /// Returns whether `schedule` may block while the queue is full: `true` from `submit`, `false` from `try_submit`.
    pub fn may_wait(&self) -> bool {
        self.task.state.snapshot().may_wait()
    }

    /// Returns whether the task is done: it was cancelled, or a task that waits for it has run it.
    pub fn is_done(&self) -> bool {
        self.task.state.snapshot().is_done()
    }

    /// Returns whether another thread has taken the task out of the queue: it was cancelled, or a task that waits for
    /// it runs it.
    pub fn has_left_queue(&self) -> bool {
        !self.task.state.snapshot().is_queued()
    }

    /// Sets the host of the task; see [`crate::host`]. Call this in `schedule`, before any thread can take the task.
    ///
    /// If another thread has the future already and cancels it at the same moment, the host may not be notified. A
    /// back-end that counts its tasks must not miss a cancel. It issues a sequentially consistent fence after this, and
    /// then calls [`has_left_queue`](Task::has_left_queue): if the host is not notified, that returns `true`.
    #[inline]
    pub fn attach(&self, host: HostId) {
        // ORDERING: the id publishes no other memory.
        self.task.host.store(host.raw(), Relaxed);
    }

    /// Sets the host of a task that is not submitted to it, so that its workers run the task inline if they wait for
    /// it. Call this before any other thread has the task or its future.
    pub(crate) fn attach_unqueued(&self, host: HostId) {
        self.task.state.set_in_no_queue();
        self.attach(host);
    }

    /// Runs the task and then its callbacks on this thread, unless the task was cancelled.
    pub fn run(self) {
        drop(self.run_quietly());
    }

    /// Runs the task, and leaves the notification to the caller. Returns `None` if another thread has taken the task.
    pub fn run_quietly(self) -> Option<Completed> {
        match Claimed::claim(self.into_ref()) {
            Ok(claimed) => Some(Completed::of(claimed.run())),
            Err(task) => Task { task }.run_too_late(),
        }
    }

    /// Runs the task as [`run_quietly`](Task::run_quietly) does, and calls `started` once the task is claimed and
    /// before its code begins. No other thread can run or cancel a claimed task, so `started` can free its place in a
    /// bounded queue.
    pub fn run_after(self, started: impl FnOnce()) -> Option<Completed> {
        match Claimed::claim(self.into_ref()) {
            Ok(claimed) => {
                // Nothing may unwind between the claim and the end of the task, or the task would never be done.
                catch::contain(started);
                Some(Completed::of(claimed.run()))
            }
            Err(task) => Task { task }.run_too_late(),
        }
    }

    /// Takes the task out of the queue, so that no other thread can run or cancel it. Returns `None` if another thread
    /// has taken it.
    ///
    /// This is for a worker that must do something before the task's code begins, such as counting itself as busy.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Task, TaskOptions};
    /// let (task, future) = Task::from_closure(TaskOptions::new(), || 1);
    /// let started = task.start().expect("the task is queued");
    /// assert!(future.running() && !future.cancel());
    /// drop(started.run());
    /// assert_eq!(future.result(None)?, 1);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[inline]
    pub fn start(self) -> Option<Started> {
        match Claimed::claim(self.into_ref()) {
            Ok(claimed) => Some(Started::new(claimed)),
            Err(task) => {
                drop(Task { task }.run_too_late());
                None
            }
        }
    }

    /// Handles a task that could not be claimed.
    #[cold]
    fn run_too_late(self) -> Option<Completed> {
        // A task that is still queued could not be claimed because its work is gone.
        if !self.task.state.snapshot().is_queued() {
            return None;
        }
        let error = Error::new(
            ErrorKind::InvalidState,
            format!("task `{}` was encoded before, so it cannot run in this process", self.name()),
        );
        fail(&self.task, error)
    }

    /// Appends the encoded arguments to `into`, and drops them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] if the arguments cannot be encoded, or the task is a closure; [`ErrorKind::InvalidState`]
    /// the second time. This does not complete the future: pass the error to [`Task::fail`], or return it from
    /// `schedule`. Arguments that have [handles](crate::codec::handles) also fail with [`ErrorKind::Encode`], unless a
    /// back-end that can carry them calls this inside [`collect`](crate::codec::handles::collect).
    pub fn encode(&self, into: &mut Vec<u8>) -> Result<Encoded, Error> {
        self.task.encode_work(into).unwrap_or_else(|| {
            let state = self.task.state.snapshot().name();
            Err(Error::new(ErrorKind::InvalidState, format!("task `{}` is {state}: it cannot be encoded", self.name())))
        })
    }

    /// Sets the task's place in the back-end's own queue. If another thread takes the task out of that queue,
    /// [`Host::left_queue_at`](crate::host::Host::left_queue_at) receives this place. Call it while no other thread can
    /// take or cancel the task.
    #[inline]
    pub fn note_place(&self, place: u64) {
        // ORDERING: no other thread has the task; giving it to one publishes this.
        self.task.place.store(place, Relaxed);
    }

    /// Marks the task as placed in a worker's own queue, from where only the host can withdraw it. The host receives
    /// `place` in each call. Returns `false` if the task is not queued any more; the caller must then drop it.
    #[must_use]
    pub fn place(&self, place: u64) -> bool {
        // ORDERING: the next line publishes this: a thread that has seen PLACED sees the place.
        self.task.place.store(place, Relaxed);
        self.task.state.place()
    }

    /// Moves the task back into the queue, after it was withdrawn from a worker or its worker died. Returns `false` if
    /// the task is done.
    pub fn recall(&self) -> bool {
        self.task.state.recall()
    }

    /// Marks the task as running in another process. Returns `false` if the task is done or runs already.
    pub fn begin(&self) -> bool {
        self.task.state.begin()
    }

    /// Returns the error that the task cannot run on top of the tasks that run on this thread.
    pub(crate) fn nested_too_deep(&self) -> Error {
        nesting::too_deep(self.name(), None)
    }

    /// Asks the task to stop, which [`Context::is_cancelled`](super::Context::is_cancelled) reports.
    pub fn ask_to_stop(&self) {
        self.task.state.ask_to_stop();
    }

    /// Completes the task with the reply of the process that ran it. The thread that asks for the result decodes it.
    pub fn complete(self, reply: impl Into<Bytes>) -> Completed {
        let reply = reply.into();
        let failed = outcome::is_error(&reply);
        match Completing::start_owned(self.into_ref()) {
            Some(completing) => Completed::of(completing.packed(reply, failed)),
            None => Completed::nothing(),
        }
    }

    /// Completes the task with a reply and the handles that came with it. They live until the reply is decoded.
    pub fn complete_with(self, reply: impl Into<Bytes>, handles: Handles) -> Completed {
        let reply = reply.into();
        let failed = outcome::is_error(&reply);
        match Completing::start_owned(self.into_ref()) {
            Some(completing) => Completed::of(completing.packed_with(reply, handles, failed)),
            None => Completed::nothing(),
        }
    }

    /// Completes the task with an error, unless it runs on a thread of this process or is done.
    pub fn fail(self, error: Error) -> Completed {
        self.refuse(error).unwrap_or_else(Completed::nothing)
    }

    /// Completes the task with an error as [`fail`](Task::fail) does. Returns `None` if it runs on a thread of this
    /// process or is done, and nothing changed.
    pub fn refuse(self, error: Error) -> Option<Completed> {
        fail(&self.task, error)
    }

    /// Cancels the task, unless it runs on a thread of this process or is done. This is for a back-end that is closed,
    /// and for a host that has withdrawn the task.
    pub fn cancel(self) -> Completed {
        match self.task.state.cancel() {
            Some(owed) => Completed::new(self.task.clone(), owed),
            None => Completed::nothing(),
        }
    }

    /// Cancels the task if it is queued. Returns `None` if another thread has taken it out of the queue, to run or
    /// cancel it, and nothing changed.
    ///
    /// This is for back-ends that run tasks locally, where a task that waits for this one may run it inline at any
    /// moment.
    pub fn withdraw(self) -> Option<Completed> {
        match self.task.state.withdraw() {
            Withdraw::Withdrawn(owed) => Some(Completed::new(self.task.clone(), owed)),
            Withdraw::Placed | Withdraw::TooLate(_) => None,
        }
    }
}

/// Completes a task with an error. Returns `None` if the task runs on a thread of this process or is done.
fn fail(task: &TaskRef, error: Error) -> Option<Completed> {
    // A task that fails with one of these has started, even if this process did not see it start.
    let ran = matches!(error.kind(), ErrorKind::WorkerDied | ErrorKind::TimeLimit | ErrorKind::Terminated);
    Some(Completed::of(Completing::start(task, ran)?.error(error)))
}

impl Drop for Task {
    fn drop(&mut self) {
        // Most tasks are done by now, and the snapshot avoids making an error for them. A task that runs inline on
        // another thread belongs to that thread, even if it starts after the snapshot.
        let seen = self.task.state.snapshot();
        if seen.must_be_completed_by_owner() {
            let when = if seen.is_running() { "while it ran" } else { "before it ran" };
            let error = Error::new(
                ErrorKind::Broken,
                format!("task `{}` was dropped by its executor {when}", self.task.name()),
            );
            drop(fail(&self.task, error));
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.task.id.as_u64())
            .field("name", &self.task.name())
            .field("state", &self.task.state.snapshot())
            .finish()
    }
}
