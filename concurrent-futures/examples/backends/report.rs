//! The tables at the end, and the comparison of results.

use std::io::{self, Write};

use concurrent_futures::{Error, ErrorKind};

use crate::FILES_PER_TASK;
use crate::args::Choice;
use crate::census::{Census, Totals};
use crate::job_size::JobSize;

const MIB: f64 = 1024.0 * 1024.0;

/// A row of the table of executors.
#[derive(Debug)]
pub struct Run {
    choice: Choice,
    workers: usize,
    seconds: f64,
    files: u64,
    bytes: u64,
    /// How many processors other programs kept busy, and how many there are.
    load: Option<(f64, u64)>,
    /// What the file that crashes the parser did.
    pub hostile_file: String,
}

impl Run {
    pub fn new(choice: Choice, workers: usize, seconds: f64, load: Option<(f64, u64)>, census: &Census) -> Run {
        let Totals { files, bytes, .. } = census.totals;
        Run { choice, workers, seconds, files, bytes, load, hostile_file: "not given".to_owned() }
    }
}

pub fn heading(out: &mut impl Write, what: &str, size: &JobSize) -> io::Result<()> {
    writeln!(out, "Census of {what}")?;
    writeln!(
        out,
        "{} files, {:.1} MiB. All were read once before the clock started, so every executor finds a warm page cache.",
        grouped(size.files),
        size.bytes as f64 / MIB,
    )?;
    // On a terminal the progress bar comes next, after the heading.
    out.flush()
}

/// Writes the table of executors. The time includes the start of the workers, which depends on the executor.
pub fn executors(out: &mut impl Write, runs: &[Run]) -> io::Result<()> {
    let inline = runs.iter().find(|run| run.choice == Choice::Inline).map(|run| run.seconds);
    writeln!(out)?;
    writeln!(
        out,
        "{:<10} {:>7} {:>10} {:>10} {:>9} {:>9} {:>9} {:>5}  hostile file",
        "executor", "workers", "files", "MiB", "seconds", "MiB/s", "speed-up", "load"
    )?;
    writeln!(out, "{}", "-".repeat(100))?;
    for run in runs {
        let mib = run.bytes as f64 / MIB;
        let speed_up = match inline {
            Some(inline) => format!("{:.2}x", inline / run.seconds),
            None => "-".to_owned(),
        };
        let load = match run.load {
            Some((busy, _)) => format!("{busy:.1}"),
            None => "-".to_owned(),
        };
        writeln!(
            out,
            "{:<10} {:>7} {:>10} {:>10.1} {:>9.3} {:>9.1} {:>9} {load:>5}  {}",
            run.choice,
            run.workers,
            grouped(run.files),
            mib,
            run.seconds,
            mib / run.seconds,
            speed_up,
            run.hostile_file,
        )?;
    }
    writeln!(out)?;
    if let Some((_, processors)) = runs.iter().find_map(|run| run.load) {
        writeln!(
            out,
            "load: how many of the {processors} processors other programs kept busy; no speed-up can gain those."
        )?;
    }
    writeln!(
        out,
        "hostile file: it makes the parser write to an invalid address. Elsewhere that would end this program."
    )
}

/// Writes the findings of the census.
pub fn findings(out: &mut impl Write, census: Option<&Census>, top: usize) -> io::Result<()> {
    let Some(census) = census else { return Ok(()) };
    let totals = &census.totals;
    writeln!(out)?;
    for (what, count) in [
        ("lines", totals.lines),
        ("words", totals.words),
        ("bytes", totals.bytes),
        ("different identifiers", census.identifiers.len() as u64),
    ] {
        writeln!(out, "{:>15} {what}", grouped(count))?;
    }
    writeln!(out, "SHA-256 over the SHA-256 of every file: {}", census.digest())?;

    let identifiers = census.top(top);
    if !identifiers.is_empty() {
        let width = identifiers.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(10);
        writeln!(out)?;
        writeln!(out, "rank  {:<width$} {:>12}", "identifier", "count")?;
        writeln!(out, "{}", "-".repeat(6 + width + 13))?;
        for (rank, (name, count)) in identifiers.iter().enumerate() {
            writeln!(out, "{:>4}  {name:<width$} {:>12}", rank + 1, grouped(*count))?;
        }
    }

    if totals.skipped > 0 {
        writeln!(out)?;
        writeln!(out, "skipped: {} (pipes, devices, links to directories)", grouped(totals.skipped))?;
    }
    if census.unreadable > 0 {
        writeln!(out)?;
        writeln!(out, "unreadable: {}", grouped(census.unreadable))?;
        for unreadable in &census.unreadable_examples {
            writeln!(out, "  {}: {}", unreadable.path, unreadable.reason)?;
        }
        let more = census.unreadable - census.unreadable_examples.len() as u64;
        if more > 0 {
            writeln!(out, "  and {} more", grouped(more))?;
        }
    }
    Ok(())
}

