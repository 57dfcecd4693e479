//! The table as a document.

use std::fmt::Write as _;

use executor_core::ErrorKind;

use super::{
    Fault, Place,
    table::{Cell, End, Failure, row},
};

const INTRODUCTION: &str = "\
# What the caller sees when a worker fails

Written by `cargo run --release -p tests --bin faults -- --write` from the table in `tests/src/faults/table.rs`, after it made \
every cell happen and checked it, on rings and on sockets, with 1, 2 and 5 workers.
A cell holds for all of these.

";

const LEGEND: &str = "
| in the table | meaning |
|---|---|
| *kind*, detail | the task that meets the fault fails with an error of this kind; the detail is the exit code or the signal in `Error::worker_death`. The worker is replaced, unless the task panicked |
| its result | the task that meets the fault returns its result, and the worker goes on |
| nothing | no task is lost, and the worker goes on |
| nothing; replaced | no task is lost, and the worker is replaced |
| none or one *kind* | the task that the worker was running at that moment, if any, fails like this; the worker is replaced |
| `Broken`, detail | the pool is broken after a bounded number of starts; every task, waiting or submitted later, fails with this reason |
| waits | tasks wait for the worker as long as it takes; they can be cancelled, and `CancelPending` and `Terminate` end the pool immediately |

A stack overflow of a thread that a task has started is reported as a bad memory access, because only the thread that runs the \
tasks is watched for overflows.

What an earlier task wrote to the standard error does not count as the output of a later one, nor for the cause of its death. \
A thread that a task left behind cannot be told apart from the running task: what it writes meanwhile counts as that task's \
output, so a lack of memory in it is reported as out of memory or as an abort.

In the column *shutdown* the task that was running when the pool was closed fails like this.
A fault in an exit handler is not reported, and the pool ends; a worker whose exit handlers take more than five seconds is killed.
";

const CHECKS: &str = "
## What every cell checks

- The fault is real, and happens at the place of the cell: the worker leaves a sign when it is there.
- The task that meets the fault fails as the table says: the kind of the error, the exit code or signal, the worker's process id, \
the task's name, the words of the message that are listed above, and, where the task itself met the fault, the last lines on the \
worker's standard error.
- All other tasks return their results: those before, those on all other workers, and those that wait behind it.
- Afterwards as many tasks as there are workers run concurrently, on exactly the processes that `worker_pids` lists; the worker \
that met the fault is among them or not, as the table says.
- A pool that breaks does so after at most 20 starts more than it has workers.
- When the pool is dropped, nothing is left behind in this process: no child, no zombie, no thread, no descriptor, no shared \
mapping.

## How to run it

| command | what it does |
|---|---|
| `cargo run --release -p tests --bin faults` | every cell, on each transport, with 1, 2 and 5 workers; some minutes |
| `cargo run --release -p tests --bin faults -- --write` | the same, and writes this file if every cell is as expected |
| `cargo run --release -p tests --bin faults -- --fault sigsegv --place decode` | some cells; also `--transport ring`, `--workers 2`; each may be given several times |
| `cargo run --release -p tests --bin faults -- --loud` | also prints what the workers write to their standard error |
| `cargo test -p tests --test faults` | the short form: every cell on a ring with 2 workers, and on a socket with 1 |
";

/// Returns the text of `FAULTS.md`.
pub fn report() -> String {
    let mut text = INTRODUCTION.to_string();
    write_table(&mut text);
    text.push_str(LEGEND);
    write_names(&mut text);
    write_messages(&mut text);
    text.push_str(CHECKS);
    text
}

/// Appends the table. Writing to a `String` does not fail, so the results of `write!` are ignored.
fn write_table(text: &mut String) {
    let names: Vec<&str> = Place::ALL.iter().map(|place| place.name()).collect();
    let _ = writeln!(text, "| | {} |", names.join(" | "));
    let _ = writeln!(text, "|---{}|", "|---".repeat(names.len()));
    for fault in Fault::ALL {
        let cells: Vec<String> = row(fault).iter().map(|cell| short(*cell)).collect();
        let _ = writeln!(text, "| **{}** | {} |", fault.name(), cells.join(" | "));
    }
}

fn write_names(text: &mut String) {
    text.push_str("\n## The faults and the places\n\n| fault | what happens |\n|---|---|\n");
    for fault in Fault::ALL {
        let _ = writeln!(text, "| {} | {} |", fault.name(), fault.describe());
    }
    text.push_str("\n| place | when it happens |\n|---|---|\n");
    for place in Place::ALL {
        let _ = writeln!(text, "| {} | {} |", place.name(), place.describe());
    }
}

fn write_messages(text: &mut String) {
    text.push_str(
        "\n## The messages\n\nThe beginnings of the messages, for a task named `page 17` in a pool named `parser`, on a worker \
         with the process id 4711. Parts that depend on the run are left out (…).\n\n",
    );
    let (mut failures, mut reasons) = (Vec::new(), Vec::new());
    for cell in Fault::ALL.into_iter().flat_map(row) {
        match cell {
            Cell::Fails(failure) | Cell::MayFail(failure) if !failures.contains(&failure) => failures.push(failure),
            Cell::Breaks(failure) if !reasons.contains(&failure) => reasons.push(failure),
            _ => {}
        }
    }
    for failure in failures {
        let ends_here = failure.kind != ErrorKind::WorkerDied || failure.is_told_in_several_ways();
        let ends = if ends_here { "" } else { ". The end of its standard error: …" };
        let _ = writeln!(text, "- {}: {}{ends}", head(&failure), failure.message("page 17", "4711", "parser"));
    }
    text.push_str("\nA broken pool fails every task with:\n\n");
    for failure in reasons {
        let _ = writeln!(text, "- `Broken`, {}: {}", detail(&failure), failure.reason("4711", "parser"));
    }
}

fn short(cell: Cell) -> String {
    match cell {
        Cell::Fails(failure) => head(&failure),
        Cell::Arrives => "its result".to_string(),
        Cell::Unhurt => "nothing".to_string(),
        Cell::Replaced => "nothing; replaced".to_string(),
        Cell::MayFail(failure) => format!("none or one {}", head(&failure)),
        Cell::Breaks(failure) => format!("`Broken`, {}", detail(&failure)),
        Cell::Waits => "waits".to_string(),
    }
}

fn head(failure: &Failure) -> String {
    match failure.end {
        End::Untold => format!("`{:?}`", failure.kind),
        End::Code(_) | End::Signal(..) => format!("`{:?}`, {}", failure.kind, detail(failure)),
    }
}

/// Names what broke a pool.
fn detail(failure: &Failure) -> String {
    match failure.end {
        End::Untold => "panic".to_string(),
        End::Code(code) => format!("code {code}"),
        End::Signal(_, name) => name.to_string(),
    }
}
