//! What is known about an agent.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// An agent of a cluster, as it has described itself. [`ClusterExecutor::workers`](crate::ClusterExecutor::workers)
/// returns them.
///
/// Python has no counterpart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerInfo {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) pid: u32,
    pub(crate) slots: usize,
    pub(crate) running: usize,
    pub(crate) build: String,
    /// Seconds since 1970.
    pub(crate) since: u64,
    pub(crate) is_leaving: bool,
}

impl WorkerInfo {
    /// Returns the name under which clients answer it, which no other agent has. Errors and logs show it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of its machine.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns its process id on that machine.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns how many tasks it runs at the same time.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Returns how many tasks of any client it ran when it was asked. It may be more than there are slots, if the tasks
    /// are so short that it starts some ahead.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Returns the build of its program, as hexadecimal digits. It runs tasks of clients of the same build alone.
    pub fn build(&self) -> &str {
        &self.build
    }

    /// Returns when it has started, to the second, by the clock of its machine.
    pub fn since(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.since)
    }

    /// Returns whether it takes no more tasks, because it was told to end.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving
    }
}
