//! What a task costs, counted instead of timed: instructions, allocations and bytes for each task, which are the same
//! on a busy machine and on an idle one. `COSTS.md` has what they are to be, and the program `costs` compares.
//!
//! The counted work ([`script`]) is a process of its own, which [`collect`] starts twice: as it is, for what it
//! allocates, and under callgrind, for its instructions. A worker of a process pool is counted in the same way, by what
//! runs in it.

mod callgrind;
mod counter;
mod gate;
pub mod report;
mod script;

use std::{
    collections::BTreeMap,
    env, fmt,
    path::Path,
    process::{Command, Output},
};

pub use self::{
    callgrind::is_installed,
    counter::Counter,
    script::{Phase, Pool, play},
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Instructions of the program itself, without the kernel's.
    Instructions,
    /// Calls of the allocator that get memory.
    Allocations,
    /// The bytes asked for by those calls.
    Bytes,
    /// The bytes that are allocated and not freed.
    Held,
}

/// One number of `COSTS.md`: of what, and what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// Which pool.
    pub pool: Pool,
    /// Which part of a task's way.
    pub phase: Phase,
    /// What is counted there.
    pub kind: Kind,
}

/// What was counted, for each task.
pub type Counts = BTreeMap<Figure, f64>;

/// How often instructions are counted where two processes meet. The least is taken: waiting for the other only adds to
/// it.
const ROUNDS: usize = 5;

/// How often allocations are counted, of which the median is taken: it takes milliseconds each time.
const PLAIN_ROUNDS: usize = 15;

impl Kind {
    const ALL: [Kind; 4] = [Kind::Instructions, Kind::Allocations, Kind::Bytes, Kind::Held];

    /// As it is called in the report.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Instructions => "instructions",
            Kind::Allocations => "allocations",
            Kind::Bytes => "bytes allocated",
            Kind::Held => "bytes held",
        }
    }
}

impl Figure {
    /// All of them, in the order of the report.
    pub fn all() -> impl Iterator<Item = Figure> {
        let figures = |pool: Pool, phase: Phase| Kind::ALL.map(|kind| Figure { pool, phase, kind });
        let phases = move |pool: Pool| Phase::ALL.into_iter().flat_map(move |phase| figures(pool, phase));
        Pool::ALL.into_iter().flat_map(phases).filter(Figure::is_counted)
    }

    /// Whether two processes are at work at the same time, so that how many tasks go over at once, and how often one
    /// waits for the other, is never quite the same.
    fn is_of_two(&self) -> bool {
        self.pool == Pool::Processes && self.phase != Phase::Submit
    }

    /// What is held is held between submitting and running.
    fn is_counted(&self) -> bool {
        self.phase.is_of(self.pool) && (self.kind != Kind::Held || self.phase == Phase::Submit)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.pool.name(), self.phase.name(), self.kind.name())
    }
}

/// Counts everything, or everything but instructions where callgrind is not to be had.
///
/// # Errors
///
/// What the counted program has said, if it has failed.
pub fn collect() -> Result<Counts, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let mut all: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
    for pool in Pool::ALL {
        for _ in 0..PLAIN_ROUNDS {
            for (figure, count) in allocations(&own, pool)? {
                all.entry(figure).or_default().push(count);
            }
        }
    }
    let mut counts: Counts = all.into_iter().map(|(figure, counts)| (figure, median(counts))).collect();
    if is_installed() {
        for figure in Figure::all().filter(|figure| figure.kind == Kind::Instructions) {
            counts.insert(figure, least_instructions(&own, figure)?);
        }
    }
    Ok(counts)
}

fn least_instructions(own: &Path, figure: Figure) -> Result<f64, String> {
    let rounds = if figure.is_of_two() { ROUNDS } else { 1 };
    (0..rounds).try_fold(f64::INFINITY, |least, _| Ok(least.min(instructions(own, figure.pool, figure.phase)?)))
}

fn median(mut counts: Vec<f64>) -> f64 {
    counts.sort_by(f64::total_cmp);
    counts[counts.len() / 2]
}

fn allocations(own: &Path, pool: Pool) -> Result<Counts, String> {
    let output = output_of(Command::new(own).args(["--play", pool.name()]))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let count = |line| script::read_line(pool, line).ok_or_else(|| format!("this is no count: {line}"));
    text.lines().map(count).collect()
}

/// Only one part is counted at a time: a process that is not counted hardly waits for callgrind.
fn instructions(own: &Path, pool: Pool, phase: Phase) -> Result<f64, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    output_of(callgrind::command(own, directory.path()).args(["--play", pool.name(), "--count", phase.name()]))?;
    let total = callgrind::total(directory.path(), phase.name()).map_err(|error| error.to_string())?;
    let total = total.ok_or_else(|| format!("callgrind has no count of {}, {}", pool.name(), phase.name()))?;
    Ok(total as f64 / script::TASKS as f64)
}

fn output_of(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}
