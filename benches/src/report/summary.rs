//! The lines of `docs/performance.md`, which summarise the tables in words.

use super::{Report, figure, time};

/// Returns the lines whose figures were measured.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let figures = Figures(report);
    [
        threads(&figures),
        processes(&figures),
        one(&figures),
        map(&figures),
        bytes(&figures),
        awaited(&figures),
        starts(&figures),
        width(&figures),
        memory(&figures),
        recursive(&figures),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn threads(figures: &Figures<'_>) -> Option<String> {
    let of = |label| figures.time("submit", "threads:", label, 1.0);
    Some(format!(
        "**Threads**: a task costs {} when 20,000 are submitted and then collected; rayon with a channel {}, tokio's \
         `spawn_blocking` {}.",
        of("threads, submit")?,
        of("rayon spawn_fifo + oneshot")?,
        of("tokio spawn_blocking")?,
    ))
}

fn processes(figures: &Figures<'_>) -> Option<String> {
    let of = |label| figures.time("submit", "processes:", label, 1.0);
    Some(format!(
        "**Processes**: a task costs {} when 2,000 are submitted and then collected; procspawn {}, Python's \
         `ProcessPoolExecutor` {}, its `multiprocessing.Pool` {}.",
        of("processes, ring")?,
        of("procspawn")?,
        of("CPython ProcessPoolExecutor")?,
        of("CPython multiprocessing.Pool")?,
    ))
}

fn one(figures: &Figures<'_>) -> Option<String> {
    let of = |table, label| figures.time("one", table, label, 1.0);
    Some(format!(
        "**One task**, submitted and waited for: {} on threads (rayon {}) and {} in a process (procspawn {}, Python {}).",
        of("threads:", "threads, submit")?,
        of("threads:", "rayon spawn_fifo + oneshot")?,
        of("processes:", "processes, ring")?,
        of("processes:", "procspawn")?,
        of("processes:", "CPython ProcessPoolExecutor")?,
    ))
}

fn map(figures: &Figures<'_>) -> Option<String> {
    let of = |table, label| figures.time("map", table, label, 1.0);
    let (threads, processes) = ("threads:", "processes: `map` of a million functions of 20 ns");
    Some(format!(
        "**`map`** over a million functions of 20 ns: {} an item on threads, {} in processes, {} with rayon's `par_iter`.",
        of(threads, "threads, submit")?,
        of(processes, "processes, ring")?,
        of(threads, "rayon par_iter().map().collect()")?,
    ))
}

fn bytes(figures: &Figures<'_>) -> Option<String> {
    let of = |label| figures.time("echo", "processes: echo of 1 MiB, `Vec<u8>`", label, 1e3);
    Some(format!(
        "**Big data**: 1 MiB of bytes travels to a process and back in {}; procspawn {}, Python {}.",
        of("processes, ring")?,
        of("procspawn")?,
        of("CPython ProcessPoolExecutor")?,
    ))
}

fn awaited(figures: &Figures<'_>) -> Option<String> {
    let of = |label| figures.time("await", "submit", label, 1.0);
    Some(format!(
        "**Async**: a task that is awaited in tokio costs {} on threads and {} in a process, {} with `spawn_blocking`.",
        of("threads, submit")?,
        of("processes, ring")?,
        of("tokio spawn_blocking")?,
    ))
}

fn starts(figures: &Figures<'_>) -> Option<String> {
    Some(format!(
        "**Starts**: a process pool has its first result after {}, and the next one {} after a crash. A fresh process \
         for each task costs {}.",
        figures.time("first", "processes:", "processes, ring", 1e3)?,
        figures.time("recovery", "processes:", "processes, ring", 1e3)?,
        figures.time("fresh", "processes:", "processes, ring", 1e3)?,
    ))
}

fn width(figures: &Figures<'_>) -> Option<String> {
    let ratio = |table, name: &str| {
        let of = |workers| figures.median("width", table, &format!("{name}, {workers} workers"));
        Some(figure(of(16)? / of(2)?))
    };
    Some(format!(
        "**Wide pools**: with 16 workers on two processors a task costs {} (threads) and {} (processes) times as much \
         as with two.",
        ratio("threads:", "threads, submit")?,
        ratio("processes:", "processes, ring")?,
    ))
}

fn memory(figures: &Figures<'_>) -> Option<String> {
    let bytes = |table, label| Some(figure(figures.median("memory", table, label)?));
    Some(format!(
        "**Memory and idling**: a pending task takes {} bytes on threads, {} in a process pool. An idle pool of any \
         kind uses {} µs of processor time in ten seconds.",
        bytes("threads:", "threads, submit")?,
        bytes("processes: 100000", "processes, ring")?,
        figure(figures.median("idle", "idle", "processes, ring, 64 workers")?),
    ))
}

fn recursive(figures: &Figures<'_>) -> Option<String> {
    let of = |label| figures.time("recursive", "threads:", label, 1.0);
    Some(format!(
        "**Not for this**: tasks that split their work recursively cost {} each; rayon's `join` {}.",
        of("threads, spawn")?,
        of("rayon join")?,
    ))
}

/// Looks up medians.
struct Figures<'a>(&'a Report);

impl Figures<'_> {
    /// Returns the median of a row in the first table of a scenario whose title begins with `table`.
    fn median(&self, scenario: &str, table: &str, label: &str) -> Option<f64> {
        let tables = &self.0.results(scenario)?.tables;
        let table = tables.iter().find(|measured| measured.title.starts_with(table))?;
        Some(table.rows.iter().find(|row| row.label == label)?.summary.median)
    }

    /// Returns such a median as a time; the unit of the table is `nanoseconds`.
    fn time(&self, scenario: &str, table: &str, label: &str, nanoseconds: f64) -> Option<String> {
        Some(time(self.median(scenario, table, label)? * nanoseconds))
    }
}
