//! The executor type.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use executor_core::{Backend, Error, Shutdown, Task};

use crate::{RefusedCall, SandboxStatus, Stats, pool::Pool};

/// Runs tasks in worker processes.
///
/// A task that segfaults, aborts, overflows its stack, runs out of memory or never ends costs that task and nothing
/// else: its future returns an error that says what happened, and the worker is replaced. Python's counterpart is
/// `concurrent.futures.ProcessPoolExecutor`.
///
/// Workers are this very program, started again, so functions and statics are the same there. Changes that a task makes
/// in memory stay in its worker. Workers need no code of yours to start; see [`init`](crate::init) for the exception.
///
/// # What workers share with this program
///
/// - The standard output, including its position and flags: a flag that a task sets with `fcntl`, such as `O_NONBLOCK`,
///   is also set for this program. The pool forwards the standard error; the standard input is empty. Other outputs can
///   be [set](crate::ProcessPoolBuilder::stdout).
/// - No other descriptor, not even those that this program holds without `CLOEXEC`, unless
///   [`pass_fds`](crate::ProcessPoolBuilder::pass_fds) names it or a task was given its
///   [handle](executor_core::codec::handles). There is one exception: a descriptor that another thread opens without
///   `CLOEXEC` while a worker is being started may be in that worker.
/// - Its rights, and never more. Set-uid or set-gid bits of the program's file have no effect on workers. They have
///   only those capabilities that are effective in this program. Where the system would add some, workers are started
///   with `no_new_privs`, which programs that tasks start inherit. A program that was itself started with more rights
///   than its caller has, or that has suspended rights, cannot have workers; see
///   [`build`](crate::ProcessPoolBuilder::build).
/// - Not its terminal. Neither workers nor the programs that tasks start have a controlling terminal: `/dev/tty` cannot
///   be opened there, so a password prompt fails and does not wait. Ctrl-C and Ctrl-Z reach only this program. While
///   Ctrl-Z has stopped it, workers go on with the tasks that they have, and time limits are checked when it continues.
///   To stop workers as well, send the signals to [`worker_pids`](ProcessPoolExecutor::worker_pids). A terminal that
///   hangs up ends this program, unless it handles that, and the workers end with it.
///
/// A worker does not run `main`: statics and `OnceLock`s that `main` has set, loggers, arguments and runtimes are not
/// there. The chapter [what a worker does not have][workers] has the answer for each, with code.
///
/// # Ending a service
///
/// A service manager that stops a program usually sends `SIGTERM` to each of its processes, as systemd does unless the
/// unit has another `KillMode`. Workers survive that signal, so that this program can finish the tasks that run: handle
/// the signal here, and call [`shutdown`](executor_core::Executor::shutdown). A worker that this program sends
/// `SIGTERM` ends, with `kill` or when a task is [terminated](executor_core::Future::terminate). A system call of a
/// task may return early with `EINTR`, as with any signal that has a handler.
///
/// Programs that tasks start have the default action, so they end. A task may handle or block the signal by itself;
/// until the worker ends, that replaces the behaviour that is described here.
///
/// # The order of starts
///
/// A task with a higher [priority](executor_core::TaskOptions::priority) starts first. Within a priority, tasks start
/// in the order in which they were submitted. A low priority delays a task, but not forever: of 2,049 tasks that are
/// taken while others of another priority wait, one is the oldest of all.
///
/// # The end
///
/// Dropping the executor waits until all accepted tasks have ended. **This blocks the dropping thread**, so async code
/// drops it elsewhere, or calls [`close`](Backend::close) first and waits for its futures: then the drop only waits for
/// the workers. However this program ends, its workers and the
/// processes that they have started end within a second: on Linux in every group or session, on other systems in the
/// worker's process group.
///
/// [workers]: https://docs.rs/concurrent-futures/latest/concurrent_futures/docs/workers/index.html
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
/// use concurrent_futures::{ErrorKind, Executor, ProcessPoolExecutor};
///
/// let pool = ProcessPoolExecutor::new(2)?;
/// let lost = pool.submit(|code: i32| -> () { std::process::exit(code) }, 7)?;
/// let fine = pool.submit(|n: u64| n + 1, 41)?;
/// assert_eq!(fine.result(None)?, 42);
/// let error = lost.result(None).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::WorkerDied);
/// assert_eq!(error.worker_death().unwrap().exit_code(), Some(7));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct ProcessPoolExecutor {
    pool: Arc<Pool>,
}

impl ProcessPoolExecutor {
    pub(crate) fn new_with(pool: Arc<Pool>) -> ProcessPoolExecutor {
        ProcessPoolExecutor { pool }
    }

