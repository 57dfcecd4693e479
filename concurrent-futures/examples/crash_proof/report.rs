//! Reports which inputs failed, how, and whether all other results are right.

use std::io::{self, Write};

use concurrent_futures::{Error, ErrorKind};

use crate::census::{Census, Lost};
use crate::inputs::Inputs;
use crate::traps::{EXIT_CODE, Trap};

/// The number of lines of a message that are shown, because it can end with a backtrace of the worker.
const LINES_OF_A_MESSAGE: usize = 3;

// These numbers are the same on every system that the process pool runs on, except that of SIGBUS.
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGBUS: i32 = if cfg!(target_os = "linux") { 7 } else { 10 };

/// Writes the report. Returns `true` if exactly the hostile inputs failed, as expected, and all other results are
/// right.
pub fn write(
    out: &mut impl Write,
    inputs: &Inputs,
    expected: &Census,
    found: &Census,
    seconds: f64,
) -> io::Result<bool> {
    let hostile = inputs.files.iter().filter(|(_, trap)| trap.is_some()).count();
    writeln!(out, "{} files, {hostile} of them hostile, on a pool of processes: {seconds:.1} s", inputs.files.len())?;
    writeln!(out)?;

    let mut mistakes = Vec::new();
    let width = inputs.files.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    writeln!(out, "{:<width$}  ended by", "input")?;
    writeln!(out, "{}", "-".repeat(width + 30))?;
    for (task, (name, trap)) in inputs.files.iter().enumerate() {
        let lost = found.lost.iter().find(|lost| lost.task == task);
        if let Some(Lost { error, .. }) = lost {
            writeln!(out, "{name:<width$}  {}", ending(error))?;
            let message = error.to_string();
            for line in message.lines().filter(|line| !line.is_empty()).take(LINES_OF_A_MESSAGE) {
                writeln!(out, "{:<width$}    {line}", "")?;
            }
        }
        match (trap, lost) {
            (None, None) => {}
            (Some(trap), Some(lost)) if is_expected(*trap, &lost.error) => {}
            (Some(trap), Some(lost)) => mistakes.push(format!("{name}: {trap:?} ended by {}", ending(&lost.error))),
            (Some(trap), None) => mistakes.push(format!("{name}: {trap:?} did not fail")),
            (None, Some(lost)) => mistakes.push(format!("{name}: a good file, ended by {}", ending(&lost.error))),
        }
    }

    mistakes.extend(expected.differences(found).into_iter().map(|difference| format!("good files: {difference}")));

    writeln!(out)?;
    if mistakes.is_empty() {
        writeln!(
            out,
            "The other {} files are right: {} lines, {} bytes, {} different identifiers and the digest\n{} are those of an inline run.",
            expected.totals.files,
            expected.totals.lines,
            expected.totals.bytes,
            expected.identifiers.len(),
            expected.digest(),
        )?;
    } else {
        writeln!(out, "FAILED: the result is not as expected.")?;
        for mistake in &mistakes {
            writeln!(out, "  {mistake}")?;
        }
    }
    out.flush()?;
    Ok(mistakes.is_empty())
}

/// Describes what ended a task. `ErrorKind` has the class, and `worker_death` the details of the system.
fn ending(error: &Error) -> String {
    if let Some(death) = error.worker_death() {
        return match (death.signal(), death.exit_code()) {
            (Some(SIGABRT), _) if ran_out_of_memory(error) => "the memory limit (SIGABRT)".to_owned(),
            (Some(SIGABRT), _) => "SIGABRT".to_owned(),
            (Some(SIGKILL), _) => "the memory limit (SIGKILL)".to_owned(),
            (Some(SIGSEGV), _) => "SIGSEGV".to_owned(),
            (Some(SIGBUS), _) => "SIGBUS".to_owned(),
            (Some(signal), _) => format!("signal {signal}"),
            (None, Some(code)) => format!("exit code {code}"),
            (None, None) => "the death of its worker".to_owned(),
        };
    }
    match error.kind() {
        ErrorKind::TimeLimit => "the time limit".to_owned(),
        ErrorKind::Panicked => "a panic".to_owned(),
        kind => format!("{kind:?}"),
    }
}

fn is_expected(trap: Trap, error: &Error) -> bool {
    let signal = error.worker_death().and_then(|death| death.signal());
    let died_of = |signals: &[i32]| {
        error.kind() == ErrorKind::WorkerDied && signal.is_some_and(|signal| signals.contains(&signal))
    };
    match trap {
        Trap::InvalidWrite => died_of(&[SIGSEGV, SIGBUS]),
        Trap::EndlessLoop => error.kind() == ErrorKind::TimeLimit,
        // Rust's handler turns a fault on the guard page into an abort.
        Trap::EndlessRecursion => died_of(&[SIGSEGV, SIGBUS, SIGABRT]),
        // An allocation fails and the worker aborts, or the system is short of memory and kills it.
        Trap::EndlessAllocation => died_of(&[SIGABRT, SIGKILL]),
        Trap::Abort => died_of(&[SIGABRT]),
        Trap::Exit => error.worker_death().is_some_and(|death| death.exit_code() == Some(EXIT_CODE)),
        Trap::Panic => error.kind() == ErrorKind::Panicked,
    }
}

/// Returns `true` if the worker wrote Rust's message about a failed allocation to its standard error.
fn ran_out_of_memory(error: &Error) -> bool {
    error.worker_death().is_some_and(|death| death.stderr_tail().contains("memory allocation of"))
}
