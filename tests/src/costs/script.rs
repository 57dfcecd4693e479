//! What is counted: many small tasks on a pool of one worker, whose way is cut into parts that do not overlap.
//!
//! The worker is held at a gate while the tasks are submitted, runs them all when the gate opens, and is held at the
//! next one. So each part is counted while nobody else runs, on threads. A worker process and its parent work at the
//! same time; each counts its own.

use std::{error::Error as StdError, ffi::CStr, hint::black_box};

use concurrent_futures::{Backend, Executor as _, Future, ProcessPoolExecutor, ThreadPoolExecutor};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{Figure, Kind, callgrind, counter::Allocated, gate::Gate};

/// How many tasks are counted. So many that what happens once for all of them does not show.
pub(super) const TASKS: u64 = 4000;

/// Tasks that come before, so that nothing is counted that happens in the life of a pool once.
const WARM: u64 = 500;

/// The pools whose tasks are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    /// One worker thread.
    Threads,
    /// One worker process.
    Processes,
}

/// The parts of a task's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Until `submit` has returned.
    Submit,
    /// In the worker, from the end of one task to the end of the next.
    Run,
    /// `result`, when the task is done.
    Result,
    /// In the parent of a worker process: sending the task, handling its reply, and `result`.
    Parent,
}

impl Pool {
    pub(super) const ALL: [Pool; 2] = [Pool::Threads, Pool::Processes];

    /// Returns the name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Pool::Threads => "threads",
            Pool::Processes => "processes",
        }
    }

    /// Returns the pool of this name.
    pub fn named(name: &str) -> Option<Pool> {
        Pool::ALL.into_iter().find(|pool| pool.name() == name)
    }

    fn build(self) -> Result<Box<dyn Backend>, concurrent_futures::Error> {
        Ok(match self {
            Pool::Threads => Box::new(ThreadPoolExecutor::new(1)?),
            Pool::Processes => Box::new(ProcessPoolExecutor::new(1)?),
        })
    }
}

impl Phase {
    pub(super) const ALL: [Phase; 4] = [Phase::Submit, Phase::Run, Phase::Result, Phase::Parent];

    /// Returns the name in the report.
    pub fn name(self) -> &'static str {
        self.label().to_str().unwrap_or_default()
    }

    /// Returns the part of this name.
    pub fn named(name: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.name() == name)
    }

    fn label(self) -> &'static CStr {
        match self {
            Phase::Submit => c"submit",
            Phase::Run => c"run",
            Phase::Result => c"result",
            Phase::Parent => c"parent",
        }
    }

    /// Returns whether tasks of this pool have this part.
    pub(super) fn is_of(self, pool: Pool) -> bool {
        match self {
            Phase::Submit | Phase::Run => true,
            Phase::Result => pool == Pool::Threads,
            Phase::Parent => pool == Pool::Processes,
        }
    }
}

/// A part that is being counted.
#[derive(Clone, Copy)]
struct Counting {
    phase: Phase,
    /// Whether instructions are counted too.
    wanted: bool,
    before: Allocated,
}

impl Counting {
    fn start(phase: Phase, wanted: Option<Phase>) -> Counting {
        let counting = Counting { phase, wanted: wanted == Some(phase), before: Allocated::now() };
        if counting.wanted {
            callgrind::start();
        }
        counting
    }

    fn stop(self) -> Allocated {
        if self.wanted {
            callgrind::stop(self.phase.label());
        }
        Allocated::now() - self.before
    }
}

/// In a worker: what has begun to be counted there.
static COUNTING: Mutex<Option<Counting>> = Mutex::new(None);

/// The task before the counted ones: keeps the worker until they have all been submitted.
fn begin((held, gate, wanted): (Gate, Gate, Option<Phase>)) -> Result<(), String> {
    held.open().map_err(|error| error.to_string())?;
    gate.pass().map_err(|error| error.to_string())?;
    *COUNTING.lock() = Some(Counting::start(Phase::Run, wanted));
    Ok(())
}

/// The task behind them: says that they were run, and keeps the worker until their results have been read.
fn end((ended, gate): (Gate, Gate)) -> Result<Allocated, String> {
    let counting = COUNTING.lock().take().ok_or("nothing has begun")?;
    let allocated = counting.stop();
    ended.open().map_err(|error| error.to_string())?;
    gate.pass().map_err(|error| error.to_string())?;
    Ok(allocated)
}

/// A task that is counted.
fn step(number: u64) -> u64 {
    black_box(number) + 1
}

/// Runs the script, and prints what was allocated. Under callgrind, the instructions of the part that is wanted are
/// counted.
///
/// # Errors
///
/// What has kept it from its end.
pub fn play(pool: Pool, wanted: Option<Phase>) -> Result<(), Box<dyn StdError>> {
    let directory = tempfile::tempdir()?;
    let gate = |name: &str| Gate::new(directory.path(), name);
    let executor = pool.build()?;
    let mut futures: Vec<Future<u64>> = Vec::with_capacity(TASKS as usize);
    submit(&*executor, WARM, &mut futures)?;
    read(&mut futures)?;

    let (held, gate_to_run) = (gate("held")?, gate("run")?);
    let beginning = executor.submit(begin, (held.clone(), gate_to_run.clone(), wanted))?;
    held.pass()?;

    let counting = Counting::start(Phase::Submit, wanted);
    submit(&*executor, TASKS, &mut futures)?;
    print(pool, Phase::Submit, counting.stop());

    let (ended, gate_to_leave) = (gate("ended")?, gate("leave")?);
    let ending = executor.submit(end, (ended.clone(), gate_to_leave.clone()))?;
    match pool {
        Pool::Threads => {
            gate_to_run.open()?;
            ended.pass()?;
            let counting = Counting::start(Phase::Result, wanted);
            read(&mut futures)?;
            print(pool, Phase::Result, counting.stop());
        }
        Pool::Processes => {
            let counting = Counting::start(Phase::Parent, wanted);
            gate_to_run.open()?;
            read(&mut futures)?;
            print(pool, Phase::Parent, counting.stop());
            ended.pass()?;
        }
    }
    gate_to_leave.open()?;
    beginning.result(None)??;
    print(pool, Phase::Run, ending.result(None)??);
    Ok(())
}

fn submit(executor: &dyn Backend, tasks: u64, futures: &mut Vec<Future<u64>>) -> Result<(), concurrent_futures::Error> {
    for number in 0..tasks {
        futures.push(executor.submit(step, number)?);
    }
    Ok(())
}

fn read(futures: &mut Vec<Future<u64>>) -> Result<(), Box<dyn StdError>> {
    for (number, future) in futures.drain(..).enumerate() {
        if future.result(None)? != number as u64 + 1 {
            return Err("a task has given the result of another".into());
        }
    }
    Ok(())
}

fn print(pool: Pool, phase: Phase, allocated: Allocated) {
    for figure in Figure::all().filter(|figure| (figure.pool, figure.phase) == (pool, phase)) {
        let count = match figure.kind {
            Kind::Instructions => continue,
            Kind::Allocations => allocated.calls as f64,
            Kind::Bytes => allocated.bytes as f64,
            Kind::Held => allocated.held(),
        };
        println!("{figure} = {}", count / TASKS as f64);
    }
}

/// A line that [`play`] has printed.
pub(super) fn read_line(pool: Pool, line: &str) -> Option<(Figure, f64)> {
    let (name, count) = line.split_once(" = ")?;
    let figure = Figure::all().find(|figure| figure.pool == pool && figure.to_string() == name)?;
    Some((figure, count.parse().ok()?))
}
