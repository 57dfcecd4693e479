//! What is measured, and what is to be reached.

mod awaited;
mod count;
mod echo;
mod first_result;
mod four_submitters;
mod fresh;
mod idle;
mod map;
mod memory;
mod nested_spawn;
mod one_at_a_time;
mod python;
mod recovery;
mod recursive;
mod submit;
mod uneven;
mod width;

use crate::{Outcome, driver::Driver};

/// How many workers a pool has where the width is not what is looked at.
pub const WIDTH: usize = 2;

/// A question, and how it is answered.
#[derive(Debug)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is called in reports.
    pub title: &'static str,
    /// What is measured, for the report.
    pub about: &'static str,
    /// The picture of it, if there is one.
    pub plot: Option<Plot>,
    /// Gives its tables to the driver.
    pub run: fn(&mut Driver) -> Outcome<()>,
}

/// Cost against something, with a line for each contender.
#[derive(Debug)]
pub struct Plot {
    /// What is above it.
    pub title: &'static str,
    /// What is below it.
    pub x: &'static str,
    /// What is beside it.
    pub y: &'static str,
    /// The places below it that are marked are powers of this.
    pub base: f64,
}

/// All of them, in the order of the report.
pub const ALL: &[Scenario] = &[
    submit::SCENARIO,
    one_at_a_time::SCENARIO,
    four_submitters::SCENARIO,
    nested_spawn::SCENARIO,
    recursive::SCENARIO,
    map::SCENARIO,
    uneven::SCENARIO,
    awaited::SCENARIO,
    echo::SCENARIO,
    first_result::SCENARIO,
    fresh::SCENARIO,
    recovery::SCENARIO,
    width::SCENARIO,
    count::SCENARIO,
    memory::SCENARIO,
    idle::SCENARIO,
];

/// What this program does when it was started by itself as a probe: answers the one number that it is asked for.
///
/// # Errors
///
/// If nobody knows that probe.
pub fn probe(words: &[String]) -> Outcome<f64> {
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["idle", name, width, seconds] => idle::probe(name, width.parse()?, seconds.parse()?),
        ["memory", name, count] => memory::probe(name, count.parse()?),
        _ => Err(format!("nobody knows the probe {words:?}").into()),
    }
}
