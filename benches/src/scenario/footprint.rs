//! The memory of a worker process.

use std::{thread, time::Duration};

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{
        Contender, each_on_processes,
        processes::{Ring, Socket},
        procspawn::Procspawn,
    },
    driver::{Driver, Side, Table, Target, probe::Probe},
    machine::shares,
    work::Blocked,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "footprint",
    title: "memory of a worker process",
    about: "The memory of a program and its workers, each page divided by the processes that share it, with a pool of two \
            workers, and then with another pool of eight. The figure is the difference, divided by eight. All workers have \
            run a task.",
    plot: None,
    run,
};

/// The number of added workers.
const ADDED: usize = 8;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new("an added worker process", "KiB")
        .sides(each_on_processes!(side()))?
        .target(Target::times(Ring::NAME, 1.0, Procspawn::NAME))
        .target(Target::times(Socket::NAME, 1.0, Procspawn::NAME));
    driver.compare(table)
}

fn side<C: Contender>() -> Outcome<Side> {
    let mut probe = Probe::start(&["footprint", C::NAME])?;
    Ok(Side::new(C::NAME, C::ROLE, move || probe.figure()).once())
}

/// Measures a contender in this process. Returns KiB per worker.
pub(super) fn probe(name: &str) -> Outcome<f64> {
    let probes = each_on_processes!(named());
    let (_, measure) = probes.into_iter().find(|(known, _)| *known == name).ok_or("no such contender")?;
    measure()
}

type Measure = fn() -> Outcome<f64>;

fn named<C: Contender>() -> (&'static str, Measure) {
    (C::NAME, measure::<C>)
}

fn measure<C: Contender>() -> Outcome<f64> {
    let few = started::<C>(WIDTH)?;
    let before = shares::total()?;
    let more = started::<C>(ADDED)?;
    let after = shares::total()?;
    drop((few, more));
    Ok((after - before) / ADDED as f64)
}

/// Returns a pool of which every worker has run a task.
fn started<C: Contender>(width: usize) -> Outcome<C> {
    let pool = C::build(width)?;
    let gate = tempfile::NamedTempFile::new()?;
    let path = gate.path().to_str().ok_or("the name of the directory for temporary files is not text")?;
    let blocked: Vec<_> = (0..width).map(|_| pool.submit::<Blocked>(path.to_string())).collect();
    // This is long enough for all workers to start, and to begin their tasks.
    thread::sleep(Duration::from_secs(1));
    gate.close()?;
    let sum: u64 = blocked.into_iter().map(C::collect).sum();
    assert_eq!(sum, 0, "a contender returned a wrong result");
    Ok(pool)
}
