//! Runs the crash matrix: `faults [--fault NAME] [--place NAME] [--transport NAME] [--workers N] [--write] [--loud]`.
//!
//! Each of the first four options may be given several times; without one, all of its kind run. Progress goes to
//! standard error. Cells that differ from the table go to standard output, and the exit code is then 1.

use std::{
    any::Any,
    error::Error,
    fs::{self, File},
    io::Write as _,
    path::Path,
    process,
    time::{Duration, Instant},
};

use lexopt::{Arg, Parser, ValueExt as _};
use process_pool::Transport;
use tests::faults::{Fault, Place, Run, console, report};

/// This is longer than a cell takes on the busiest machine. Each wait inside a cell has a shorter deadline.
const DEADLINE: Duration = Duration::from_secs(150);

const TRANSPORTS: [Transport; 2] = [Transport::Ring, Transport::Socket];
const WIDTHS: [usize; 3] = [1, 2, 5];

/// The chosen cells.
#[derive(Default)]
struct Choice {
    faults: Vec<Fault>,
    places: Vec<Place>,
    transports: Vec<Transport>,
    widths: Vec<usize>,
    write: bool,
    loud: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let choice = Choice::from_args()?;
    let mut console = if choice.loud { None } else { Some(console::take_standard_error()?) };
    let (runs, left_out) = choice.runs();
    let mut failed = Vec::new();
    // How many faults between tasks have cost no task, and how many one.
    let mut between_tasks = [0, 0];
    for (number, run) in runs.iter().enumerate() {
        let start = Instant::now();
        let outcome = watched(*run);
        let verdict = match &outcome {
            Ok(lost) => format!("ok, tasks lost {lost}"),
            Err(_) => "FAILED".to_string(),
        };
        let line = format!("[{}/{}] {run}: {verdict}, {:.0?}", number + 1, runs.len(), start.elapsed());
        print_progress(console.as_mut(), &line);
        match outcome {
            Ok(lost) if run.place == Place::BetweenTasks => between_tasks[usize::from(lost > 0)] += 1,
            Ok(_) => {}
            Err(what) => {
                print_progress(console.as_mut(), &what);
                failed.push(format!("{run}: {what}"));
            }
        }
    }
    println!("{} of {} cells agree with the table", runs.len() - failed.len(), runs.len());
    if let Some((run, why)) = left_out.first() {
        println!("left out: {} cells, such as {run}: {why}", left_out.len());
    }
    if between_tasks != [0, 0] {
        let [none, one] = between_tasks;
        println!("of the faults between tasks, {none} have cost no task and {one} have cost one");
    }
    if !failed.is_empty() {
        println!("others:\n{}", failed.join("\n"));
        // This does not wait for the threads of cells that hang.
        process::exit(1);
    }
    if choice.write && left_out.is_empty() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("../FAULTS.md"), report::report())?;
    }
    Ok(())
}

/// Runs a cell. The thread of a cell that hangs keeps running.
fn watched(run: Run) -> Result<usize, String> {
    match conformance::watch("cell", DEADLINE, move || run.check()) {
        Some(Ok(outcome)) => outcome,
        Some(Err(panic)) => Err(format!("the check panicked: {}", message_of(&*panic))),
        None => Err(format!("it has not ended after {DEADLINE:?}")),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    match panic.downcast_ref::<&str>() {
        Some(text) => (*text).to_string(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a payload that is not text".to_string()),
    }
}

/// Prints progress. A line that cannot be written is lost.
fn print_progress(console: Option<&mut File>, line: &str) {
    match console {
        Some(console) => drop(writeln!(console, "{line}")),
        None => eprintln!("{line}"),
    }
}

impl Choice {
    fn from_args() -> Result<Choice, Box<dyn Error>> {
        let mut choice = Choice::default();
        let mut parser = Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("fault") => choice.faults.push(named(Fault::ALL, Fault::name, &parser.value()?.string()?)?),
                Arg::Long("place") => choice.places.push(named(Place::ALL, Place::name, &parser.value()?.string()?)?),
                Arg::Long("transport") => {
                    let name = |transport| if transport == Transport::Ring { "ring" } else { "socket" };
                    choice.transports.push(named(TRANSPORTS, name, &parser.value()?.string()?)?);
                }
                Arg::Long("workers") => choice.widths.push(parser.value()?.parse()?),
                Arg::Long("write") => choice.write = true,
                Arg::Long("loud") => choice.loud = true,
                other => return Err(other.unexpected().into()),
            }
        }
        if choice.write && !choice.is_everything() {
            return Err("--write needs every cell to run: leave the other options out".into());
        }
        Ok(choice)
    }

    fn is_everything(&self) -> bool {
        self.faults.is_empty() && self.places.is_empty() && self.transports.is_empty() && self.widths.is_empty()
    }

    /// Returns the cells that this system can have, and the others with the reason.
    fn runs(&self) -> (Vec<Run>, Vec<(Run, String)>) {
        let (mut runs, mut left_out) = (Vec::new(), Vec::new());
        for fault in chosen(&self.faults, &Fault::ALL) {
            for place in chosen(&self.places, &Place::ALL) {
                for transport in chosen(&self.transports, &TRANSPORTS) {
                    for workers in chosen(&self.widths, &WIDTHS) {
                        let run = Run { fault, place, transport, workers };
                        match run.is_possible() {
                            Ok(()) => runs.push(run),
                            Err(why) => left_out.push((run, why)),
                        }
                    }
                }
            }
        }
        (runs, left_out)
    }
}

fn chosen<T: Copy>(chosen: &[T], all: &[T]) -> Vec<T> {
    if chosen.is_empty() { all.to_vec() } else { chosen.to_vec() }
}

/// Returns the value that has this name.
fn named<T: Copy, const N: usize>(all: [T; N], name: impl Fn(T) -> &'static str, given: &str) -> Result<T, String> {
    let names: Vec<&str> = all.iter().map(|value| name(*value)).collect();
    let found = all.into_iter().find(|value| name(*value) == given);
    found.ok_or_else(|| format!("there is no `{given}`; there are {}", names.join(", ")))
}
