//! The back-end's half of a task.

use std::{fmt, mem::ManuallyDrop, sync::atomic::Ordering::*, time::Duration};

use super::{
    TaskId,
    cell::TaskRef,
    completed::Completed,
    rights::{Claimed, Completing},
    started::Started,
    state::Withdraw,
    typed::Typed,
    work::{Encoded, Work},
};
use crate::{Error, ErrorKind, TaskOptions, catch, codec::Bytes, function::outcome, host::HostId, nesting};

/// The back-end's half of a task. It is not cloned: whoever holds it owes the future an end, and dropping it is one.
///
/// A back-end that runs its tasks in place needs [`run`](Task::run) alone; see [`Backend`](crate::Backend). One that
/// runs them elsewhere writes them down and hands in what comes back:
///
/// ```
/// use std::time::Duration;
/// use executor_core::{Backend, Error, Executor, Shutdown, Task, task::Encoded};
///
/// /// Runs each task as if in another process.
/// struct Elsewhere;
///
/// fn call(encoded: Encoded, argument: &[u8]) -> Vec<u8> {
///     let mut reply = Vec::new();
///     encoded.entry.call(argument, &mut reply);
///     reply
/// }
/// impl Backend for Elsewhere {
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
/// assert_eq!(Elsewhere.submit(|(a, b): (u64, u64)| a * b, (6, 7))?.result(None)?, 42);
/// # Ok::<(), Error>(())
/// ```
///
/// The README in this crate's `src/task` has the states that a task goes through, and who may do what in each.
pub struct Task {
    pub(super) task: TaskRef,
}

impl Task {
    /// Makes a task, and the future of it.
    pub(crate) fn new<W: Work>(work: W, options: TaskOptions, may_wait: bool) -> (Task, Typed<W::Output>) {
        catch::chain_hook();
        let (own, typed) = Typed::allocate(work, options, may_wait);
        (Task { task: own.task }, typed)
    }

    /// Returns the reference alone. The caller must complete the task.
    #[inline]
    #[allow(unsafe_code)]
    fn into_ref(self) -> TaskRef {
        let task = ManuallyDrop::new(self);
        // SAFETY: `task` is neither used nor dropped after this, so the reference is moved out of it.
        unsafe { std::ptr::read(&task.task) }
    }

    /// The id, which the future has too.
    pub fn id(&self) -> TaskId {
        self.task.id
    }

    /// The name from its options, or the function's path.
    pub fn name(&self) -> &str {
        self.task.name()
    }

    /// The name from its options, if it was given one.
    pub fn custom_name(&self) -> Option<&str> {
        self.task.options.as_ref()?.name.as_deref()
    }

    /// Higher starts first.
    pub fn priority(&self) -> i32 {
        self.task.options.as_ref().map_or(0, |options| options.priority)
    }

    /// How long it may run.
    pub fn time_limit(&self) -> Option<Duration> {
        self.task.options.as_ref().and_then(|options| options.time_limit)
    }

    /// How many more times it may be run when its worker died under it.
    pub fn retries(&self) -> u32 {
        self.task.options.as_ref().map_or(0, |options| options.retries)
    }

    /// Whether `schedule` may wait for room: yes from `submit`, no from `try_submit`.
    pub fn may_wait(&self) -> bool {
        self.task.state.snapshot().may_wait()
    }

    /// Whether it needs no more attention: it was cancelled, or a task that waits for it has run it.
    pub fn is_done(&self) -> bool {
        self.task.state.snapshot().is_done()
    }

    /// Whether somebody else has taken it out of the queue: it was cancelled, or a task that waits for it runs it.
    pub fn has_left_queue(&self) -> bool {
        !self.task.state.snapshot().is_queued()
    }

    /// Says which host to ask about it; see [`crate::host`]. To be called in `schedule`, before any thread can take it.
    ///
    /// If the future is in other hands already, it may be cancelled at the same moment, and the host is told or not. A
    /// back-end that must know, because it counts, issues a sequentially consistent fence after this, and then looks at
    /// [`has_left_queue`](Task::has_left_queue): one of the two tells it, or both.
    pub fn attach(&self, host: HostId) {
        // ORDERING: the id stands for itself.
        self.task.host.store(host.raw(), Relaxed);
    }

    /// Runs it here, on this thread, unless somebody has cancelled it. Its callbacks run here too, afterwards.
    pub fn run(self) {
        drop(self.run_quietly());
    }

    /// As [`run`](Task::run), but leaves the notification to the caller. None: somebody else has taken it.
    pub fn run_quietly(self) -> Option<Completed> {
        match Claimed::claim(self.into_ref()) {
            Ok(claimed) => Some(Completed::of(claimed.run())),
            Err(task) => Task { task }.run_too_late(),
        }
    }

    /// As [`run_quietly`](Task::run_quietly), and calls `started` between the two steps of it: the task is claimed, so
    /// nobody else runs or cancels it, and its code has not begun. A bounded queue gives its place free there.
    pub fn run_after(self, started: impl FnOnce()) -> Option<Completed> {
        match Claimed::claim(self.into_ref()) {
            Ok(claimed) => {
                // From here to the end of the task nothing may unwind, or it would never be done.
                catch::contain(started);
                Some(Completed::of(claimed.run()))
            }
            Err(task) => Task { task }.run_too_late(),
        }
    }

