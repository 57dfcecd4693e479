//! Runs scenarios, and prints how everybody compares. `--list` names them.

use std::process::ExitCode;

use benches::{
    Outcome,
    driver::{Driver, Settings, apart},
    machine::{self, heap},
    report::{self, Answer},
    scenario::{self, Scenario},
};
use lexopt::{
    Arg::{Long, Short, Value},
    ValueExt,
};

/// Counts for those processes alone that look at memory.
#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const USAGE: &str = "\
compare [scenario...] [--short] [--turns N] [--write] [--list]

Without a scenario it runs all of them. A scenario is named by the beginning of its name.
  --short    few turns: everything in less than two minutes
  --turns N  so many turns for each side of each table, however long that takes
  --write    writes BENCHMARKS.md and its pictures from what was run
  --list     names the scenarios, and runs none";

fn main() -> ExitCode {
    // A worker of procspawn's is this program, and does not come back from here.
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
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [option, words @ ..] = &words[..]
        && option == apart::OPTION
    {
        machine::prepare()?;
        println!("{}", scenario::probe(words)?);
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
    // Before anything runs, because one of them is what else the machine was doing.
    let facts = machine::facts();
    let mut driver = Driver::new(settings, report::text::table);
    let mut answers = Vec::new();
    for scenario in chosen {
        report::text::scenario(scenario);
        (scenario.run)(&mut driver)?;
        answers.push(Answer { scenario, tables: driver.take() });
    }
    report::text::summary(&answers);
    if write {
        println!("\n{} is written", report::write(&answers, &facts)?);
    }
    Ok(())
}

fn named(beginning: &str) -> Outcome<Vec<&'static Scenario>> {
    let found: Vec<_> = scenario::ALL.iter().filter(|scenario| scenario.name.starts_with(beginning)).collect();
    if found.is_empty() {
        return Err(format!("no scenario begins with {beginning:?}; `--list` names them").into());
    }
    Ok(found)
}