pub fn interrupted(out: &mut impl Write, runs: &[Run]) -> io::Result<()> {
    match runs.last() {
        Some(run) => writeln!(
            out,
            "Interrupted: {} files were done on {}; all other tasks were cancelled, and nothing is left running.",
            grouped(run.files),
            run.choice,
        ),
        None => writeln!(out, "Interrupted before the first executor started."),
    }
}

/// Keeps the first result and compares each other one with it, so that three executors need no more memory than two.
#[derive(Debug, Default)]
pub struct Comparison {
    first: Option<(Choice, Census)>,
    agreeing: Vec<Choice>,
    failures: Vec<String>,
}

impl Comparison {
    pub fn add(&mut self, choice: Choice, census: Census) {
        self.failures.extend(census.lost.iter().map(|lost| lost_files(choice, lost.task, &lost.error)));
        match &self.first {
            None => {
                self.agreeing.push(choice);
                self.first = Some((choice, census));
            }
            Some((first_choice, first)) => {
                let differences = first.differences(&census);
                if differences.is_empty() {
                    self.agreeing.push(choice);
                }
                self.failures.extend(
                    differences
                        .into_iter()
                        .map(|difference| format!("{first_choice} and {choice} differ: {difference}")),
                );
            }
        }
    }

    /// Returns what the hostile file did, in a few words. It must have cost its worker and nothing else.
    pub fn survived(&mut self, choice: Choice, crash: Result<(), Error>) -> String {
        match crash {
            Err(error) if error.kind() == ErrorKind::WorkerDied => {
                match error.worker_death().and_then(|death| death.signal()) {
                    Some(signal) => format!("survived: signal {signal}"),
                    None => "survived".to_owned(),
                }
            }
            Err(error) => {
                self.failures.push(format!("{choice}: the hostile file failed in another way: {error}"));
                "failed".to_owned()
            }
            Ok(()) => {
                self.failures.push(format!("{choice}: the hostile file did not crash its parser"));
                "failed".to_owned()
            }
        }
    }

    pub fn first(&self) -> Option<&Census> {
        self.first.as_ref().map(|(_, census)| census)
    }

    /// Writes whether the results are identical. Differences go to standard error too, where logs and scripts expect
    /// them.
    pub fn report(&self, out: &mut impl Write) -> io::Result<bool> {
        writeln!(out)?;
        if !self.failures.is_empty() {
            writeln!(out, "FAILED: the results are not complete and identical.")?;
            out.flush()?;
            for failure in &self.failures {
                eprintln!("backends: {failure}");
            }
            return Ok(false);
        }
        match self.agreeing.as_slice() {
            [] => {}
            [only] => writeln!(out, "Ran on {only} only. --executor all compares the executors.")?,
            [others @ .., last] => {
                let others: Vec<&str> = others.iter().map(|choice| choice.name()).collect();
                writeln!(out, "Checked: {} and {last} gave identical results.", others.join(", "))?;
            }
        }
        Ok(true)
    }
}

fn lost_files(choice: Choice, task: usize, error: &Error) -> String {
    let first = task * FILES_PER_TASK.get() + 1;
    let last = first + FILES_PER_TASK.get() - 1;
    format!("{choice}: the task with entries {first} to {last} of the walk failed: {error}")
}

/// Formats 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