    /// Returns the process ids of the workers that are alive at this moment.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::Executor;
    /// let pool = concurrent_futures::ProcessPoolExecutor::new(2)?;
    /// let pid = pool.submit(|()| std::process::id(), ())?.result(None)?;
    /// assert!(pool.worker_pids().contains(&pid));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn worker_pids(&self) -> Vec<u32> {
        self.pool.worker_pids()
    }

    /// Changes the number of workers. Of a pool with [`min_workers`](crate::ProcessPoolBuilder::min_workers) this is
    /// the largest number.
    ///
    /// Returns without waiting. New workers are started by a thread of the pool. Of the workers that are too many,
    /// those without a task leave, and the others finish the task that they run; tasks that wait behind it run on other
    /// workers. No task is lost. Python has no counterpart.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) for 0 or more than 4096 workers.
    /// - [`ShutDown`](executor_core::ErrorKind::ShutDown) after the pool was closed, and
    ///   [`Broken`](executor_core::ErrorKind::Broken) if it is broken or in a forked child.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Backend, Executor, ProcessPoolExecutor};
    ///
    /// let pool = ProcessPoolExecutor::new(1)?;
    /// pool.resize(3)?;
    /// assert_eq!(pool.max_workers(), 3);
    /// assert_eq!(pool.submit(|n: u64| n + 1, 41)?.result(None)?, 42);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn resize(&self, workers: usize) -> Result<(), Error> {
        self.pool.resize(workers)
    }

    /// Returns the current state of the pool, and counts of what it has done so far. The [`Debug`](fmt::Debug) text
    /// also shows each worker with its process and its task, for a watchdog to print.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::Executor;
    /// let pool = concurrent_futures::ProcessPoolExecutor::builder().max_workers(1).name_prefix("parser").build()?;
    /// let future = pool.submit(|n: u64| n + 1, 1)?;
    /// future.result(None)?;
    /// assert_eq!(pool.stats().done, 1);
    /// assert!(format!("{pool:?}").contains("parser_0"));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn stats(&self) -> Stats {
        self.pool.stats()
    }

    /// Hands the numbers of [`stats`](Self::stats) to the recorder of the crate `metrics` that the program has
    /// installed. Call it whenever the metrics are exported, for example in the handler of `/metrics`: nothing is
    /// recorded in between, so tasks pay nothing for it. Needs the feature `metrics`.
    ///
    /// The gauges are `concurrent_futures_tasks_queued`, `concurrent_futures_tasks_running` and
    /// `concurrent_futures_workers`. The counters are `concurrent_futures_tasks_done_total`,
    /// `concurrent_futures_tasks_failed_total`, `concurrent_futures_tasks_cancelled_total`,
    /// `concurrent_futures_worker_deaths_total`, `concurrent_futures_worker_restarts_total`,
    /// `concurrent_futures_sent_bytes_total` and `concurrent_futures_received_bytes_total`. Their labels are
    /// `executor`, which is the [name prefix](crate::ProcessPoolBuilder::name_prefix), and `backend="processes"`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// let pool = concurrent_futures::ProcessPoolExecutor::builder().max_workers(1).name_prefix("parser").build()?;
    /// pool.record_metrics();
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self) {
        self.pool.stats().record(&self.pool.name);
    }

    /// Returns which layers of the [sandbox](crate::ProcessPoolBuilder::sandbox) are in force, as the workers have
    /// reported it. Waits until the first worker is ready. Returns `None` if the pool has no sandbox, or has no worker
    /// that could report it.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{ErrorKind, Layer, LayerState, ProcessPoolExecutor, Sandbox};
    ///
    /// assert_eq!(ProcessPoolExecutor::new(1)?.sandbox_status(), None);
    /// let pool = match ProcessPoolExecutor::builder().max_workers(1).sandbox(Sandbox::compute()).build() {
    ///     Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(println!("{error}")),
    ///     built => built?,
    /// };
    /// let status = pool.sandbox_status().expect("it has a sandbox");
    /// assert_eq!(status.layer(Layer::SystemCalls), &LayerState::InForce);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn sandbox_status(&self) -> Option<SandboxStatus> {
        self.pool.sandbox_status()
    }

    /// Returns the calls that the sandbox has refused, each once, as workers have reported them with
    /// [`Refusal::Explain`](crate::Refusal::Explain). Use it with honest code to find out which grants it needs.
    ///
    /// At most 256 are kept. Workers report them on their standard error, where a task can write what it likes, so this
    /// proves nothing about hostile code.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{ErrorKind, Executor, ProcessPoolExecutor, Refusal, Sandbox};
    ///
    /// let sandbox = Sandbox::compute().on_refusal(Refusal::Explain);
    /// let pool = match ProcessPoolExecutor::builder().max_workers(1).sandbox(sandbox).build() {
    ///     Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(println!("{error}")),
    ///     built => built?,
    /// };
    /// pool.submit(|()| std::fs::read("/etc/hostname").is_ok(), ())?.result(None)?;
    /// for refused in pool.refusals() {
    ///     println!("{} {}", refused.call(), refused.path().unwrap_or_default());
    /// }
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn refusals(&self) -> Vec<RefusedCall> {
        self.pool.refusals()
    }
}

impl Backend for ProcessPoolExecutor {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.pool.schedule(task)
    }

    fn close(&self, mode: Shutdown) {
        self.pool.close(mode);
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        self.pool.join(timeout)
    }

    fn max_workers(&self) -> usize {
        self.pool.max_workers()
    }

    fn handle(&self) -> Option<Arc<dyn Backend>> {
        Some(self.pool.clone())
    }

    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.pool.poll_room(task, context)
    }

    fn give_up_room(&self, task: &Task) {
        self.pool.give_up_room(task);
    }
}

impl Drop for ProcessPoolExecutor {
    fn drop(&mut self) {
        self.pool.close(Shutdown::Drain);
        self.pool.join(None);
    }
}

// A caught panic leaves no pool half changed, because no lock of a pool is held while user code runs.
impl std::panic::UnwindSafe for ProcessPoolExecutor {}
impl std::panic::RefUnwindSafe for ProcessPoolExecutor {}

impl fmt::Debug for ProcessPoolExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use executor_core::Executor;

    use super::*;

    #[test]
    fn workers_start_in_a_unit_test_without_user_code() {
        let pool = ProcessPoolExecutor::new(1).expect("a pool");
        let pid = pool.submit(|()| std::process::id(), ()).expect("accepted").result(None).expect("a result");
        assert_ne!(pid, std::process::id());
    }
}
