//! What a pool says of itself: in numbers, and to people who look for what it is doing.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{Ending, Pool, Stage, State, Unit};
use crate::{process::Process, stats::Stats};

/// What has happened in a pool so far. What is true at the moment is looked up when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    done: u64,
    failed: u64,
    cancelled: u64,
    deaths: u64,
    restarts: u64,
}

impl Tally {
    /// A task has come to an end.
    pub(crate) fn count(&mut self, ending: &Ending) {
        match ending.has_value() {
            Some(true) => self.done += 1,
            Some(false) => self.failed += 1,
            None => self.cancelled += 1,
        }
    }

    pub(crate) fn count_cancel(&mut self) {
        self.cancelled += 1;
    }

    pub(crate) fn count_death(&mut self) {
        self.deaths += 1;
    }

    pub(crate) fn count_restart(&mut self) {
        self.restarts += 1;
    }
}

impl State {
    fn stats(&self) -> Stats {
        let running = self.units.iter().map(Unit::running).sum::<usize>();
        let held = self.units.iter().map(|unit| unit.flights().len()).sum::<usize>();
        Stats {
            queued: self.queue.len() + held - running,
            running,
            done: self.tally.done,
            failed: self.tally.failed,
            cancelled: self.tally.cancelled,
            workers: self.units.iter().filter(|unit| unit.process.is_some()).count(),
            deaths: self.tally.deaths,
            restarts: self.tally.restarts,
            bytes_sent: self.units.iter().map(|unit| unit.bytes_sent).sum(),
            bytes_received: self.units.iter().map(|unit| unit.bytes_received).sum(),
        }
    }
}

impl Pool {
    /// All zeroes in the child of a fork, which has none of this.
    pub(crate) fn stats(&self) -> Stats {
        if self.born.check().is_err() { Stats::default() } else { self.state.lock().stats() }
    }
}

/// How long to wait for a pool that is asked what it is doing. It is never busy for so long, but may be in an error of
/// its own, and the one who asks may be after that.
const PATIENCE: Duration = Duration::from_secs(1);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description = f.debug_struct("ProcessPoolExecutor");
        description.field("name", &self.name);
        if self.born.check().is_err() {
            // The lock may be held for ever by a thread that did not come along.
            return description.field("phase", &"left behind by a fork").finish_non_exhaustive();
        }
        let Some(state) = self.state.try_lock_for(PATIENCE) else { return description.finish_non_exhaustive() };
        description.field("phase", &state.phase);
        if let Some(reason) = &state.broken {
            description.field("broken", reason);
        }
        let now = Instant::now();
        let workers: Vec<WorkerView> = state.units.iter().map(|unit| WorkerView::of(unit, now)).collect();
        let stats = state.stats();
        // What is written goes to the user's code, which may want something of this pool.
        drop(state);
        description.field("stats", &stats).field("workers", &workers).finish()
    }
}

/// A worker at a moment.
struct WorkerView {
    name: String,
    process: Option<u32>,
    stage: Stage,
    /// The task that it runs, or is about to: its name and number, and for how long it has had it.
    task: Option<(String, u64, Duration)>,
    runs: bool,
    waiting: usize,
}

impl WorkerView {
    fn of(unit: &Unit, now: Instant) -> WorkerView {
        let task = unit.flights().front().map(|flight| {
            let task = &flight.job.task;
            (task.name().to_string(), task.id().as_u64(), now.saturating_duration_since(flight.since))
        });
        WorkerView {
            name: unit.name.clone(),
            process: unit.process.as_ref().map(Process::number),
            stage: unit.stage,
            task,
            runs: unit.running() > 0,
            waiting: unit.waiting(),
        }
    }
}

impl fmt::Debug for WorkerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(process) = self.process {
            write!(f, " (process {process})")?;
        }
        match (self.stage, &self.task) {
            (Stage::Vacant, _) => write!(f, ": no process"),
            (Stage::Starting, _) => write!(f, ": starting"),
            (Stage::Leaving, None) => write!(f, ": leaving"),
            (Stage::Ready, None) => write!(f, ": idle"),
            (stage, Some((name, number, time))) => {
                let does = if self.runs { "runs" } else { "was given" };
                write!(f, ": {does} task {number} `{name}` for {time:?}")?;
                if self.waiting > 0 {
                    write!(f, ", {} more behind it", self.waiting)?;
                }
                if stage == Stage::Leaving { write!(f, ", and is to leave") } else { Ok(()) }
            }
        }
    }
}
