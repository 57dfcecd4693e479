//! `COSTS.md`, which has the expected counts, and the comparison with it.

use std::{collections::BTreeMap, fmt::Write as _, process::Command};

use super::{Counts, Figure, Kind, Phase, Subject};

/// The command that writes the file.
pub const WRITE: &str = "cargo run --release -p costs -- --write";

const INTRODUCTION: &str = "\
# What a task costs

The costs of a task that adds one to a number, on a pool of one worker, and of operations on objects that processes share.
They are counted, so they do not depend on load.
`cargo run --release -p costs` counts again and compares, and so does `ci/costs`.
A figure that is better fails too, so that the improvement is recorded and cannot be lost unnoticed.

";

const LEGEND: &str = "
| part | what is counted |
|---|---|
| submit | until `submit` returns; the worker is busy, so no thread is woken |
| run | in the worker: from the end of the previous task to the end of this one |
| result | `result` of a task that is done |
| parent | in all threads of the parent: sending the task to the worker, reading its reply, and `result` |
| put | `Queue::put` of a number, while no process waits |
| get | `Queue::get` of a number that is there |
| lock | `Lock::lock`, and dropping the guard |

The argument of a task *with a handle* is the number and a `Lock` that the worker knows.

Instructions are those of the program without those of the kernel, as callgrind counts them, on x86-64 only. They depend on the \
compiler and on the C library.
Callgrind slows a program down fifty times, so a worker process is sent fewer tasks together than at full speed, and \
work that is done once for several tasks has a larger share in *parent* and *run*.
Allocations are calls that allocate memory, and bytes are what they request. Bytes held are allocated and not freed while a \
task waits, with its future, its function and its argument of eight bytes.
";

/// How far a count may be from the expected one.
#[derive(Clone, Copy, Debug)]
enum Tolerance {
    Percent(f64),
    Absolute(f64),
}

impl Tolerance {
    fn of(figure: Figure) -> Tolerance {
        match (figure.kind, figure.needs_two_processes(), figure.phase) {
            (Kind::Instructions, _, Phase::Parent) => Tolerance::Percent(15.0),
            (Kind::Instructions, true, _) => Tolerance::Percent(10.0),
            (Kind::Instructions, false, _) => Tolerance::Percent(5.0),
            (Kind::Allocations, _, Phase::Parent) => Tolerance::Absolute(0.2),
            (Kind::Allocations, ..) => Tolerance::Absolute(0.05),
            (Kind::Bytes, _, Phase::Parent) => Tolerance::Absolute(25.0),
            // The queue doubles its memory, and how many tasks the worker has by then decides whether it just has.
            (Kind::Bytes, false, _) if figure.subject.has_two_processes() => Tolerance::Absolute(20.0),
            (Kind::Held, ..) if figure.subject.has_two_processes() => Tolerance::Absolute(10.0),
            (Kind::Bytes | Kind::Held, ..) => Tolerance::Absolute(4.0),
        }
    }

    fn allows(self, expected: f64, counted: f64) -> bool {
        let difference = (counted - expected).abs();
        match self {
            Tolerance::Percent(percent) => difference <= expected.abs() * percent / 100.0,
            Tolerance::Absolute(most) => difference <= most,
        }
    }

    fn name(self) -> String {
        match self {
            Tolerance::Percent(percent) => format!("±{percent} %"),
            Tolerance::Absolute(most) => format!("±{most}"),
        }
    }
}

/// Returns an upper limit for a figure, which does not depend on the file.
fn bound(figure: Figure) -> Option<f64> {
    match (figure.kind, figure.subject) {
        (Kind::Held, Subject::Threads) => Some(112.0),
        (Kind::Held, Subject::Processes) => Some(300.0),
        _ => None,
    }
}

/// The verdict on a figure.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It is close enough to the expected count.
    Passed(String),
    /// It cannot be counted on this machine.
    Skipped(String),
    /// It differs. The text has the difference.
    Failed(String),
}

