//! A task that waits for the end of other tasks before it is run.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::AcqRel},
};

use crate::{
    Error, ErrorKind, Future, Task,
    codec::Bytes,
    host::HostId,
    sync::Mutex,
    task::{
        rare::Rare,
        work::{Encoded, Work},
    },
};

/// Counts the tasks that are not done, and has the task that combines them until the last one is done or the outcome is
/// known earlier. Done-callbacks of those tasks share it.
pub(crate) struct Countdown {
    open: AtomicUsize,
    task: Mutex<Option<Task>>,
}

impl Countdown {
    /// Makes the countdown of the work that combines this many tasks, and its future.
    ///
    /// The workers of `host`, which has the tasks, run the work inline if they wait for it; the host has never seen it.
    /// The count begins with one more than there are tasks, so that the work is not run before all of them are watched:
    /// the caller then calls [`one_done`](Countdown::one_done).
    pub(crate) fn new<C: Combine>(tasks: usize, host: HostId, combine: C) -> (Arc<Countdown>, Future<C::Output>) {
        let (task, typed) = Task::new(Combined(combine), Rare::none(), true);
        task.attach_unqueued(host);
        let countdown = Countdown { open: AtomicUsize::new(tasks + 1), task: Mutex::new(Some(task)) };
        (Arc::new(countdown), Future::new(typed))
    }

    fn take(&self) -> Option<Task> {
        self.task.lock().take()
    }

    /// Fails the combined task, unless it has failed or is being run. Its work is dropped.
    pub(crate) fn fail(&self, error: &Error) {
        if let Some(task) = self.take() {
            drop(task.fail(error.clone()));
        }
    }

    /// Runs the combined task, unless it has failed or is being run.
    pub(crate) fn run(&self) {
        if let Some(task) = self.take() {
            task.run();
        }
    }

    /// Notes that one of the tasks is done. The last one runs the combined task.
    pub(crate) fn one_done(&self) {
        // ORDERING: Acquire, so that the thread that runs it sees what the others did; Release for those that are not
        // last.
        if self.open.fetch_sub(1, AcqRel) == 1 {
            self.run();
        }
    }
}

/// Work that combines the outcomes of tasks, in the process that has their futures.
pub(crate) trait Combine: Send {
    type Output: Send + 'static;

    /// The name of the combined task.
    const NAME: &'static str;

    /// Reads the outcomes. Dropping the value instead must stop the tasks.
    fn combine(self) -> Result<Self::Output, Error>;
}

/// A [`Combine`] as the work of a task.
struct Combined<C>(C);

impl<C: Combine> Work for Combined<C> {
    type Output = C::Output;

    fn name() -> &'static str {
        C::NAME
    }

    fn run(self) -> Result<C::Output, Error> {
        self.0.combine()
    }

    fn encode(self, _: &mut Vec<u8>) -> Result<Encoded, Error> {
        Err(in_this_process_only())
    }

    fn unpack(_: Bytes) -> Result<C::Output, Error> {
        Err(in_this_process_only())
    }
}

fn in_this_process_only() -> Error {
    Error::new(ErrorKind::Encode, "results are combined in the process that has their futures")
}
