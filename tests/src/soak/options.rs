//! The command line.

use std::{
    ffi::OsString,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use test_support::scale;

use super::{On, SCENARIOS, Scenario, Unit};

/// The help text.
pub const USAGE: &str = "\
Usage: soak SCENARIO... [--on ring|socket|threads|processes|namespaces] [--seconds N] [--count N] [--seed S] [--short] [--hang-after SECONDS]

  SCENARIO              names from the list, or `all`
  --on BACK-END         run on this back-end only
  --seconds N           length of scenarios that are measured in time
  --count N             length of scenarios that are measured in numbers
  --seed S              seed of all random numbers; it is printed
  --short               short form, unless a length is given
  --hang-after SECONDS  a scenario without progress for this time counts as hung [default: 180]";

/// The parsed command line.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) scenarios: Vec<Scenario>,
    pub(super) on: Option<On>,
    pub(super) seed: u64,
    pub(super) hang_after: Duration,
    seconds: Option<u64>,
    count: Option<u64>,
    short: bool,
}

impl Options {
    /// Parses the command line. It may name no scenario.
    ///
    /// # Errors
    ///
    /// If an argument is invalid.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Options {
            scenarios: Vec::new(),
            on: None,
            seed: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64 % 1_000_000_007),
            hang_after: Duration::from_secs(180),
            seconds: None,
            count: None,
            short: false,
        };
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("on") => options.on = Some(parser.value()?.parse_with(on_of)?),
                Long("seconds") => options.seconds = Some(parser.value()?.parse()?),
                Long("count") => options.count = Some(parser.value()?.parse()?),
                Long("seed") => options.seed = parser.value()?.parse()?,
                Long("hang-after") => options.hang_after = Duration::from_secs(parser.value()?.parse()?),
                Long("short") => options.short = true,
                Value(name) if name == "all" => options.scenarios = SCENARIOS.to_vec(),
                Value(name) => options.scenarios.push(name.parse_with(scenario_of)?),
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(options)
    }

    /// Returns `true` if no scenario was named.
    pub fn is_empty(&self) -> bool {
        self.scenarios.is_empty()
    }

    /// Returns the length of this scenario.
    pub(super) fn amount(&self, scenario: &Scenario) -> u64 {
        let (chosen, short) = match scenario.unit {
            // Slow programs do as much in a longer time.
            Unit::Seconds => (self.seconds, scenario.short * u64::from(scale())),
            Unit::Count(_) => (self.count, scenario.short),
        };
        chosen.unwrap_or(if self.short { short } else { scenario.long }).max(1)
    }
}

fn on_of(name: &str) -> Result<On, String> {
    let all = [On::Ring, On::Socket, On::Threads, On::Processes, On::Namespaces];
    all.into_iter().find(|on| on.to_string() == name).ok_or_else(|| format!("there is no back-end `{name}`"))
}

fn scenario_of(name: &str) -> Result<Scenario, String> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.copied().ok_or_else(|| format!("there is no scenario `{name}`"))
}