/// Compares the counts with the file.
pub fn compare(file: &str, counts: &Counts) -> Vec<Verdict> {
    let expected = read(file);
    let verdict = |figure: Figure| {
        let Some(counted) = counts.get(&figure).copied() else { return Verdict::Skipped(figure.to_string()) };
        let Some(expected) = expected.get(&figure.to_string()).copied() else {
            return Verdict::Failed(format!("{figure}: {counted:.3}, and COSTS.md has no such figure"));
        };
        let tolerance = Tolerance::of(figure);
        let beside = format!("{figure}: {counted:.3}, in COSTS.md {expected:.3} {}", tolerance.name());
        match bound(figure) {
            Some(most) if counted > most => {
                Verdict::Failed(format!("{figure}: {counted:.3}, at most {most} is allowed"))
            }
            _ if tolerance.allows(expected, counted) => Verdict::Passed(beside),
            _ if counted < expected => Verdict::Failed(format!("{beside}: better, so record it")),
            _ => Verdict::Failed(format!("{beside}: worse")),
        }
    };
    Figure::all().map(verdict).collect()
}

/// Returns the text of the file with these counts.
pub fn write(counts: &Counts) -> String {
    let mut text = INTRODUCTION.to_string();
    // Writing to a `String` does not fail, so the results of `write!` are ignored.
    let _ = writeln!(text, "Written by `{WRITE}`, {}.\n", tools());
    text.push_str("| figure, for each task or operation | count | may differ by | at most |\n|---|---|---|---|\n");
    for (figure, count) in counts {
        let most = bound(*figure).map(|most| most.to_string()).unwrap_or_default();
        let _ = writeln!(text, "| {figure} | {count:.3} | {} | {most} |", Tolerance::of(*figure).name());
    }
    text.push_str(LEGEND);
    text
}

/// Returns the counts of a file by the names of their figures.
fn read(file: &str) -> BTreeMap<String, f64> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?.to_string(), cells.next()?.parse().ok()?))
    };
    file.lines().filter_map(row).collect()
}

/// Returns the versions of the tools that the counts depend on.
pub fn tools() -> String {
    let version = |tool: &str| {
        let output = Command::new(tool).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let [compiler, valgrind] = ["rustc", "valgrind"].map(|tool| version(tool).unwrap_or_else(|| format!("no {tool}")));
    format!("with {compiler} and {valgrind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        Figure::all().enumerate().map(|(number, figure)| (figure, 100.0 + number as f64)).collect()
    }

    fn failures(counts: &Counts) -> Vec<String> {
        let failed = |verdict| if let Verdict::Failed(why) = verdict { Some(why) } else { None };
        compare(&write(&super::tests::counts()), counts).into_iter().filter_map(failed).collect()
    }

    #[test]
    fn counts_that_were_just_written_pass() {
        let verdicts = compare(&write(&counts()), &counts());
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Passed(_))), "{verdicts:?}");
        assert_eq!(verdicts.len(), Figure::all().count());
    }

    #[test]
    fn each_figure_alone_fails_when_it_is_worse_and_when_it_is_better() {
        for figure in Figure::all() {
            for change in [-30.0, 30.0] {
                let mut counts = counts();
                *counts.get_mut(&figure).expect("it is one of all") += change;
                let failures = failures(&counts);
                assert_eq!(failures.len(), 1, "{figure} {change}: {failures:?}");
                assert!(failures[0].starts_with(&figure.to_string()), "{failures:?}");
            }
        }
    }

    #[test]
    fn a_figure_that_is_not_written_fails() {
        let verdicts = compare("", &counts());
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Failed(_))), "{verdicts:?}");
    }

    #[test]
    fn a_figure_that_was_not_counted_is_skipped() {
        let mut counts = counts();
        counts.retain(|figure, _| figure.kind != Kind::Instructions);
        let verdicts = compare(&write(&self::counts()), &counts);
        let skipped = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Skipped(_))).count();
        assert_eq!(skipped, Figure::all().count() - counts.len());
    }

    #[test]
    fn a_figure_above_its_bound_fails_even_if_it_is_written() {
        let counts: Counts = Figure::all().map(|figure| (figure, 301.0)).collect();
        let failed =
            compare(&write(&counts), &counts).into_iter().filter(|verdict| matches!(verdict, Verdict::Failed(_)));
        assert_eq!(failed.count(), 2);
    }
}
