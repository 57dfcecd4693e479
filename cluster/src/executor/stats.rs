//! How many tasks an executor has and had.

/// How many tasks a [`ClusterExecutor`](crate::ClusterExecutor) has, and how many have ended since it was made.
///
/// Python has no counterpart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks that have not started.
    pub queued: usize,
    /// Tasks that an agent has started, or is about to start.
    pub running: usize,
    /// How many tasks have returned a result.
    pub done: u64,
    /// How many tasks have ended in another way: with an error, lost with their machine, or cancelled.
    pub failed: u64,
    /// How many times a task was put back into the queue because its attempt was lost, or its process died.
    pub requeued: u64,
    /// How many tasks were lost with their agent, and had no attempt left. They count as failed too.
    pub lost: u64,
}
