//! What is measured, and what is to be reached.

mod echo;
mod first_result;
mod map;
mod nested_spawn;
mod one_at_a_time;
mod python;
mod submit;

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
    /// What is below it.
    pub x: &'static str,
    /// What is beside it.
    pub y: &'static str,
}

/// All of them, in the order of the report.
pub const ALL: &[Scenario] = &[
    submit::SCENARIO,
    one_at_a_time::SCENARIO,
    nested_spawn::SCENARIO,
    map::SCENARIO,
    first_result::SCENARIO,
    echo::SCENARIO,
];
