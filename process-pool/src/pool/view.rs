//! The statistics of a pool, and its `Debug` text.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{Pool, Stage, State, handle::WorkerHandle, slot::WorkerSlot};
use crate::stats::Stats;

impl State {
    fn stats(&self) -> Stats {
        let running = self.workers().map(WorkerHandle::running).sum::<usize>();
        let held = self.workers().map(|worker| worker.in_flight().len()).sum::<usize>();
        Stats {
            queued: self.queue.len() + held - running,
            running,
            done: self.counters.done,
            failed: self.counters.failed,
            cancelled: self.counters.cancelled,
            workers: self.workers().filter(|worker| worker.is_alive()).count(),
            deaths: self.counters.deaths,
            restarts: self.counters.restarts,
            bytes_sent: self.slots.iter().map(WorkerSlot::bytes_sent).sum(),
            bytes_received: self.slots.iter().map(WorkerSlot::bytes_received).sum(),
        }
    }
}

impl Pool {
    /// Returns the statistics. They are zero in the child of a fork, which has no part in the pool.
    pub(crate) fn stats(&self) -> Stats {
        if self.fork_generation.check().is_err() { Stats::default() } else { self.state.lock().stats() }
    }
}

/// How long to wait for the lock. The pool holds it for that long only if an error in this crate keeps it locked
/// forever, and then this text may help to find the error.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description = f.debug_struct("ProcessPoolExecutor");
        description.field("name", &self.name);
        if self.fork_generation.check().is_err() {
            // A thread that the fork has left behind may hold the lock forever.
            return description.field("phase", &"left behind by a fork").finish_non_exhaustive();
        }
        let Some(state) = self.state.try_lock_for(LOCK_TIMEOUT) else { return description.finish_non_exhaustive() };
        description.field("phase", &state.phase);
        if let Some(reason) = &state.broken {
            description.field("broken", reason);
        }
        let now = Instant::now();
        let workers: Vec<WorkerView> = state.slots.iter().map(|slot| WorkerView::of(slot, now)).collect();
        let stats = state.stats();
        let sandbox = state.sandbox.clone();
        // The text goes to user code, which may use this pool.
        drop(state);
        if let Some(sandbox) = sandbox {
            description.field("sandbox", &sandbox);
        }
        description.field("stats", &stats).field("workers", &workers).finish()
    }
}

/// A snapshot of a slot and its worker.
struct WorkerView {
    name: String,
    pid: Option<u32>,
    /// The stage of the worker, or `None` if the slot has no worker.
    stage: Option<Stage>,
    /// The first task of the worker: its name, its number, and how long the worker has had it.
    task: Option<(String, u64, Duration)>,
    is_running: bool,
    waiting: usize,
}

impl WorkerView {
    fn of(slot: &WorkerSlot, now: Instant) -> WorkerView {
        let worker = slot.worker();
        let task = worker.and_then(|worker| worker.in_flight().front()).map(|first| {
            let task = &first.job.task;
            (task.name().to_string(), task.id().as_u64(), now.saturating_duration_since(first.since))
        });
        WorkerView {
            name: slot.name.clone(),
            pid: worker.and_then(WorkerHandle::pid),
            stage: worker.map(WorkerHandle::stage),
            task,
            is_running: worker.is_some_and(|worker| worker.running() > 0),
            waiting: worker.map_or(0, WorkerHandle::waiting),
        }
    }
}

impl fmt::Debug for WorkerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(pid) = self.pid {
            write!(f, " (process {pid})")?;
        }
        match (self.stage, &self.task) {
            (None, _) => write!(f, ": no process"),
            (Some(Stage::Starting), _) => write!(f, ": starting"),
            (Some(Stage::Leaving), None) => write!(f, ": leaving"),
            (Some(Stage::Ready), None) => write!(f, ": idle"),
            (Some(stage), Some((name, number, time))) => {
                let does = if self.is_running { "runs" } else { "was given" };
                write!(f, ": {does} task {number} `{name}` for {time:?}")?;
                if self.waiting > 0 {
                    write!(f, ", {} more behind it", self.waiting)?;
                }
                if stage == Stage::Leaving { write!(f, ", and must leave") } else { Ok(()) }
            }
        }
    }
}
