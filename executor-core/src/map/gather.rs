//! A map as one future, which has all results.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::AcqRel},
};

use super::source::Batch;
use crate::{
    Error, ErrorKind, Future, Payload, Task, TaskOptions,
    codec::Bytes,
    host::HostId,
    sync::Mutex,
    task::work::{Encoded, Work},
};

/// The task that collects the results of a map. It is run when the last batch is done, or by a task of the same
/// executor that waits for it, which then runs the batches that have not started.
struct Gather<I>(I);

impl<R, I> Work for Gather<I>
where
    R: Payload,
    I: Iterator<Item = Result<R, Error>> + Send,
{
    type Output = Vec<R>;

    fn name() -> &'static str {
        "map"
    }

    fn run(self) -> Result<Vec<R>, Error> {
        self.0.collect()
    }

    fn encode(self, _: &mut Vec<u8>) -> Result<Encoded, Error> {
        Err(in_this_process_only())
    }

    fn unpack(_: Bytes) -> Result<Vec<R>, Error> {
        Err(in_this_process_only())
    }
}

fn in_this_process_only() -> Error {
    Error::new(ErrorKind::Encode, "the results of a map are collected in the process that has called `map`")
}

/// Counts the batches that are not done, and has the task until the last one is done or one fails.
struct Countdown {
    open: AtomicUsize,
    task: Mutex<Option<Task>>,
}

impl Countdown {
    fn take(&self) -> Option<Task> {
        self.task.lock().take()
    }

    /// Fails the map, unless it has failed before or its results are being collected. Dropping the map with its task
    /// cancels the other batches.
    fn fail(&self, error: &Error) {
        if let Some(task) = self.take() {
            drop(task.fail(error.clone()));
        }
    }

    fn one_done(&self) {
        // ORDERING: Acquire, so that the thread that collects sees what the others did; Release for those that are
        // not last.
        if self.open.fetch_sub(1, AcqRel) == 1 {
            if let Some(task) = self.take() {
                task.run();
            }
        }
    }

    /// Watches one batch. The result callback sees a failure, and leaves the results to the task that collects them.
    fn watch<T: Send + 'static>(self: &Arc<Countdown>, batch: &Future<T>, failure: fn(&T) -> Option<&Error>) {
        let countdown = self.clone();
        batch.add_result_callback(move |results| {
            if let Some(error) = results.map_or_else(Some, failure) {
                countdown.fail(error);
            }
        });
        let countdown = self.clone();
        batch.add_done_callback(move |_| countdown.one_done());
    }
}

/// Returns the future of all results of a map, whose batches are these. Dropping the map cancels them.
pub(super) fn gather<R: Payload>(
    map: impl Iterator<Item = Result<R, Error>> + Send + 'static,
    batches: &[Batch<R>],
) -> Future<Vec<R>> {
    let host = batches.iter().map(Batch::host).find(|host| *host != HostId::NONE);
    let (task, typed) = Task::new(Gather(map), TaskOptions::new(), true);
    // The workers of the batches run this task inline if they wait for it. Its host has never seen it.
    task.attach_unqueued(host.unwrap_or(HostId::NONE));
    // One more than there are batches, so that the task is not run before all of them are watched.
    let countdown = Arc::new(Countdown { open: AtomicUsize::new(batches.len() + 1), task: Mutex::new(Some(task)) });
    for batch in batches {
        match batch {
            Batch::One(future) => countdown.watch(future, |_| None),
            Batch::Many(future, _) => countdown.watch(future, |results| results.first_error()),
            Batch::Refused(error, _) => {
                countdown.fail(error);
                countdown.one_done();
            }
        }
    }
    countdown.one_done();
    Future::new(typed)
}
