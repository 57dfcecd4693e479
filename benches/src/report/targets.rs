//! The page `TARGETS.md`: the targets, and whether they are met.

use std::fmt::{self, Write};

use super::Report;
use crate::driver::Verdict;

/// Returns the whole page.
pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    write(&mut page, report).expect("a string takes everything");
    page
}

fn write(page: &mut String, report: &Report) -> fmt::Result {
    let tables = || report.results.iter().flat_map(|results| &results.tables);
    let verdicts = || tables().flat_map(|table| &table.verdicts);
    let met = verdicts().filter(|verdict| verdict.is_met()).count();
    page.push_str(INTRODUCTION);
    let commit = report.facts.iter().find(|fact| fact.name == "commit").map_or("unknown", |fact| &fact.value);
    writeln!(page, "{met} of {} are met, as measured at commit {commit}.\n", verdicts().count())?;
    writeln!(page, "| scenario | pool | target | reached | |\n|---|---|---|---|---|")?;
    for table in tables() {
        for verdict in &table.verdicts {
            let Verdict { subject, target, reached, .. } = verdict;
            writeln!(page, "| {} | {subject} | {target} | {reached} | {} |", table.title, outcome(verdict))?;
        }
    }
    Ok(())
}

const INTRODUCTION: &str = "\
# Targets of speed

Each line compares one of our pools with a peer or with the machine, side by side in one run.
A change after which a target is no longer met needs a reason.

Written by `cargo run --release -p benches --bin compare -- --write`, together with [BENCHMARKS.md](BENCHMARKS.md).
[COSTS.md](COSTS.md) has the counts of instructions and allocations, which do not depend on the load of the machine.

";

fn outcome(verdict: &Verdict) -> String {
    if verdict.is_met() { "met".into() } else { format!("**missed** by a factor of {:.2}", verdict.share) }
}
