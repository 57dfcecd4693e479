//! A real job on every back-end, and the check that all of them give the same result.
//!
//! ```text
//! cargo run --release --example backends
//! cargo run --release --example backends -- --executor processes --workers 4 --top 20 src/ docs/
//! ```
//!
//! The job is a census of source files: SHA-256, lines, words, bytes and the most frequent identifiers. `census::take`
//! does it on a `&dyn Backend`; this file only chooses the back-end.
//!
//! The table shows what each executor is for. Threads are fastest. Processes are given one more file, which crashes the
//! parser that reads it, and count all others; the same file would end this program on threads.
//!
//! The exit code is 0 if all results are complete and equal, 1 if not, 2 if the command line is wrong, and 130 after
//! Ctrl-C.

mod args;
#[path = "../census/mod.rs"]
mod census;
mod default_paths;
mod hostile;
mod interrupt;
mod job_size;
mod load;
mod progress;
mod report;
mod warm_up;

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use concurrent_futures::{
    Backend, Error, Executor as _, InlineExecutor, ProcessPoolExecutor, Shutdown, ThreadPoolExecutor,
};

use args::{Args, Choice, Command};
use census::Census;
use hostile::HostileFile;
use interrupt::Interrupt;
use load::Load;
use progress::Progress;
use report::{Comparison, Run};

/// The number is so high that sending a task costs little compared with its work, and so low that the last tasks end at
/// about the same time.
const FILES_PER_TASK: NonZeroUsize = NonZeroUsize::new(16).unwrap();

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(args)) => args,
        Ok(Command::Help) => {
            // An error means that standard output is closed, so it cannot be reported there.
            let _ = writeln!(io::stdout(), "{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(mistake) => {
            eprintln!("backends: {mistake}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let (paths, what) = match choose_paths(&args) {
        Ok(chosen) => chosen,
        Err(mistake) => {
            eprintln!("backends: {mistake}");
            return ExitCode::from(2);
        }
    };
    match run(&args, &paths, &what) {
        Ok(Outcome::Identical) => ExitCode::SUCCESS,
        Ok(Outcome::Wrong) => ExitCode::FAILURE,
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        // The reader needs no more, as in `backends | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            eprintln!("backends: cannot write the report: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::Executor(choice, error)) => {
            eprintln!("backends: {choice}: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::HostileFile(error)) => {
            eprintln!("backends: cannot write the hostile file: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::Interrupt(error)) => {
            eprintln!("backends: cannot listen for Ctrl-C: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Outcome {
    Identical,
    /// The results differ, or tasks failed.
    Wrong,
    Interrupted,
}

enum Failure {
    Executor(Choice, Error),
    Interrupt(ctrlc::Error),
    HostileFile(io::Error),
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// Returns the paths to walk and a description of them.
fn choose_paths(args: &Args) -> Result<(Vec<PathBuf>, String), String> {
    if args.paths.is_empty() {
        let default = default_paths::find()?;
        return Ok((default.paths, default.what));
    }
    // A path on the command line must exist. Missing files below it are only counted.
    for path in &args.paths {
        if let Err(error) = path.metadata() {
            return Err(format!("{}: {error}", path.display()));
        }
    }
    let names: Vec<String> = args.paths.iter().map(|path| path.display().to_string()).collect();
    Ok((args.paths.clone(), names.join(", ")))
}

fn run(args: &Args, paths: &[PathBuf], what: &str) -> Result<Outcome, Failure> {
    let mut out = io::stdout().lock();
    let interrupt = Interrupt::listen().map_err(Failure::Interrupt)?;

    // This also warms the page cache, so that all executors find the same.
    let Some(size) = warm_up::read_once(paths, &interrupt) else {
        return interrupted(&mut out, &[]);
    };
    report::heading(&mut out, what, &size)?;

    let hostile_file = HostileFile::create().map_err(Failure::HostileFile)?;
    let mut runs: Vec<Run> = Vec::new();
    let mut comparison = Comparison::default();
    for &choice in &args.executors {
        let load = Load::start();
        let started = Instant::now();
        let executor = build(choice, args.workers).map_err(|error| Failure::Executor(choice, error))?;
        let progress = Progress::new(choice, executor.max_workers(), &size);
        interrupt.cancels(Some(Arc::clone(&executor)));
        // Only a process can run a task that crashes. Its worker dies while the others take the census.
        let crash = match choice {
            Choice::Inline | Choice::Threads => None,
            Choice::Processes => Some(hostile_file.parse_on(&*executor)),
        };
        let census = take_census(&*executor, paths, &interrupt, &progress);
        let seconds = started.elapsed().as_secs_f64();
        progress.finish();
        // Every future completes, even if Ctrl-C has closed the executor.
        let crash = crash.map(|crash| crash.and_then(|crash| crash.result(None)));

        // This waits for the tasks that still run, interrupted or not.
        executor.shutdown(Shutdown::CancelPending);
        interrupt.cancels(None);
        let census = match census {
            Ok(census) => census,
            // An executor that Ctrl-C has closed accepts no tasks.
            Err(_) if interrupt.requested() => Census::default(),
            Err(error) => return Err(Failure::Executor(choice, error)),
        };
        runs.push(Run::new(choice, executor.max_workers(), seconds, load.end(), &census));
        if interrupt.requested() {
            return interrupted(&mut out, &runs);
        }
        if let (Some(crash), Some(run)) = (crash, runs.last_mut()) {
            run.hostile_file = comparison.survived(choice, crash);
        }
        comparison.add(choice, census);
    }

    report::executors(&mut out, &runs)?;
    report::findings(&mut out, comparison.first(), args.top)?;
    let identical = comparison.report(&mut out)?;
    out.flush()?;
    Ok(if identical { Outcome::Identical } else { Outcome::Wrong })
}

/// Builds an executor. Only this function decides where tasks run.
fn build(choice: Choice, workers: NonZeroUsize) -> Result<Arc<dyn Backend>, Error> {
    Ok(match choice {
        Choice::Inline => Arc::new(InlineExecutor::new()),
        Choice::Threads => Arc::new(ThreadPoolExecutor::new(workers.get())?),
        Choice::Processes => Arc::new(ProcessPoolExecutor::new(workers.get())?),
    })
}

fn take_census(
    executor: &dyn Backend,
    paths: &[PathBuf],
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Census, Error> {
    let files = census::walk(paths.to_vec());
    census::take(executor, census::scan, files, FILES_PER_TASK, |so_far| {
        progress.update(so_far.totals.files, so_far.totals.bytes);
        if interrupt.requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

fn interrupted(out: &mut impl io::Write, runs: &[Run]) -> Result<Outcome, Failure> {
    report::interrupted(out, runs)?;
    Ok(Outcome::Interrupted)
}
