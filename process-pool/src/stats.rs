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

#[cfg(feature = "metrics")]
impl Stats {
    /// Hands the numbers to the program's recorder, as those of the pool with this name.
    pub(crate) fn record(&self, pool: &str) {
        let recording = executor_core::metrics::Recording::new(pool, "processes");
        recording.gauge("concurrent_futures_tasks_queued", self.queued, "Tasks that have not started");
        recording.gauge("concurrent_futures_tasks_running", self.running, "Tasks that are running");
        recording.gauge("concurrent_futures_workers", self.workers, "Worker processes that are alive");
        recording.counter("concurrent_futures_tasks_done_total", self.done, "Tasks that ended with a value");
        recording.counter("concurrent_futures_tasks_failed_total", self.failed, "Tasks that ended with an error");
        recording.counter("concurrent_futures_tasks_cancelled_total", self.cancelled, "Tasks that never started");
        recording.counter("concurrent_futures_worker_deaths_total", self.deaths, "Workers that died unasked");
        recording.counter("concurrent_futures_worker_restarts_total", self.restarts, "Workers that replaced another");
        recording.byte_counter("concurrent_futures_sent_bytes_total", self.bytes_sent, "Bytes sent to workers");
        recording.byte_counter("concurrent_futures_received_bytes_total", self.bytes_received, "Bytes from workers");
    }
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
