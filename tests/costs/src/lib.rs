//! Counts what a task or an operation of a shared object costs: instructions, allocations and bytes. Unlike times,
//! counts do not depend on the load of the machine. `COSTS.md` has the expected counts, and the program `costs`
//! compares.
//!
//! The counted work ([`script`]) runs in a new process. [`collect`] starts it directly to count allocations, and under
//! callgrind to count instructions. In the worker of a process pool, tasks of the script count in the same way.

mod callgrind;
pub mod heap;
mod pipe;
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
    script::{Phase, Subject, play},
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Instructions of the program, without those of the kernel.
    Instructions,
    /// Calls that allocate memory.
    Allocations,
    /// The bytes that those calls request.
    Bytes,
    /// The bytes that are allocated and not freed while the task waits.
    Held,
}

/// Names one number of `COSTS.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// Whose cost it is.
    pub subject: Subject,
    /// The part of the life of a task, or the operation.
    pub phase: Phase,
    /// What is counted.
    pub kind: Kind,
}

/// The counts, divided by the number of tasks or operations.
pub type Counts = BTreeMap<Figure, f64>;

/// How often instructions are counted if two processes run. The lowest count is used, because waiting for the other
/// process only adds instructions.
const ROUNDS: usize = 12;

/// How often allocations are counted. The median is used.
const PLAIN_ROUNDS: usize = 15;

impl Kind {
    const ALL: [Kind; 4] = [Kind::Instructions, Kind::Allocations, Kind::Bytes, Kind::Held];

    /// Returns its name in the report.
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
    /// Returns all figures in the order of the report.
    pub fn all() -> impl Iterator<Item = Figure> {
        let figures = |subject: Subject, phase: Phase| Kind::ALL.map(|kind| Figure { subject, phase, kind });
        let phases = move |subject: Subject| Phase::ALL.into_iter().flat_map(move |phase| figures(subject, phase));
        Subject::ALL.into_iter().flat_map(phases).filter(Figure::is_counted)
    }

    /// Returns `true` if two processes run at the same time. The number of tasks that are sent together, and of waits
    /// of one process for the other, then varies.
    fn needs_two_processes(&self) -> bool {
        self.subject.has_two_processes() && self.phase != Phase::Submit
    }

    /// Returns `true` if the figure exists. Held memory is counted only after submitting.
    fn is_counted(&self) -> bool {
        self.phase.is_of(self.subject) && (self.kind != Kind::Held || self.phase == Phase::Submit)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.subject.name(), self.phase.name(), self.kind.name())
    }
}

/// Counts everything, without instructions if callgrind is not installed.
///
/// # Errors
///
/// If the counted program fails. The error has its output.
pub fn collect() -> Result<Counts, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let mut all: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
    for subject in Subject::ALL {
        for _ in 0..PLAIN_ROUNDS {
            for (figure, count) in allocations(&own, subject)? {
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
    let rounds = if figure.needs_two_processes() { ROUNDS } else { 1 };
    (0..rounds).try_fold(f64::INFINITY, |least, _| Ok(least.min(instructions(own, figure.subject, figure.phase)?)))
}

fn median(mut counts: Vec<f64>) -> f64 {
    counts.sort_by(f64::total_cmp);
    counts[counts.len() / 2]
}

fn allocations(own: &Path, subject: Subject) -> Result<Counts, String> {
    let output = output_of(Command::new(own).args(["--play", subject.name()]))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let count = |line| script::read_line(subject, line).ok_or_else(|| format!("this is no count: {line}"));
    text.lines().map(count).collect()
}

/// Counts the instructions of one part, in one process, so that the other process runs at nearly full speed.
fn instructions(own: &Path, subject: Subject, phase: Phase) -> Result<f64, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    output_of(callgrind::command(own, directory.path()).args(["--play", subject.name(), "--count", phase.name()]))?;
    let total = callgrind::total(directory.path(), phase.name()).map_err(|error| error.to_string())?;
    let total = total.ok_or_else(|| format!("callgrind has no count of {}, {}", subject.name(), phase.name()))?;
    Ok(total as f64 / script::TASKS as f64)
}

fn output_of(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}
