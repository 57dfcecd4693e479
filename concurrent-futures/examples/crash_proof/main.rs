//! A parser that crashes, hangs and exhausts memory, in a job that still ends with a complete report.
//!
//! ```text
//! cargo run --release --example crash_proof
//! ```
//!
//! It is the census of the example `backends` after a parser that some inputs crash: with a write to an invalid
//! address, an endless loop, endless recursion, endless allocation, and three milder faults. On a `ProcessPoolExecutor`
//! each input fails only its own task. All other files are counted, and the result is compared with an inline run over
//! the good files.
//!
//! The exit code is 0 only if exactly the hostile inputs failed, each as expected.

#[allow(dead_code, unused_imports, reason = "the other example that shares it uses more of it")]
#[path = "../census/mod.rs"]
mod census;
mod inputs;
mod report;
mod traps;

use std::error;
use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use concurrent_futures::{Error, InlineExecutor, ProcessPoolExecutor};

use census::{Census, Found, Tally};
use inputs::Inputs;

/// This is far more time than a file needs. The endless loop takes this long.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// This is far more memory than a file needs. The endless allocation ends here.
const MEMORY_LIMIT: u64 = 512 * 1024 * 1024;

/// A crash fails one task, so a task has one file.
const FILES_PER_TASK: NonZeroUsize = NonZeroUsize::MIN;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash_proof: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn error::Error>> {
    let inputs = Inputs::create()?;

    // The expected result of the good files. The hostile ones would end this process.
    let expected = count_without_parsing(&inputs.good())?;

    let started = Instant::now();
    let found = parse_and_count(&inputs.all())?;
    let seconds = started.elapsed().as_secs_f64();

    Ok(report::write(&mut io::stdout().lock(), &inputs, &expected, &found, seconds)?)
}

/// Runs a task: a parser that trusts its input too much, and then the census.
fn parse_and_scan(files: Vec<Found>) -> Tally {
    for file in &files {
        if let Found::File(path) = file {
            traps::parse(Path::new(path));
        }
    }
    census::scan(files)
}

fn parse_and_count(directory: &Path) -> Result<Census, Error> {
    let executor = ProcessPoolExecutor::builder().time_limit(TIME_LIMIT).memory_limit(MEMORY_LIMIT).build()?;
    let files = census::walk(vec![directory.to_owned()]);
    census::take(&executor, parse_and_scan, files, FILES_PER_TASK, |_| ControlFlow::Continue(()))
}

fn count_without_parsing(directory: &Path) -> Result<Census, Error> {
    let files = census::walk(vec![directory.to_owned()]);
    census::take(&InlineExecutor::new(), census::scan, files, FILES_PER_TASK, |_| ControlFlow::Continue(()))
}
