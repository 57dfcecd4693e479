//! The page `BENCHMARKS.md`.

use std::fmt::{self, Write};

use super::{Answer, PICTURES, figure};
use crate::{
    contender::Role,
    driver::{Measured, Verdict},
};

/// All of it.
pub(super) fn page(answers: &[Answer], facts: &[(&str, String)]) -> String {
    let mut page = String::new();
    write(&mut page, answers, facts).expect("a string takes everything");
    page
}

fn write(page: &mut String, answers: &[Answer], facts: &[(&str, String)]) -> fmt::Result {
    page.push_str(INTRODUCTION);
    writeln!(page, "## Machine and versions\n\n| | |\n|---|---|")?;
    for (name, value) in facts {
        writeln!(page, "| {name} | {value} |")?;
    }
    targets(page, answers)?;
    for Answer { scenario, tables } in answers {
        writeln!(page, "\n## {}\n\n`compare {}`: {}", capital(scenario.title), scenario.name, scenario.about)?;
        if let Some(plot) = &scenario.plot {
            writeln!(page, "\n![{}]({PICTURES}/{}.svg)", plot.title, scenario.name)?;
        }
        tables.iter().try_for_each(|measured| table(page, measured))?;
    }
    Ok(())
}

const INTRODUCTION: &str = "\
# Benchmarks

Our pools, their peers and the limits of the machine on the same work.
This page is written by a program; `benches/src/scenario` says what each scenario does and what it is to reach.

```sh
cargo run --release -p benches --bin compare -- --write   # this page, five minutes
cargo run --release -p benches --bin compare -- --short   # all scenarios on the terminal, two minutes
cargo run --release -p benches --bin compare -- submit map --turns 15   # some of them
```

How to read it:
the sides of a table take turns in one run, in an order that is shuffled each time, after one turn each that does not count.
A figure is the median of the turns, beside it the quartiles.
Only ratios within a table mean something on another machine.
All pools have two workers if nothing else is said, and their default options.
Bold are the pools of this workspace; in italics are floors, which are no pools but the least that the machine asks for.

";

fn targets(page: &mut String, answers: &[Answer]) -> fmt::Result {
    let all = || answers.iter().flat_map(|answer| &answer.tables).flat_map(|table| &table.verdicts);
    let met = all().filter(|verdict| verdict.is_met()).count();
    writeln!(page, "\n## Targets\n\n{met} of {} are met.\n", all().count())?;
    writeln!(page, "| what | who | target | is | |\n|---|---|---|---|---|")?;
    for table in answers.iter().flat_map(|answer| &answer.tables) {
        for verdict in &table.verdicts {
            let Verdict { subject, target, reached, .. } = verdict;
            writeln!(page, "| {} | {subject} | {target} | {reached} | {} |", table.title, outcome(verdict))?;
        }
    }
    Ok(())
}

fn outcome(verdict: &Verdict) -> String {
    if verdict.is_met() { "met".into() } else { format!("**missed** by a factor of {:.2}", verdict.share) }
}

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
    if !table.verdicts.is_empty() || !table.notes.is_empty() {
        writeln!(page)?;
    }
    for verdict in &table.verdicts {
        let Verdict { subject, target, reached, .. } = verdict;
        writeln!(page, "- {subject}: {target}; is {reached}: {}.", outcome(verdict))?;
    }
    table.notes.iter().try_for_each(|note| writeln!(page, "- {}.", capital(note)))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
