//! What each attack got, with and without the sandbox.

use crate::exploit::Attack;

/// What an attack got.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Something(String),
    /// Nothing, because of this.
    Nothing(String),
}

/// What was found.
pub struct Report {
    /// How many honest documents there are.
    pub honest: usize,
    /// Whether their results are the same.
    pub is_same: bool,
    /// The attacks, with what they got without the sandbox and in it.
    pub attacks: Vec<(Attack, Got, Got)>,
}

/// Writes the report. Returns `true` if the sandbox was needed, and has held.
pub fn write(report: &Report) -> bool {
    let mut mistakes = Vec::new();
    for (attack, without, within) in &report.attacks {
        println!("{attack:?}");
        println!("  without a sandbox: {}", line(without));
        println!("  in the sandbox:    {}", line(within));
        if matches!(without, Got::Nothing(_)) {
            mistakes.push(format!("{attack:?} got nothing without the sandbox, so nothing is shown"));
        }
        if matches!(within, Got::Something(_)) {
            mistakes.push(format!("{attack:?} got something in the sandbox"));
        }
    }
    if !report.is_same {
        mistakes.push("the honest documents have other results in the sandbox".into());
    }
    println!();
    if mistakes.is_empty() {
        println!("The sandbox held, and the {} honest documents have the same results in it.", report.honest);
    }
    mistakes.iter().for_each(|mistake| println!("FAILED: {mistake}"));
    mistakes.is_empty()
}

fn line(got: &Got) -> String {
    match got {
        Got::Something(loot) => format!("got {loot}"),
        Got::Nothing(cause) => format!("nothing: {}", cause.lines().next().unwrap_or_default()),
    }
}
