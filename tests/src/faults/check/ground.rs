//! The pool of a check, and the tasks around the victim.

use std::{collections::BTreeSet, path::Path, process::Command, thread, time::Duration};

use executor_core::{Backend, Error, Executor, Future, Shutdown, TaskOptions};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor};
use tempfile::TempDir;

use super::{
    super::{
        Fault, Place,
        payload::{Point, block, double, double_slowly, initializer},
        signs::{Signs, TIMEOUT, wait_until},
    },
    Run,
};

/// The memory limit of workers in which a fault allocates without end.
const MEMORY_LIMIT: u64 = 512 << 20;

/// The name prefix of the pools.
pub(super) const PREFIX: &str = "matrix";

/// A pool, and the directory of its signs.
pub(super) struct Ground {
    pub(super) run: Run,
    pub(super) signs: Signs,
    pub(super) pool: ProcessPoolExecutor,
    directory: TempDir,
}

impl Ground {
    pub(super) fn new(run: Run) -> Result<Ground, String> {
        let directory = TempDir::new().map_err(|error| format!("no directory for signs: {error}"))?;
        let signs = Signs::new(directory.path());
        let mut builder = builder(run, directory.path());
        if run.place == Place::Initializer {
            builder = builder.initializer(initializer, point(run, &signs));
        }
        let pool = builder.build().map_err(|error| format!("the pool was not built: {error}"))?;
        Ok(Ground { run, signs, pool, directory })
    }

    /// Builds another pool with the same signs.
    pub(super) fn another(&self) -> Result<ProcessPoolExecutor, String> {
        builder(self.run, self.directory.path())
            .build()
            .map_err(|error| format!("the second pool was not built: {error}"))
    }

    pub(super) fn point(&self) -> Point {
        point(self.run, &self.signs)
    }

    /// Drops the pool. If the check has failed, tasks may still run, so the pool is terminated.
    pub(super) fn close(self, drains: bool) {
        if !drains {
            self.pool.shutdown(Shutdown::Terminate { grace: Duration::ZERO });
        }
        drop(self.pool);
        drop(self.directory);
    }

    /// Submits this many short tasks.
    pub(super) fn short_tasks(&self, count: u32) -> Result<ShortTasks, String> {
        let submitted = (0..count).map(|n| Ok((n, self.pool.submit(double, n)?)));
        let submitted: Result<_, Error> = submitted.collect();
        submitted.map(ShortTasks).map_err(|error| format!("a short task was refused: {error}"))
    }

    /// Runs some tasks to their end, so that every worker is likely to have had one.
    pub(super) fn warm_up(&self) -> Result<(), String> {
        self.short_tasks(2 * self.width())?.give_results("before the fault")
    }

    pub(super) fn width(&self) -> u32 {
        self.run.workers as u32
    }

    /// Keeps all workers but one busy.
    pub(super) fn block_others(&self) -> Result<Blockers, String> {
        self.blockers("beside", self.run.workers - 1)
    }

    fn blockers(&self, name: &str, count: usize) -> Result<Blockers, String> {
        let mut blockers = Blockers { signs: self.signs.clone(), name: name.to_string(), futures: Vec::new() };
        for _ in 0..count {
            let argument = (self.signs.clone(), name.to_string());
            let future = self.pool.submit(block, argument).map_err(|e| format!("a task was refused: {e}"))?;
            blockers.futures.push(future);
        }
        let list = format!("{name}.runs");
        // These tasks have no retries, so none signs in twice.
        wait_until(&format!("{count} tasks that run at the same time"), || self.signs.list(&list).len() >= count)?;
        Ok(blockers)
    }

    /// Checks that the pool has all of its workers and no others, and that each runs a task. The victim's worker must
    /// be among them exactly if `goes_on` is true.
    pub(super) fn is_at_full_width(&self, struck: u32, goes_on: bool) -> Result<(), String> {
        let blockers = self.blockers("width", self.run.workers)?;
        let known: BTreeSet<u32> = self.pool.worker_pids().into_iter().collect();
        let workers = blockers.open()?;
        if workers.len() != self.run.workers || known != workers {
            return Err(format!("tasks ran on the workers {workers:?}, and the pool reports {known:?}"));
        }
        if let Some(dead) = known.iter().find(|pid| !test_support::is_alive(**pid)) {
            return Err(format!("worker {dead} of {known:?} does not run"));
        }
        match (known.contains(&struck), goes_on) {
            (true, false) => Err(format!("worker {struck} was not replaced")),
            (false, true) => Err(format!("worker {struck} was replaced")),
            _ => Ok(()),
        }
    }

