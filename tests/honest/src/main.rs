//! Does honest work in a sandbox and outside of it, and compares.
//!
//! ```text
//! honest                   every kind of work, in every mode, on both transports
//! honest --quick           the modes `error` and `kill`, on one transport
//! honest --only tokio      the kinds of work whose name contains this word
//! ```
//!
//! The exit code is 0 if every kind of work has the same outcome in each mode as without a sandbox.

mod outcome;
mod work;

use std::{collections::BTreeMap, process::ExitCode};

use concurrent_futures::{Error, Output, ProcessPoolExecutor, Refusal, Sandbox, Transport};

use outcome::Outcome;
use work::Work;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Calls that look at a path.
const LOOKS: [&str; 8] = ["open", "openat", "readlink", "readlinkat", "stat", "newfstatat", "statx", "access"];

/// What a pool is built with.
struct Mode {
    name: &'static str,
    sandbox: Option<Sandbox>,
}

fn modes(is_quick: bool) -> Vec<Mode> {
    let with = |name, sandbox| Mode { name, sandbox: Some(sandbox) };
    let compute = |refusal| Sandbox::compute().on_refusal(refusal);
    let mut modes = vec![
        Mode { name: "no sandbox", sandbox: None },
        with("error", compute(Refusal::Error)),
        with("kill", compute(Refusal::Kill)),
    ];
    if !is_quick {
        modes.extend([
            with("explain", compute(Refusal::Explain)),
            with("parse", Sandbox::parse()),
            with("no new code", compute(Refusal::Error).no_new_code()),
            with("symbols", compute(Refusal::Error).symbols()),
            with("best effort", compute(Refusal::Error).best_effort()),
        ]);
    }
    modes
}

fn build(sandbox: Option<Sandbox>, transport: Transport) -> Result<ProcessPoolExecutor, Error> {
    let builder = ProcessPoolExecutor::builder().max_workers(2).transport(transport).stderr(Output::null());
    let builder = builder.stdout(Output::null());
    match sandbox {
        Some(sandbox) => builder.sandbox(sandbox).build(),
        None => builder.build(),
    }
}

/// Returns the outcome of each kind of work, by its name.
fn run(mode: &Mode, transport: Transport, works: &[&Work]) -> Result<BTreeMap<&'static str, Outcome>, Error> {
    let pool = build(mode.sandbox.clone(), transport)?;
    let mut outcomes = BTreeMap::new();
    for work in works {
        outcomes.insert(work.name, (work.run)(&pool));
    }
    if mode.name == "explain" {
        let (looked, others): (Vec<_>, Vec<_>) = pool.refusals().into_iter().partition(|refused| {
            // What libraries look for and do without.
            LOOKS.contains(&refused.call())
        });
        let paths: Vec<&str> = looked.iter().filter_map(|refused| refused.path()).collect();
        println!("  looked for: {}", paths.join(", "));
        let text = others.iter().map(|refused| refused.call()).collect::<Vec<_>>().join(", ");
        outcomes.insert("other refusals", Outcome { is_expected: others.is_empty(), text, exceptions: Vec::new() });
    }
    outcomes.insert("shutdown", outcome::of_shutdown(pool));
    Ok(outcomes)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    let works: Vec<&Work> =
        work::ALL.iter().filter(|work| only.is_none_or(|only| work.name.contains(only.as_str()))).collect();
    let transports: &[Transport] = if is_quick { &[Transport::Ring] } else { &[Transport::Ring, Transport::Socket] };
    let mut failed = 0;
    for transport in transports {
        let mut expected = BTreeMap::new();
        for mode in modes(is_quick) {
            let outcomes = match run(&mode, *transport, &works) {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    println!("FAILED  {} on {transport:?}: no pool: {error}", mode.name);
                    failed += 1;
                    continue;
                }
            };
            let mut same = 0;
            for (name, outcome) in &outcomes {
                let wanted: &Outcome = match expected.get(name) {
                    Some(wanted) if mode.sandbox.is_some() => wanted,
                    // Without a sandbox all of it must work, or else comparing tells nothing.
                    _ => outcome,
                };
                if let Some(difference) = outcome.differs(wanted, mode.name) {
                    println!("FAILED  {} on {transport:?}: {name}: {difference}", mode.name);
                    failed += 1;
                } else {
                    same += 1;
                }
            }
            println!("{same} kinds of work, {} on {transport:?}", mode.name);
            if mode.sandbox.is_none() {
                expected = outcomes;
            }
        }
    }
    println!(
        "{}",
        if failed == 0 { "honest work goes on in every sandbox".to_string() } else { format!("{failed} failed") }
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
