//! The scenarios: what is measured, and the targets.

mod awaited;
mod borrowed;
mod count;
mod echo;
mod first_result;
mod footprint;
mod fork_join;
mod four_submitters;
mod fresh;
mod growth;
mod idle;
mod known;
mod latency;
mod locks;
mod map;
mod memory;
mod messages;
mod nested_spawn;
mod objects;
mod one_at_a_time;
mod python;
mod recovery;
mod recursive;
mod scale;
mod shared;
mod sleepers;
mod submit;
mod takeover;
mod there_and_back;
mod uneven;
mod walk;
mod width;

use crate::{Outcome, driver::Driver, list::SCENARIOS};

/// The number of workers of a pool, except where the scenario varies it.
pub const WIDTH: usize = 2;

/// A comparison.
#[derive(Debug)]
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    /// The name in reports.
    pub title: &'static str,
    /// What is measured.
    pub about: &'static str,
    /// The plot, if there is one.
    pub plot: Option<Plot>,
    /// Measures its tables with the driver.
    pub run: fn(&mut Driver) -> Outcome<()>,
}

/// How the figures of a scenario are drawn.
#[derive(Debug)]
pub enum Plot {
    /// A line for each contender.
    Lines(Lines),
    /// A bar for each contender.
    Bars(Bars),
}

impl Plot {
    /// Returns the title.
    pub fn title(&self) -> &'static str {
        match self {
            Plot::Lines(plot) => plot.title,
            Plot::Bars(plot) => plot.title,
        }
    }
}

/// Costs against a parameter.
#[derive(Debug)]
pub struct Lines {
    /// The title.
    pub title: &'static str,
    /// The label of the x axis.
    pub x: &'static str,
    /// The label of the y axis.
    pub y: &'static str,
    /// The base of the logarithm of the x axis.
    pub base: f64,
}

/// Costs of the first tables of a scenario.
#[derive(Debug)]
pub struct Bars {
    /// The title.
    pub title: &'static str,
    /// The number of tables.
    pub tables: usize,
    /// The unit of the tables.
    pub nanoseconds: f64,
}

/// All scenarios, in the order of the report.
pub const ALL: &[Scenario] = &[
    submit::SCENARIO,
    one_at_a_time::SCENARIO,
    four_submitters::SCENARIO,
    nested_spawn::SCENARIO,
    recursive::SCENARIO,
    map::SCENARIO,
    uneven::SCENARIO,
    fork_join::SCENARIO,
    borrowed::SCENARIO,
    walk::SCENARIO,
    growth::SCENARIO,
    scale::SCENARIO,
    latency::SCENARIO,
    awaited::SCENARIO,
    echo::SCENARIO,
    first_result::SCENARIO,
    fresh::SCENARIO,
    recovery::SCENARIO,
    width::SCENARIO,
    count::SCENARIO,
    memory::SCENARIO,
    footprint::SCENARIO,
    idle::SCENARIO,
    messages::SCENARIO,
    there_and_back::SCENARIO,
    locks::SCENARIO,
    known::SCENARIO,
    shared::SCENARIO,
    takeover::SCENARIO,
    sleepers::SCENARIO,
];

const _: () = assert!(are_listed(), "`SCENARIOS` must have the names and titles of `ALL`, in the same order");

const fn are_listed() -> bool {
    let mut at = 0;
    while at < ALL.len() && at < SCENARIOS.len() {
        let (name, title) = SCENARIOS[at];
        if !are_equal(ALL[at].name, name) || !are_equal(ALL[at].title, title) {
            return false;
        }
        at += 1;
    }
    ALL.len() == SCENARIOS.len()
}

/// Compares as `==` does, which a constant cannot use.
const fn are_equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Runs the probe that the arguments name, and returns its figure.
///
/// # Errors
///
/// If there is no such probe.
pub fn probe(arguments: &[String]) -> Outcome<f64> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["idle", name, width, seconds] => idle::probe(name, width.parse()?, seconds.parse()?),
        ["sleepers", processes, seconds] => sleepers::probe(processes.parse()?, seconds.parse()?),
        ["walk", name] => walk::probe(name),
        ["footprint", name] => footprint::probe(name),
        ["memory", name, count] => memory::probe(name, count.parse()?),
        _ => Err(format!("there is no probe {arguments:?}").into()),
    }
}