    /// Waits until a worker has arrived at the place, and returns it.
    pub(super) fn wait_for_arrival(&self) -> Result<u32, String> {
        wait_until("the arrival at the place", || !self.signs.list("arrived").is_empty())?;
        self.arrived().ok_or_else(|| "no worker has arrived".to_string())
    }

    pub(super) fn arrived(&self) -> Option<u32> {
        self.signs.list("arrived").first().copied()
    }

    /// Makes the fault happen in a worker that has arrived.
    pub(super) fn go(&self, pid: u32) -> Result<(), String> {
        self.signs.put("go");
        match self.run.fault {
            Fault::Killed => test_support::kill(pid, libc::SIGKILL),
            Fault::Terminated => {
                let script = format!("kill -TERM {pid}");
                let sent = Command::new("sh").args(["-c", &script]).status();
                let sent = sent.map_err(|error| format!("no process to send a signal: {error}"))?;
                if !sent.success() {
                    return Err(format!("worker {pid} is not there"));
                }
                self.signs.put("struck");
            }
            Fault::Stopped => {
                test_support::kill(pid, libc::SIGSTOP);
                let ended_or_stopped = || matches!(test_support::state(pid), None | Some('T' | 'Z' | 'X'));
                wait_until("the stop of a worker", ended_or_stopped)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns the builder of a pool whose workers have their signs in this directory.
fn builder(run: Run, directory: &Path) -> ProcessPoolBuilder {
    let builder = ProcessPoolExecutor::builder();
    let mut builder = builder.transport(run.transport).max_workers(run.workers).name_prefix(PREFIX);
    if run.fault == Fault::OutOfMemory {
        builder = builder.memory_limit(MEMORY_LIMIT);
    }
    match run.sandbox(directory) {
        Some(sandbox) => builder.sandbox(sandbox).env("TMPDIR", directory),
        None => builder,
    }
}

fn point(run: Run, signs: &Signs) -> Point {
    Point { fault: run.fault, place: run.place, check_process: std::process::id(), signs: signs.clone() }
}

/// Short tasks, each with the number that it doubles.
pub(super) struct ShortTasks(Vec<(u32, Future<u32>)>);

impl ShortTasks {
    /// Checks that all succeed.
    pub(super) fn give_results(self, when: &str) -> Result<(), String> {
        match self.failures()?.first() {
            None => Ok(()),
            Some(error) => Err(format!("a short task {when} has failed: {error:?}")),
        }
    }

    /// Waits for all results, and returns the errors.
    pub(super) fn failures(self) -> Result<Vec<Error>, String> {
        let mut errors = Vec::new();
        for (n, future) in self.0 {
            match future.result(TIMEOUT) {
                Ok(doubled) if doubled == 2 * n => {}
                Ok(other) => return Err(format!("a task returned {other} for twice {n}")),
                Err(_) if !future.done() => return Err(format!("a short task does not end: {future:?}")),
                Err(error) => errors.push(error),
            }
        }
        Ok(errors)
    }

    /// Waits until one has started.
    pub(super) fn wait_for_a_start(&self) {
        while !self.0.iter().any(|(_, future)| future.running() || future.done()) {
            thread::yield_now();
        }
    }

    /// Submits tasks of which every second takes some milliseconds, so that a fault may happen inside a task.
    pub(super) fn submit_slower(pool: &impl Backend, count: u32, limit: Option<Duration>) -> Result<Self, String> {
        let options = || match limit {
            Some(limit) => TaskOptions::new().name(SHORT).time_limit(limit),
            None => TaskOptions::new().name(SHORT),
        };
        let submitted = (0..count).map(|n| Ok((n, pool.submit_with(options(), double_slowly, n)?)));
        let submitted: Result<_, Error> = submitted.collect();
        submitted.map(ShortTasks).map_err(|error| format!("a short task was refused: {error}"))
    }
}

/// The name of short tasks in which the fault may happen.
pub(super) const SHORT: &str = "a short task";

/// Tasks that run until they are released, at the latest when a check fails.
pub(super) struct Blockers {
    signs: Signs,
    name: String,
    futures: Vec<Future<u32>>,
}

impl Blockers {
    /// Releases them, and returns the workers that they ran on.
    pub(super) fn open(mut self) -> Result<BTreeSet<u32>, String> {
        self.signs.put(&format!("{}.open", self.name));
        let futures = std::mem::take(&mut self.futures);
        let pids = futures.iter().map(|future| future.result(TIMEOUT));
        pids.collect::<Result<_, Error>>().map_err(|error| format!("a task beside the fault has failed: {error}"))
    }
}

impl Drop for Blockers {
    fn drop(&mut self) {
        self.signs.put(&format!("{}.open", self.name));
    }
}
