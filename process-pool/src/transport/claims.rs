//! The claims of the tasks in a worker's queue, which tell whether a task has started.

use std::time::Duration;

/// The items of a batch are counted modulo this number in a claim. It only matters that neighbours differ.
pub(crate) const ITEM_MODULUS: u64 = 1 << 20;

/// The claims of the tasks in a worker's queue. Parent and worker change them by compare-and-swap, so a task that was
/// withdrawn never starts, and one that has started is never withdrawn.
pub(crate) trait Claims {
    /// Returns how many tasks a worker may have.
    fn slots(&self) -> u64;
    /// Returns the last task that the worker has taken off its queue, started or not.
    fn taken(&self) -> u64;
    /// Marks a task before it is sent.
    fn offer(&self, sequence: u64);
    /// Takes a task back. Returns `false` if it has started.
    fn withdraw(&self, sequence: u64) -> bool;
    /// Returns what the claim says of a task.
    fn claim(&self, sequence: u64) -> Claim;
    /// Forbids a running task to finish, so that killing its worker costs this task and no other. In a batch, `item` is
    /// the item that was seen to run. Returns `false` if that item has finished.
    fn condemn(&self, sequence: u64, item: u64) -> bool;
    /// Asks a running task to stop.
    fn ask_to_stop(&self, sequence: u64);
    /// Returns when the running task, or the running item of a batch, was started, on the monotonic clock. If the
    /// caller has read the [`claim`](Claims::claim) before, the time is that item's or a later one's.
    fn started_at(&self) -> Duration;
}

/// What a claim says of a task in a worker's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It has not started.
    Offered,
    /// It runs. In a batch, this item runs, modulo [`ITEM_MODULUS`].
    Running { item: u64 },
    /// It has finished, and the reply is on its way.
    Finished,
    /// It was withdrawn or condemned, or its slot holds another task. A worker with wild writes may store anything
    /// here.
    Gone,
}
