//! A parser that crashes, hangs and eats memory, and a job that ends with a complete report all the same.
//!
//! ```text
//! cargo run --release --example crash_proof
//! ```
//!
//! It is the census of the example `backends`, with a parser in front of it that some inputs bring down: a write to an
//! invalid address, a loop without end, recursion without end, allocation without end, and three milder ones. On a
//! `ProcessPoolExecutor` each of them costs the task that read it. All other files are counted, and the result is held
//! against that of an inline run over the good files alone.
//!
//! The exit code is 0 only if exactly the hostile inputs failed, each in the way that was to be expected.

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

/// Far more than a file needs, and what the endless loop costs.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// Far more than a file needs, and where the endless allocation ends.
const MEMORY_LIMIT: u64 = 512 * 1024 * 1024;

/// A task is what a crash costs. Here that is to be one file.
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

    // What the good files should give. The hostile ones would take this process down.
    let expected = count_without_parsing(&inputs.good())?;

    let started = Instant::now();
    let found = parse_and_count(&inputs.all())?;
    let seconds = started.elapsed().as_secs_f64();

    Ok(report::write(&mut io::stdout().lock(), &inputs, &expected, &found, seconds)?)
}

/// The task: a parser that trusts its input too much, and then the census.
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
