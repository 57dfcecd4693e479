//! The statistics of a pool.

use std::fmt;

/// The state of a pool of threads at one moment, and counts of what it has done since it was built.
///
/// [`ThreadPoolExecutor::stats`](crate::ThreadPoolExecutor::stats) returns one. The threads count for themselves, so
/// counting costs a task about two instructions, and the numbers of a pool that is at work are those of slightly
/// different moments. A task is counted before its future is done. One that is cancelled is counted right after that.
/// A chunk of a `map` counts as one task.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
/// use concurrent_futures::{Executor, ThreadPoolExecutor};
///
/// let pool = ThreadPoolExecutor::new(2)?;
/// let fine = pool.submit(|n: u64| n + 1, 1)?;
/// let panics = pool.submit(|n: u64| n.checked_sub(2).expect("at least two"), 1)?;
/// fine.result(None)?;
/// panics.result(None).unwrap_err();
/// let stats = pool.stats();
/// assert_eq!((stats.done, stats.failed, stats.panics), (1, 1, 1));
/// println!("{stats}");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadStats {
    /// Tasks that were accepted and have not started, and halves of a [`join`](crate::Scope::join) that no thread has
    /// begun.
    pub queued: usize,
    /// Threads that run a task, its callbacks, or a half of a join. A task that runs inside of one that waits for it
    /// shares its thread, and does not count again.
    pub running: usize,
    /// Tasks that have ended with a value. A `Result` that a task returns is a value.
    pub done: u64,
    /// Tasks that have ended with an error, most of them with a panic.
    pub failed: u64,
    /// Tasks that have ended with a panic.
    pub panics: u64,
    /// Tasks that were cancelled before they started.
    pub cancelled: u64,
    /// Threads of the pool, without those with a fresh stack.
    pub threads: usize,
}

#[cfg(feature = "metrics")]
impl ThreadStats {
    /// Hands the numbers to the program's recorder, as those of the pool with this name.
    pub(crate) fn record(&self, pool: &str) {
        let recording = executor_core::metrics::Recording::new(pool, "threads");
        recording.gauge("concurrent_futures_tasks_queued", self.queued, "Tasks that have not started");
        recording.gauge("concurrent_futures_tasks_running", self.running, "Tasks that are running");
        recording.gauge("concurrent_futures_workers", self.threads, "Threads of the pool");
        recording.counter("concurrent_futures_tasks_done_total", self.done, "Tasks that ended with a value");
        recording.counter("concurrent_futures_tasks_failed_total", self.failed, "Tasks that ended with an error");
        recording.counter("concurrent_futures_tasks_panicked_total", self.panics, "Tasks that ended with a panic");
        recording.counter("concurrent_futures_tasks_cancelled_total", self.cancelled, "Tasks that never started");
    }
}

impl fmt::Display for ThreadStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} queued, {} running, {} done, {} failed, {} of them with a panic, {} cancelled; {} threads",
            self.queued, self.running, self.done, self.failed, self.panics, self.cancelled, self.threads
        )
    }
}
