//! Runs scenarios, and prints how our pools compare. `--list` prints the names of the scenarios.

use std::process::ExitCode;

use benches::{
    Outcome,
    driver::{Driver, Settings, probe},
    machine::{self, heap},
    report::{Report, Results, text},
    scenario::{self, Scenario},
};
use lexopt::{
    Arg::{Long, Short, Value},
    ValueExt,
};

/// Counts only in processes that measure memory.
#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const USAGE: &str = "\
compare [scenario...] [--short] [--turns N] [--write] [--draw] [--list]

Without a scenario it runs all. The beginning of a name is enough.
  --short    few turns: all scenarios in less than two minutes
  --turns N  N turns for each side of each table, without a limit of time
  --write    writes BENCHMARKS.md, TARGETS.md and the plots
  --draw     writes them from benches/measured.json, and runs nothing
  --list     prints the names of the scenarios, and runs nothing";

fn main() -> ExitCode {
    // A worker of procspawn runs this program and does not return from here.
    procspawn::init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [option, arguments @ ..] = &arguments[..]
        && option == probe::OPTION
    {
        machine::prepare()?;
        println!("{}", scenario::probe(arguments)?);
        return Ok(());
    }
    let mut settings = Settings::FULL;
    let mut write = false;
    let mut chosen: Vec<&'static Scenario> = Vec::new();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("short") => settings = Settings::SHORT,
            Long("turns") => {
                settings.turns = arguments.value()?.parse()?;
                settings.fewest_turns = settings.turns;
            }
            Long("write") => write = true,
            Long("draw") => return Report::read()?.write(),
            Long("list") => {
                scenario::ALL.iter().for_each(|scenario| println!("{:10} {}", scenario.name, scenario.title));
                return Ok(());
            }
            Long("help") | Short('h') => {
                println!("{USAGE}");
                return Ok(());
            }
            Value(name) => chosen.extend(named(&name.string()?)?),
            other => return Err(other.unexpected().into()),
        }
    }
    if chosen.is_empty() {
        chosen.extend(scenario::ALL);
    }
    if settings.turns == 0 {
        return Err("at least one turn".into());
    }
    machine::prepare()?;
    // Before anything runs, because one of the facts is the load of the machine.
    let facts = machine::facts();
    let mut driver = Driver::new(settings, text::table);
    let mut results = Vec::new();
    for scenario in chosen {
        text::scenario(scenario);
        (scenario.run)(&mut driver)?;
        results.push(Results { scenario, tables: driver.take() });
    }
    text::summary(&results);
    if write {
        Report { facts, results }.write()?;
        println!("\nBENCHMARKS.md, TARGETS.md and the plots are written");
    }
    Ok(())
}

/// Returns the scenarios whose name begins with `beginning`.
fn named(beginning: &str) -> Outcome<Vec<&'static Scenario>> {
    let found: Vec<_> = scenario::ALL.iter().filter(|scenario| scenario.name.starts_with(beginning)).collect();
    if found.is_empty() {
        return Err(format!("no scenario begins with {beginning:?}; `--list` prints their names").into());
    }
    Ok(found)
}
