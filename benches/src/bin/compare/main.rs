//! Runs scenarios, and prints how our pools compare. `--list` prints the names of the scenarios.
//!
//! Building the peers takes minutes. So `cargo run -p benches --bin compare` builds a program without them, which
//! prints the list by itself, and for everything else calls cargo again with the feature `peers`.

#[cfg_attr(feature = "peers", path = "measure.rs")]
#[cfg_attr(not(feature = "peers"), path = "launch.rs")]
mod compare;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use benches::{Outcome, list::SCENARIOS};

const USAGE: &str = "\
compare [scenario...] [--short] [--turns N] [--pin] [--write] [--draw] [--list]

Without a scenario it runs all. The beginning of a name is enough.
  --short    few turns: all scenarios in about three minutes
  --turns N  N turns for each side of each table, without a limit of time
  --pin      pins each thread of a pool, or each process of one, to a processor
  --write    writes BENCHMARKS.md, docs/performance.md, TARGETS.md and the plots
  --draw     writes them from benches/measured.json, and runs nothing
  --list     prints the names of the scenarios, and runs nothing";

fn main() -> ExitCode {
    match compare::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_list() -> Outcome<()> {
    let mut out = io::stdout().lock();
    for (name, title) in SCENARIOS {
        writeln!(out, "{name:10} {title}")?;
    }
    Ok(())
}

fn print_usage() -> Outcome<()> {
    Ok(writeln!(io::stdout(), "{USAGE}")?)
}
