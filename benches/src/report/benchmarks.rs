//! The page `BENCHMARKS.md`.

use std::fmt::{self, Write};

use super::{PLOTS, Report, Results, capital, figure, plot};
use crate::{contender::Role, driver::Measured};

/// Returns the whole page.
pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    write(&mut page, report).expect("a string takes everything");
    page
}

fn write(page: &mut String, report: &Report) -> fmt::Result {
    writeln!(page, "# Benchmarks")?;
    page.push_str(INTRODUCTION);
    writeln!(page, "## Machine and versions\n\n| | |\n|---|---|")?;
    for fact in &report.facts {
        writeln!(page, "| {} | {} |", fact.name, fact.value)?;
    }
    for Results { scenario, tables } in &report.results {
        writeln!(page, "\n## {}\n\n`compare {}`: {}", capital(scenario.title), scenario.name, scenario.about)?;
        plot(page, scenario, PLOTS)?;
        tables.iter().try_for_each(|measured| table(page, measured))?;
    }
    Ok(())
}

const INTRODUCTION: &str = "
[What to expect](docs/performance.md) has the most important figures, and the growth with tasks, data and workers.

Bars of this workspace are blue.
`threads, submit` and `threads, spawn` are the two methods of a `ThreadPoolExecutor` that start a task.
`processes, ring` is a `ProcessPoolExecutor` with shared memory, the default on Linux; `processes, socket` is one with sockets.

This page is written by a program.
`benches/src/scenario` has the scenarios; [TARGETS.md](TARGETS.md) has the targets of development.

```sh
cargo run --release -p benches --bin compare -- --write   # measures, and writes this page; ten minutes
cargo run --release -p benches --bin compare -- --short   # all scenarios on the terminal; three minutes
cargo run --release -p benches --bin compare -- submit map --turns 15   # some of them
cargo run --release -p benches --bin compare -- --draw    # writes this page and its plots from benches/measured.json
```

How to read the tables:
the sides of a table take turns in one run, in an order that is shuffled for each round; a first round does not count.
A figure is the median of the turns, with the quartiles beside it.
Only ratios within a table are meaningful on another machine.
Pools have two workers and their default options, unless a scenario names others.
Pools of this workspace are bold. Floors are in italics: the least work that the machine requires, without a pool.

";

fn table(page: &mut String, table: &Measured) -> fmt::Result {
    let reference = table.reference();
    writeln!(page, "\n### {}\n", capital(&table.title))?;
    writeln!(page, "| | {} | quartiles | turns | ratio to {} |", table.unit, reference.label)?;
    writeln!(page, "|---|---:|---:|---:|---:|")?;
    for row in &table.rows {
        let name = match row.role {
            Role::Ours => format!("**{}**", row.label),
            Role::Peer => row.label.clone(),
            Role::Floor => format!("*{}*", row.label),
        };
        let summary = &row.summary;
        let ratio = figure(summary.median / reference.summary.median);
        let spread = format!("{} to {}", figure(summary.lower), figure(summary.upper));
        writeln!(page, "| {name} | {} | {spread} | {} | {ratio} |", figure(summary.median), summary.turns)?;
    }
    if !table.notes.is_empty() {
        writeln!(page)?;
    }
    table.notes.iter().try_for_each(|note| writeln!(page, "- {}.", capital(note)))
}
