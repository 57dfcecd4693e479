//! Runs scenarios, and prints how our pools compare.

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

/// Does what the command line says.
pub fn run() -> Outcome<()> {
    // A worker of procspawn runs this program and does not return from here.
    procspawn::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [option, arguments @ ..] = &arguments[..]
        && option == probe::OPTION
    {
        machine::prepare()?;
        println!("{}", scenario::probe(arguments)?);
        return Ok(());
    }
    let mut settings = Settings::FULL;
    let (mut write, mut pins) = (false, false);
    let mut chosen: Vec<&'static Scenario> = Vec::new();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("short") => settings = Settings::SHORT,
            Long("turns") => {
                settings.turns = arguments.value()?.parse()?;
                settings.fewest_turns = settings.turns;
            }
            Long("pin") => pins = true,
            Long("write") => write = true,
            Long("draw") => return Report::read()?.write(),
            Long("list") => return crate::print_list(),
            Long("help") | Short('h') => return crate::print_usage(),
            Value(name) => chosen.extend(named(&name.string()?)?),
            other => return Err(other.unexpected().into()),
        }
    }
    if chosen.is_empty() {
        chosen.extend(scenario::ALL);
    }
    settings.pins = pins;
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
        println!("\nBENCHMARKS.md, docs/performance.md, TARGETS.md and the plots are written");
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
