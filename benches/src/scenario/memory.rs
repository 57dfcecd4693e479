//! The memory of tasks that wait to run.

use std::{thread, time::Duration};

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{
        Contender, each_on_processes, each_on_threads,
        processes::{Ring, Socket},
        procspawn,
        threads::{Spawn, Submit},
    },
    driver::{Driver, Side, Table, Target, probe::Probe},
    machine::heap,
    work::{AddOne, Blocked},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "memory",
    title: "memory per pending task",
    about: "All workers are kept busy, and many tasks with a number as their argument are submitted. The figure is the memory \
            that the program has allocated and not freed, divided by the tasks; it includes the handles and the vector that \
            holds them. The memory of worker processes is not counted.",
    plot: None,
    run,
};

const MANY: u64 = 100_000;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new(format!("threads: {MANY} pending tasks"), "bytes per task")
        .sides(each_on_threads!(side(MANY)))?
        .target(Target::cost(Submit::NAME, 112.0, "112 bytes"))
        .target(Target::cost(Spawn::NAME, 112.0, "112 bytes"));
    driver.compare(table)?;

    let few = procspawn::MAX_PENDING;
    let allowed = (300 + size_of::<u64>()) as f64;
    let table = Table::new(format!("processes: {few} pending tasks"), "bytes per task")
        .sides(each_on_processes!(side(few)))?
        .target(Target::cost(Ring::NAME, allowed, "300 bytes and the 8 of the argument"))
        .target(Target::cost(Socket::NAME, allowed, "300 bytes and the 8 of the argument"));
    driver.compare(table)?;

    let table = Table::new(format!("processes: {MANY} pending tasks"), "bytes per task")
        .sides([side::<Ring>(MANY), side::<Socket>(MANY)])?
        .target(Target::cost(Ring::NAME, allowed, "300 bytes and the 8 of the argument"))
        .target(Target::cost(Socket::NAME, allowed, "300 bytes and the 8 of the argument"));
    driver.compare(table)
}

fn side<C: Contender>(count: u64) -> Outcome<Side> {
    let mut probe = Probe::start(&["memory", C::NAME, &count.to_string()])?;
    Ok(Side::new(C::NAME, C::ROLE, move || probe.figure()).once())
}

/// Measures a contender in this process. Returns bytes per task.
pub(super) fn probe(name: &str, count: u64) -> Outcome<f64> {
    let probes = each_on_threads!(named()).into_iter().chain(each_on_processes!(named()));
    let (_, measure) = probes.into_iter().find(|(known, _)| *known == name).ok_or("no such contender")?;
    measure(count)
}

type Measure = fn(u64) -> Outcome<f64>;

fn named<C: Contender>() -> (&'static str, Measure) {
    (C::NAME, measure::<C>)
}

fn measure<C: Contender>(count: u64) -> Outcome<f64> {
    let pool = C::build(WIDTH)?;
    let gate = tempfile::NamedTempFile::new()?;
    let path = gate.path().to_str().ok_or("the name of the directory for temporary files is not text")?;
    let blocked: Vec<_> = (0..WIDTH).map(|_| pool.submit::<Blocked>(path.to_string())).collect();
    // The first waiting task causes allocations that happen only once, which must not count.
    let mut handles = vec![pool.submit::<AddOne>(0)];
    thread::sleep(Duration::from_millis(200));
    heap::count();
    handles.extend((1..count).map(|n| pool.submit::<AddOne>(n)));
    // This is long enough for the pool to send all tasks that it can send.
    thread::sleep(Duration::from_millis(200));
    let bytes = heap::alive();
    gate.close()?;
    // They are collected in the order of submission, because a worker of procspawn waits until its last result is
    // collected.
    let sum: u64 = blocked.into_iter().map(C::collect).chain(handles.into_iter().map(C::collect)).sum();
    assert_eq!(sum, (1..=count).sum::<u64>());
    Ok(bytes as f64 / count as f64)
}
