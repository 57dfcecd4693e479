//! The options of an executor.

use crate::client::Timing;

/// What an executor is told at its start.
#[derive(Clone, Debug)]
pub struct ExecutorOptions {
    /// How many tasks may be queued; `None` is no bound.
    pub queue_capacity: Option<usize>,
    /// What [`Backend::max_workers`](executor_core::Backend::max_workers) returns, because only agents know how many
    /// tasks run at the same time. It decides how `map` chooses the size of its chunks.
    pub max_workers: usize,
    /// How long the client waits for what.
    pub timing: Timing,
}

impl Default for ExecutorOptions {
    fn default() -> ExecutorOptions {
        ExecutorOptions { queue_capacity: None, max_workers: 8, timing: Timing::default() }
    }
}
