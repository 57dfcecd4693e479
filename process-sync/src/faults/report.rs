//! `FAULTS.md`, which has the table in readable form.

use std::fmt::Write as _;

use super::{
    rows,
    table::{At, Cell, How, Left, Row, Who},
};

const INTRODUCTION: &str = "\
# What others find when a process that uses a shared object fails

Written by `FAULTS=write cargo test --release -p concurrent-futures-sync --lib faults`, from the table in `src/faults`, after every \
cell was made to happen.
The processes are real, and stop at exactly the place that the column names.
[`FAULTS.md` of the workspace](../FAULTS.md) has the faults of workers and what the caller of a task sees of them.

A row is an object and what a process does with it.
A cell is what the other processes find if this one dies there: by `SIGKILL`, by `abort`, by `exit(0)`, or by `SIGKILL` after it \
has forked a child that lives.

";

const LEGEND: &str = "
| in the table | meaning |
|---|---|
| before | the object is as if the process had done nothing: the item is there or was not put, the lock is free, the permit is back |
| after | what the process did counts: the item is in the queue, or is gone with the process that took it |
| abandoned | the others are told: a lock is `Abandoned` until someone recovers it, `JoinableQueue::join` says how many items are lost, a \
barrier is broken |
| a number | it cannot happen, for the reason below |

In every case the others go on, nothing is there twice or torn, and nothing of the dead process is left: the test counts descriptors, \
children and mappings of shared memory before and after each cell.

";

const FAULTS: &str = "
## The faults

| fault | what happens | what it leaves |
|---|---|---|
| sigkill, abort, exit-0 | the process dies there | the table |
| fork | it forks, and is killed; the child lives | the table: a child does not keep its parent alive |
| closes-descriptors | it closes all of its descriptors, and lives | the table: the others take it for dead. It must not go on, and in a \
pool it does not, because the end of its link ends it |
| sigstop | it is stopped, and continued later | what it leaves if nothing happens. Others that need what it has wait meanwhile |
| no-descriptors | it can open no descriptor from then on | the same, except where it needs one: then it has an error that says \
\"raise the limit of descriptors\", and a queue is as before |
| panic | the user's code panics, and the process lives | a lock is released and not abandoned, a permit is back, a value is unchanged, an \
item that was taken is gone. Elsewhere it cannot happen: no code of the user runs there, and that of the library does not panic |

A shared value and a shared slice are constant, so no fault of a process changes what others read of them.

A message of a pipe that has descriptors, as every long message has, is lost if its receiver finds none for them, with the same error.

## A worker with handles under way

A worker of a pool receives the descriptors of an object ahead of the task that has it. The tests are in `tests/it/under_way.rs`.

| the worker | what follows |
|---|---|
| is killed or aborts when it was sent descriptors and has not read the frame that announces them | the task has not started, so it runs \
in the next worker, which is sent the object again; no descriptor is left |
| is stopped there, and continued | the task runs |
| was sent both, and the task is withdrawn | the cancelled task does not run, and the next task with the object finds it, in this worker \
or, if this one dies, in the next |
| exits, forks, closes its descriptors or panics there | cannot happen: none of its code runs before it reads the frame |
| can open no more descriptors | the task fails with \"raise the limit of descriptors\", the worker goes on, and the descriptors are sent \
again with the next task |

## How to run it

| command | what it does |
|---|---|
| `cargo test -p concurrent-futures-sync --lib faults` | the short form: `SIGKILL` in every cell, and the other faults in every eleventh |
| `FAULTS=all cargo test --release -p concurrent-futures-sync --lib faults -- --nocapture` | all cells, in a minute |
| `FAULTS=\"sigstop barrier\" …` | the cells whose name has all of these words |
";

/// Returns the text of `FAULTS.md`.
pub(super) fn report() -> String {
    let mut text = INTRODUCTION.to_string();
    let mut reasons = Vec::new();
    // Writing to a `String` does not fail.
    let columns: Vec<&str> = At::ALL.iter().map(|at| at.name()).collect();
    let _ = writeln!(text, "| object | process | {} |", columns.join(" | "));
    let _ = writeln!(text, "|---|---{}|", "|---".repeat(columns.len()));
    for row in rows::all() {
        let cells: Vec<String> = row.death.iter().map(|cell| short(*cell, &mut reasons)).collect();
        let _ = writeln!(text, "| {} | {} {} | {} |", row.object, who(row), row.does, cells.join(" | "));
    }
    text.push_str(LEGEND);
    for (number, reason) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {reason}", number + 1);
    }
    text.push_str(FAULTS);
    let count = rows::all().into_iter().map(count).sum::<usize>();
    let _ = writeln!(text, "\nThere are {} rows, and {count} cells that can happen.", rows::all().len());
    text
}

fn count(row: &Row) -> usize {
    let cells = At::ALL.iter().flat_map(|at| How::ALL.map(|how| row.expected(how, *at)));
    cells.filter(|cell| matches!(cell, Cell::Leaves(_))).count()
}

fn who(row: &Row) -> &'static str {
    match row.who {
        Who::Producer => "a producer",
        Who::Consumer => "a consumer",
        Who::Holder => "a holder",
        Who::Waiter => "a waiter",
        Who::WokenWaiter => "a woken waiter",
        Who::Recoverer => "a recoverer",
        Who::Parent => "its maker",
    }
}

fn short(cell: Cell, reasons: &mut Vec<&'static str>) -> String {
    match cell {
        Cell::Leaves(Left::Before) => "before".to_string(),
        Cell::Leaves(Left::After | Left::Done) => "after".to_string(),
        Cell::Leaves(Left::Abandoned) => "abandoned".to_string(),
        Cell::Never(reason) => {
            let known = reasons.iter().position(|known| *known == reason);
            let number = known.unwrap_or_else(|| {
                reasons.push(reason);
                reasons.len() - 1
            });
            format!("{}", number + 1)
        }
    }
}
