//! The counted work: many small tasks on a pool of one worker, in parts that do not overlap.
//!
//! The worker waits while the tasks are submitted, runs them all, and waits again. In a thread pool, each part is
//! counted while no other thread runs. A worker process and its parent run at the same time, and each counts its part.

use std::{error::Error as StdError, ffi::CStr, hint::black_box};

use concurrent_futures::{Backend, Executor as _, Future, ProcessPoolExecutor, ThreadPoolExecutor};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{Figure, Kind, callgrind, pipe::NamedPipe};
use crate::heap::Allocated;

/// The number of counted tasks. It is so high that work that is done once for all of them has no effect.
pub(super) const TASKS: u64 = 4000;

/// The number of tasks before them, so that work that a pool does only once is not counted.
const WARM: u64 = 500;

/// The pools whose tasks are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    /// One worker thread.
    Threads,
    /// One worker process.
    Processes,
}

/// The parts of the life of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Until `submit` returns.
    Submit,
    /// In the worker, from the end of the previous task to the end of this one.
    Run,
    /// `result` of a task that is done.
    Result,
    /// In the parent of a worker process: sending the task, reading its reply, and `result`.
    Parent,
}

impl Pool {
    pub(super) const ALL: [Pool; 2] = [Pool::Threads, Pool::Processes];

    /// Returns its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Pool::Threads => "threads",
            Pool::Processes => "processes",
        }
    }

    /// Returns the pool with this name.
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

    /// Returns its name in the report.
    pub fn name(self) -> &'static str {
        self.label().to_str().unwrap_or_default()
    }

    /// Returns the part with this name.
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

    /// Returns `true` if tasks of this pool have this part.
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
    with_instructions: bool,
    before: Allocated,
}

impl Counting {
    fn start(phase: Phase, chosen: Option<Phase>) -> Counting {
        let counting = Counting { phase, with_instructions: chosen == Some(phase), before: Allocated::now() };
        if counting.with_instructions {
            callgrind::start();
        }
        counting
    }

    fn stop(self) -> Allocated {
        if self.with_instructions {
            callgrind::stop(self.phase.label());
        }
        Allocated::now() - self.before
    }
}

/// The part that is being counted, in a worker.
static COUNTING: Mutex<Option<Counting>> = Mutex::new(None);

/// The task before the counted ones. It keeps the worker busy until they are all submitted.
fn begin((held, go_on, chosen): (NamedPipe, NamedPipe, Option<Phase>)) -> Result<(), String> {
    held.signal().map_err(|error| error.to_string())?;
    go_on.wait().map_err(|error| error.to_string())?;
    *COUNTING.lock() = Some(Counting::start(Phase::Run, chosen));
    Ok(())
}

/// The task after the counted ones. It signals that they ran, and keeps the worker busy until their results are read.
fn end((ended, go_on): (NamedPipe, NamedPipe)) -> Result<Allocated, String> {
    let counting = COUNTING.lock().take().ok_or("nothing has begun")?;
    let allocated = counting.stop();
    ended.signal().map_err(|error| error.to_string())?;
    go_on.wait().map_err(|error| error.to_string())?;
    Ok(allocated)
}

/// A task that is counted.
fn step(number: u64) -> u64 {
    black_box(number) + 1
}

/// Runs the script and prints the allocations. Under callgrind it counts the instructions of the chosen part.
///
/// # Errors
///
/// If the pool or a pipe fails.
pub fn play(pool: Pool, chosen: Option<Phase>) -> Result<(), Box<dyn StdError>> {
    let directory = tempfile::tempdir()?;
    let pipe = |name: &str| NamedPipe::new(directory.path(), name);
    let executor = pool.build()?;
    let mut futures: Vec<Future<u64>> = Vec::with_capacity(TASKS as usize);
    submit(&*executor, WARM, &mut futures)?;
    read(&mut futures)?;

    let (held, run) = (pipe("held")?, pipe("run")?);
    let beginning = executor.submit(begin, (held.clone(), run.clone(), chosen))?;
    held.wait()?;

    let counting = Counting::start(Phase::Submit, chosen);
    submit(&*executor, TASKS, &mut futures)?;
    print(pool, Phase::Submit, counting.stop());

    let (ended, leave) = (pipe("ended")?, pipe("leave")?);
    let ending = executor.submit(end, (ended.clone(), leave.clone()))?;
    match pool {
        Pool::Threads => {
            run.signal()?;
            ended.wait()?;
            let counting = Counting::start(Phase::Result, chosen);
            read(&mut futures)?;
            print(pool, Phase::Result, counting.stop());
        }
        Pool::Processes => {
            let counting = Counting::start(Phase::Parent, chosen);
            run.signal()?;
            read(&mut futures)?;
            print(pool, Phase::Parent, counting.stop());
            ended.wait()?;
        }
    }
    leave.signal()?;
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
            return Err("a task has returned the result of another".into());
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

/// Parses a line that [`play`] has printed.
pub(super) fn read_line(pool: Pool, line: &str) -> Option<(Figure, f64)> {
    let (name, count) = line.split_once(" = ")?;
    let figure = Figure::all().find(|figure| figure.pool == pool && figure.to_string() == name)?;
    Some((figure, count.parse().ok()?))
}
