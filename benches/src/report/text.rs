//! On a terminal, as the tables are ready.

use crate::{
    driver::{Measured, Verdict},
    report::{Answer, figure},
    scenario::Scenario,
};

/// The heading of a scenario.
pub fn scenario(scenario: &Scenario) {
    println!("\n== {}: {}", scenario.name, scenario.title);
}

/// A table, its targets and its notes.
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

/// One line: who, what, whether.
pub fn verdict(verdict: &Verdict) {
    let word = if verdict.is_met() { "met   " } else { "MISSED" };
    println!("  {word} {}: {}; is {}", verdict.subject, verdict.target, verdict.reached);
}

/// All targets in a few lines.
pub fn summary(answers: &[Answer]) {
    let verdicts = || answers.iter().flat_map(|answer| &answer.tables).flat_map(|table| &table.verdicts);
    println!("\n{} of {} targets are met", verdicts().filter(|verdict| verdict.is_met()).count(), verdicts().count());
    for Answer { tables, .. } in answers {
        for table in tables.iter().filter(|table| table.verdicts.iter().any(|verdict| !verdict.is_met())) {
            println!("{}", table.title);
            table.verdicts.iter().filter(|verdict| !verdict.is_met()).for_each(verdict);
        }
    }
}
