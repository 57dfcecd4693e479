//! Reports on a terminal, table by table.

use crate::{
    driver::{Measured, Verdict},
    report::{Results, figure},
    scenario::Scenario,
};

/// Prints the heading of a scenario.
pub fn scenario(scenario: &Scenario) {
    println!("\n== {}: {}", scenario.name, scenario.title);
}

/// Prints a table, its targets and its notes.
pub fn table(table: &Measured) {
    let reference = table.reference();
    let width = table.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
    println!("\n{} ({}; median, quartiles, turns, ratio to {})", table.title, table.unit, reference.label);
    for row in &table.rows {
        let summary = &row.summary;
        let spread = format!("{} to {}", figure(summary.lower), figure(summary.upper));
        println!(
            "  {:width$}  {:>10}  {spread:>22}  {:>3}  {:>9}",
            row.label,
            figure(summary.median),
            summary.turns,
            figure(summary.median / reference.summary.median),
        );
    }
    table.verdicts.iter().for_each(verdict);
    table.notes.iter().for_each(|note| println!("  note: {note}"));
}

/// Prints a verdict in one line.
pub fn verdict(verdict: &Verdict) {
    let word = if verdict.is_met() { "met   " } else { "MISSED" };
    println!("  {word} {}: {}; is {}", verdict.subject, verdict.target, verdict.reached);
}

/// Prints how many targets were met, and those that were missed.
pub fn summary(results: &[Results]) {
    let verdicts = || results.iter().flat_map(|results| &results.tables).flat_map(|table| &table.verdicts);
    println!("\n{} of {} targets are met", verdicts().filter(|verdict| verdict.is_met()).count(), verdicts().count());
    for Results { tables, .. } in results {
        for table in tables.iter().filter(|table| table.verdicts.iter().any(|verdict| !verdict.is_met())) {
            println!("{}", table.title);
            table.verdicts.iter().filter(|verdict| !verdict.is_met()).for_each(verdict);
        }
    }
}
