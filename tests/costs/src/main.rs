//! Counts what a task or an operation costs and compares the counts with `COSTS.md`: `costs [--write]`. It exits with 1
//! if they differ.
//!
//! It starts itself as `costs --play SUBJECT [--count PART]` to do the counted work.

use std::{error::Error, fs, path::Path, process::ExitCode};

use costs::{
    Phase, Subject, collect,
    heap::Heap,
    is_installed, play,
    report::{self, Verdict},
};
use lexopt::{Arg, Parser, ValueExt as _};

/// Counts allocations.
#[global_allocator]
static HEAP: Heap = Heap;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if cfg!(debug_assertions) {
        return Err("the costs of a debug build have no meaning: run it with --release".into());
    }
    let (mut subject, mut phase, mut write) = (None, None, false);
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("write") => write = true,
            Arg::Long("play") => {
                subject = Some(Subject::named(&parser.value()?.string()?).ok_or("there is no such subject")?)
            }
            Arg::Long("count") => {
                phase = Some(Phase::named(&parser.value()?.string()?).ok_or("there is no such part")?)
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if let Some(subject) = subject {
        return play(subject, phase).map(|()| ExitCode::SUCCESS);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../COSTS.md");
    if write {
        if !is_installed() {
            return Err("the file has counts of instructions, which need valgrind on x86-64".into());
        }
        fs::write(path, report::write(&collect()?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = fs::read_to_string(path)?;
    Ok(check(&file, &report::compare(&file, &collect()?)))
}

/// Prints a verdict on each figure, and a summary in the format of `cargo test`.
fn check(file: &str, verdicts: &[Verdict]) -> ExitCode {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for verdict in verdicts {
        match verdict {
            Verdict::Passed(what) => {
                passed += 1;
                println!("ok       {what}");
            }
            Verdict::Skipped(what) => {
                skipped += 1;
                println!("SKIPPED  {what}");
            }
            Verdict::Failed(what) => {
                failed += 1;
                println!("FAILED   {what}");
            }
        }
    }
    if skipped > 0 {
        println!("\nSKIPPED: instructions are counted with valgrind, on x86-64 (apt-get install valgrind)");
    }
    if failed > 0 {
        let written =
            file.lines().find(|line| line.starts_with("Written by ")).unwrap_or("It does not name its tools.");
        println!("\nCOSTS.md: {written}\nHere: {}.", report::tools());
        println!("To record the new counts: {}", report::WRITE);
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