    /// Takes it out of the queue, unless somebody has before: from here on nobody else runs or cancels it. `None`: it
    /// needs no more attention.
    ///
    /// For a worker that has something to do between that moment and the start of the task's code, such as to count
    /// itself as busy.
    ///
    /// ```
    /// use executor_core::{Task, TaskOptions};
    /// let (task, future) = Task::from_closure(TaskOptions::new(), || 1);
    /// let started = task.start().expect("nobody else has taken it");
    /// assert!(future.running() && !future.cancel());
    /// drop(started.run());
    /// assert_eq!(future.result(None)?, 1);
    /// # Ok::<(), executor_core::Error>(())
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

    /// It could not be claimed.
    #[cold]
    fn run_too_late(self) -> Option<Completed> {
        // The one other reason that leaves it in the queue: its work is gone.
        if !self.task.state.snapshot().is_queued() {
            return None;
        }
        let error = Error::new(
            ErrorKind::InvalidState,
            format!("task `{}` was written down before, so it cannot run in place", self.name()),
        );
        fail(&self.task, error)
    }

    /// Writes the arguments down behind what `into` holds, and drops them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] where the arguments refuse, or the task is a closure; [`ErrorKind::InvalidState`] the
    /// second time. The future is not resolved by this: hand the error to [`Task::fail`], or return it from `schedule`.
    pub fn encode(&self, into: &mut Vec<u8>) -> Result<Encoded, Error> {
        self.task.encode_work(into).unwrap_or_else(|| {
            let state = self.task.state.snapshot().name();
            Err(Error::new(
                ErrorKind::InvalidState,
                format!("task `{}` is {state}: it cannot be written down", self.name()),
            ))
        })
    }

    /// Notes where the task lies in the back-end's own queue. [`Host::left_queue_at`](crate::host::Host::left_queue_at)
    /// is told this when the task leaves that queue without the back-end's doing. To be called while no other thread
    /// can take or cancel the task.
    #[inline]
    pub fn note_place(&self, place: u64) {
        // ORDERING: nobody else has the task; who gets it sees this.
        self.task.place.store(place, Relaxed);
    }

    /// Says that the task now lies in a worker's own queue, from where only the host can withdraw it. `place` is what
    /// the host is told when it is asked. False: it was cancelled meanwhile; drop it.
    #[must_use]
    pub fn place(&self, place: u64) -> bool {
        // ORDERING: the next line publishes it: who has seen PLACED sees the place.
        self.task.place.store(place, Relaxed);
        self.task.state.place()
    }

    /// Takes the task back into the queue, after it was withdrawn from a worker or its worker died. False: it is over.
    pub fn recall(&self) -> bool {
        self.task.state.recall()
    }

    /// Says that it runs, in a worker that this process cannot look into. False: it is over, or runs already.
    pub fn begin(&self) -> bool {
        self.task.state.begin()
    }

    /// Why it is not run on top of the tasks that run on this thread.
    pub(crate) fn nested_too_deep(&self) -> Error {
        nesting::too_deep(self.name(), None)
    }

    /// Asks it to stop, if it looks: see [`Context::is_cancelled`].
    pub fn ask_to_stop(&self) {
        self.task.state.ask_to_stop();
    }

    /// Hands in the reply of the process that ran it. It is read by the thread that asks for the result.
    pub fn complete(self, reply: impl Into<Bytes>) -> Completed {
        let reply = reply.into();
        let failed = outcome::is_error(&reply);
        match Completing::start_owned(self.into_ref()) {
            Some(completing) => Completed::of(completing.packed(reply, failed)),
            None => Completed::nothing(),
        }
    }

    /// Resolves the future with an error, wherever the task is, unless it runs in place or is over.
    pub fn fail(self, error: Error) -> Completed {
        self.refuse(error).unwrap_or_else(Completed::nothing)
    }

    /// As [`fail`](Task::fail). None: it runs in place or is over, and nothing changed.
    pub fn refuse(self, error: Error) -> Option<Completed> {
        fail(&self.task, error)
    }

    /// Cancels it, wherever it is, unless it runs in place or is over. For the back-end, when it is closed, and for a
    /// host that has withdrawn it.
    pub fn cancel(self) -> Completed {
        match self.task.state.cancel() {
            Some(owed) => Completed::new(self.task.clone(), owed),
            None => Completed::nothing(),
        }
    }

    /// Cancels it if it waits in the queue. None: it was taken out of the queue, to run or by a cancel, and nothing
    /// changed.
    ///
    /// For back-ends that run tasks in place: there a task may be run on the spot by one that waits for it, at any
    /// moment, until it is claimed by this.
    pub fn withdraw(self) -> Option<Completed> {
        match self.task.state.withdraw() {
            Withdraw::Withdrawn(owed) => Some(Completed::new(self.task.clone(), owed)),
            Withdraw::Placed | Withdraw::TooLate(_) => None,
        }
    }
}

/// None: it runs in place, or somebody was faster.
fn fail(task: &TaskRef, error: Error) -> Option<Completed> {
    // Nothing ends like this without having started, even where this process did not see it start.
    let ran = matches!(error.kind(), ErrorKind::WorkerDied | ErrorKind::TimeLimit | ErrorKind::Terminated);
    Some(Completed::of(Completing::start(task, ran)?.error(error)))
}

impl Drop for Task {
    fn drop(&mut self) {
        // The snapshot spares the usual task, which is done by now, the making of an error. A task that is run on the
        // spot by somebody who waits for it is theirs, also if they begin after the snapshot.
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
