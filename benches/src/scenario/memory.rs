//! What a task costs that waits to be run.

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
    driver::{Driver, Side, Table, Target, apart::Apart},
    machine::heap,
    work::{AddOne, Blocked},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "memory",
    title: "memory per pending task",
    about: "All workers are kept busy, and many tasks with a number as their argument are submitted. What is shown is what \
            the program's allocator was asked for and has not got back, the handles and the places that they are kept in \
            included, for each task. The memory of worker processes is not counted.",
    plot: None,
    run,
};

const MANY: u64 = 100_000;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new(format!("threads: {MANY} pending tasks"), "bytes per task")
        .sides(each_on_threads!(side(MANY)))?
        .target(Target::cost(Submit::NAME, 200.0, "200 bytes"))
        .target(Target::cost(Spawn::NAME, 200.0, "200 bytes"));
    driver.compare(table)?;

    let few = procspawn::MOST_AT_ONCE;
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
    let mut probe = Apart::start(&["memory", C::NAME, &count.to_string()])?;
    Ok(Side::new(C::NAME, C::ROLE, move || probe.figure()).once())
}

/// In a process of its own: answers bytes per task.
pub(super) fn probe(name: &str, count: u64) -> Outcome<f64> {
    let probes = each_on_threads!(named()).into_iter().chain(each_on_processes!(named()));
    let (_, weigh) = probes.into_iter().find(|(known, _)| *known == name).ok_or("no such contender")?;
    weigh(count)
}

type Weigh = fn(u64) -> Outcome<f64>;

fn named<C: Contender>() -> (&'static str, Weigh) {
    (C::NAME, weigh::<C>)
}

fn weigh<C: Contender>(count: u64) -> Outcome<f64> {
    let pool = C::build(WIDTH)?;
    let gate = tempfile::NamedTempFile::new()?;
    let path = gate.path().to_str().ok_or("the directory for temporary files has a name that is no text")?;
    let blocked: Vec<_> = (0..WIDTH).map(|_| pool.submit::<Blocked>(path.to_string())).collect();
    // What is made once, with the first tasks that wait, is no part of a task.
    let mut handles = vec![pool.submit::<AddOne>(0)];
    thread::sleep(Duration::from_millis(200));
    heap::count();
    handles.extend((1..count).map(|n| pool.submit::<AddOne>(n)));
    // Until what travels has arrived where it can.
    thread::sleep(Duration::from_millis(200));
    let bytes = heap::alive();
    gate.close()?;
    // In the order of the submits: procspawn's workers wait until a result is collected before they go on.
    let sum: u64 = blocked.into_iter().map(C::collect).chain(handles.into_iter().map(C::collect)).sum();
    assert_eq!(sum, (1..=count).sum::<u64>());
    Ok(bytes as f64 / count as f64)
}
