//! Processes that sleep until there is something for them.

use std::time::Duration;

use concurrent_futures::{Executor, ProcessPoolExecutor, multiprocessing::Queue};

use super::{Scenario, idle};
use crate::{
    Outcome,
    contender::Role,
    driver::{Driver, Side, Table, Target, probe::Probe},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "sleepers",
    title: "processes that wait",
    about: "Processes wait for an item of a queue, which comes after the measurement. Two seconds after they have begun, the \
            processor time of the program and of all of them is counted by the scheduler for ten seconds (three in the short \
            form).",
    plot: None,
    run,
};

const PROCESSES: usize = 64;
/// What all of them may use in ten seconds.
const NEGLIGIBLE: f64 = 10_000.0;
const LABEL: &str = "64 processes in `Queue::get`";

fn run(driver: &mut Driver) -> Outcome<()> {
    let watch = driver.settings().watch.as_secs_f64().to_string();
    let mut probe = Probe::start(&["sleepers", &PROCESSES.to_string(), &watch])?;
    let table = Table::new("waiting for 10 s", "us of processor time")
        .side(Side::new(LABEL, Role::Ours, move || probe.figure()).once())
        .target(Target::cost(LABEL, NEGLIGIBLE, "10 ms"))
        .note("a pool looks once a second at each worker that runs a task, which is a part of the figure");
    driver.compare(table)
}

/// Measures processes that wait. Returns microseconds in ten seconds.
pub(super) fn probe(processes: usize, seconds: f64) -> Outcome<f64> {
    let pool = ProcessPoolExecutor::new(processes)?;
    let (ready, items) = (Queue::unbounded()?, Queue::unbounded()?);
    let wait = |(ready, items): (Queue<()>, Queue<u64>)| {
        ready.put(())?;
        items.get(None)
    };
    let tasks = (0..processes).map(|_| pool.submit(wait, (ready.clone(), items.clone())));
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    for _ in 0..processes {
        ready.get(None)?;
    }
    let used = idle::watched(Duration::from_secs_f64(seconds));
    for item in 0..processes as u64 {
        items.put(item)?;
    }
    let sum: u64 = tasks.into_iter().map(|task| task.result(None)?).sum::<Result<u64, _>>()?;
    assert_eq!(sum, (0..processes as u64).sum::<u64>());
    Ok(used)
}
