//! `FAULTS.md`, which has the table in readable form.

use std::fmt::Write as _;

use executor_core::ErrorKind;

use super::{
    Fault, Place,
    table::{Cell, End, Failure, row},
};

const INTRODUCTION: &str = "\
# What the caller sees when a worker fails

Written by `cargo run --release -p tests --bin faults -- --write`, from the table in `tests/src/faults/table.rs`, after every \
cell was checked on rings and on sockets, with 1, 2 and 5 workers.
A cell is the same for all transports and numbers of workers.

";

const LEGEND: &str = "
| in the table | meaning |
|---|---|
| *kind*, detail | the victim fails with an error of this kind; the detail is the exit code or the signal in `Error::worker_death`. The worker is replaced, unless the victim panicked |
| its result | the victim succeeds, and the worker goes on |
| nothing | no task is lost, and the worker goes on |
| nothing; replaced | no task is lost, and the worker is replaced |
| none or one *kind* | the task that the worker was running fails like this, if there was one; the worker is replaced |
| `Broken`, detail | the pool is broken after a bounded number of starts; every task, waiting or submitted later, fails with this reason |
| waits | tasks wait for the worker without a limit; they can be cancelled, and `CancelPending` and `Terminate` end the pool immediately |

A stack overflow of a thread that a task has started is reported as a bad memory access. Only the thread that runs the tasks \
has a handler that distinguishes the two.

The standard error of an earlier task is not attributed to a later one. \
What a thread writes that a task has left running counts as output of the task that runs, so running out of memory is \
reported as such or as an abort.

The last four faults happen in a sandbox, `Sandbox::compute()`, because nothing else prevents them. \
In the column *contained* it refuses with an error (`Refusal::Error`), which the worker checks: each attempt must fail with \
`EPERM` or `EACCES`. In the others it ends the worker (`Refusal::Kill`), except for what honest libraries try as well: \
opening files and starting processes fail with an error there, too. \
The other faults are in a sandbox in the column *contained* only, and are the same there as anywhere.

In the column *shutdown*, the victim is the task that was running when the pool was closed.
A fault in an exit handler is not reported, and the pool ends. A worker whose exit handlers take more than five \
seconds is killed.
";

const CHECKS: &str = "
## What every cell checks

- The fault is real and happens where the cell says: the worker creates a file when it is there.
- The victim gets what the table says: the kind of the error, the exit code or signal, the worker's process id, \
the task's name, the message that is listed above, and, if the fault happened in the task, the last lines of the worker's standard \
error.
- All other tasks succeed: those before it, those on all other workers, and those that wait behind it.
- Then as many tasks as there are workers run at the same time, on exactly the processes that `worker_pids` returns; the victim's \
worker is among them or not, as the table says.
- A pool that breaks does so after at most 20 starts more than it has workers.
- When the pool is dropped, this process keeps no child, no zombie, no thread, no descriptor and no shared mapping.

## How to run it

| command | what it does |
|---|---|
| `cargo run --release -p tests --bin faults` | runs every cell, on each transport, with 1, 2 and 5 workers; takes some minutes |
| `cargo run --release -p tests --bin faults -- --write` | does the same, and writes this file if every cell passes |
| `cargo run --release -p tests --bin faults -- --fault sigsegv --place decode` | runs some cells; also `--transport ring`, `--workers 2`; each option may be given several times |
| `cargo run --release -p tests --bin faults -- --loud` | shows the standard error of the workers |
| `cargo test -p tests --test faults` | runs the short form: every cell on a ring with 2 workers, and on a socket with 1 |
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

/// Writing to a `String` does not fail, so the results of `write!` are ignored.
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
        "\n## The messages\n\nThe beginnings of the messages, for a task with the name `page 17`, in a pool with the name `parser`, on a worker \
         with the process id 4711. `…` stands for text that depends on the run.\n\n",
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
        let ends_here = failure.kind != ErrorKind::WorkerDied || failure.depends_on_the_run();
        let ends = if ends_here { "" } else { ". The end of its standard error: …" };
        let _ = writeln!(text, "- {}: {}{ends}", head(&failure), failure.message("page 17", "4711", "parser"));
    }
    text.push_str("\nEvery task of a broken pool fails with:\n\n");
    for failure in reasons {
        let _ = writeln!(text, "- `Broken`, {}: {}", detail(&failure), failure.reason("4711", "parser"));
    }
}

fn short(cell: Cell) -> String {
    match cell {
        Cell::Fails(failure) => head(&failure),
        Cell::Arrives => "its result".to_string(),
        Cell::NoLoss => "nothing".to_string(),
        Cell::Replaced => "nothing; replaced".to_string(),
        Cell::MayFail(failure) => format!("none or one {}", head(&failure)),
        Cell::Breaks(failure) => format!("`Broken`, {}", detail(&failure)),
        Cell::Waits => "waits".to_string(),
    }
}

fn head(failure: &Failure) -> String {
    match failure.end {
        End::Unknown => format!("`{:?}`", failure.kind),
        End::Code(_) | End::Signal(..) => format!("`{:?}`, {}", failure.kind, detail(failure)),
    }
}

/// Returns how a worker ended, in a word.
fn detail(failure: &Failure) -> String {
    match failure.end {
        End::Unknown => "panic".to_string(),
        End::Code(code) => format!("code {code}"),
        End::Signal(_, name) => name.to_string(),
    }
}
