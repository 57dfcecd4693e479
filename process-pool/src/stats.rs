//! The statistics of a pool.

use std::fmt;

/// The state of a pool at one moment, and counts of what it has done since it was built.
///
/// [`ProcessPoolExecutor::stats`](crate::ProcessPoolExecutor::stats) returns one. A chunk of a `map` counts as one
/// task, which is done when each of its items has an outcome, whether a value or an error.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
/// use concurrent_futures::{Executor, ProcessPoolExecutor};
///
/// let pool = ProcessPoolExecutor::new(2)?;
/// let fine = pool.submit(|n: u64| n + 1, 1)?;
/// let crash = pool.submit(|()| -> () { std::process::abort() }, ())?;
/// fine.result(None)?;
/// crash.result(None).unwrap_err();
/// let stats = pool.stats();
/// assert_eq!((stats.done, stats.failed, stats.deaths), (1, 1, 1));
/// println!("{stats}");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks that were accepted and have not started.
    pub queued: usize,
    /// Tasks that are running.
    pub running: usize,
    /// Tasks that have ended with a value.
    pub done: u64,
    /// Tasks that have ended with an error: a panic, a time limit, the end of their worker.
    pub failed: u64,
    /// Tasks that were cancelled before they started.
    pub cancelled: u64,
    /// Worker processes that are alive.
    pub workers: usize,
    /// Workers that have died without being told to leave: by themselves, killed from outside, or killed by the pool to
    /// stop a task.
    pub deaths: u64,
    /// Workers that were started to replace another, which had died or had run all the tasks of its life. Workers that
    /// were started because there was more to do do not count.
    pub restarts: u64,
    /// Bytes that were sent to workers.
    pub bytes_sent: u64,
    /// Bytes that were received from workers.
    pub bytes_received: u64,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} queued, {} running, {} done, {} failed, {} cancelled; {} workers, {} deaths, {} restarts; \
             {} bytes sent, {} received",
            self.queued,
            self.running,
            self.done,
            self.failed,
            self.cancelled,
            self.workers,
            self.deaths,
            self.restarts,
            self.bytes_sent,
            self.bytes_received
        )
    }
}
