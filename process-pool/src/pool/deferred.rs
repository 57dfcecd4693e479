//! What a transition of the pool's state leaves to be done once the lock is released.

use executor_core::codec::Bytes;

use super::{completion::Completion, job::Job};
use crate::trace::Trace;

/// Actions that must not happen under the pool's lock, because they may run user code, block, or wake other threads.
/// [`Pool::perform`](super::Pool::perform) does them.
#[must_use = "futures stay open and threads stay asleep until deferred actions are performed"]
#[derive(Default)]
pub(crate) struct Deferred {
    /// Tasks that have ended.
    pub(super) completions: Vec<Completion>,
    /// What is left of tasks that were cancelled while they were queued. It only has to be dropped.
    pub(super) cancelled: Vec<Job>,
    /// The arguments of a task that was cancelled, which only have to be dropped, too.
    pub(super) arguments: Bytes,
    /// Whether the supervisor has something to look at: a new deadline, a link that needs space, the end of the pool.
    pub(super) wake_supervisor: bool,
    /// Whether the queue of a bounded pool may be below its bound again while submitters wait for that.
    pub(super) notify_submitters: bool,
    pub(super) trace: Trace,
}

impl Deferred {
    /// Adds tasks that have ended, and the events that report it. `worker` is the name of the worker that had them, if
    /// one had.
    pub(super) fn complete(&mut self, completions: Vec<Completion>, worker: &str) {
        for completion in &completions {
            self.trace.of_task(|| completion.event(worker));
        }
        if self.completions.is_empty() {
            self.completions = completions;
        } else {
            self.completions.extend(completions);
        }
    }
}
