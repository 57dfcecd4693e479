//! Actions that a state transition defers until the lock is released.

use executor_core::codec::Bytes;

use super::{completion::Completion, ids::SlotId, job::Job};
use crate::trace::Trace;

/// Actions that must not happen under the pool's lock, because they may run user code, block, or wake other threads.
/// [`Pool::perform`](super::Pool::perform) does them.
#[must_use = "futures stay open and threads stay asleep until deferred actions are performed"]
#[derive(Default)]
pub(crate) struct Deferred {
    /// Tasks that have ended.
    pub(super) completions: Vec<Completion>,
    /// Tasks that were cancelled while they were queued. They only have to be dropped.
    pub(super) cancelled: Vec<Job>,
    /// The arguments of a cancelled task, which also only have to be dropped.
    pub(super) arguments: Bytes,
    /// Whether the supervisor must look at the state: for a new deadline, a link that needs space, or the end of the
    /// pool.
    pub(super) wake_supervisor: bool,
    /// A worker whose link did not take all of its request. It is likely to be taking it.
    pub(super) unsent: Option<SlotId>,
    /// Whether submitters wait for the queue of a bounded pool to be below its bound, and it may be by now.
    pub(super) notify_submitters: bool,
    pub(super) trace: Trace,
}

impl Deferred {
    /// Adds tasks that have ended, and the events that report them. `worker` is the name of the worker that had them;
    /// it is empty if no worker did.
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
