//! A worker that dies, and its replacement.

use std::time::Instant;

use concurrent_futures::{ErrorKind, Executor};

use super::{Scenario, first_result};
use crate::{
    Job, Outcome,
    contender::{
        Contender, Role,
        floor::exec,
        processes::{Processes, Ring, Socket},
        procspawn::Procspawn,
    },
    driver::{Driver, Side, Table, Target},
    work::{Abort, AddOne},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "recovery",
    title: "recovery after an abort",
    about: "The only worker of a pool gets a task that aborts, and one that adds one to a number. The clock runs from the \
            first `submit` until the second task has its result, which a new worker has computed. The baseline is the start \
            of a worker: a pool of one worker from its build to its first result.",
    plot: None,
    run,
};

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new("processes: abort, and the next result", "us")
        .sides([side::<Ring>(), side::<Socket>(), procspawn()])?
        .side(start::<Ring>()?)
        .side(start::<Socket>()?)
        .side(Side::new(exec::NAME, Role::Floor, || exec::exec() / 1e3))
        .target(Target::times(Ring::NAME, 3.0, label::<Ring>()))
        .target(Target::times(Socket::NAME, 3.0, label::<Socket>()));
    driver.compare(table)
}

fn label<C: Contender>() -> String {
    format!("start: {}", C::NAME)
}

fn start<C: Contender>() -> Outcome<Side> {
    Ok(first_result::side::<C>(1)?.renamed(label::<C>()))
}

fn side<C: Processes>() -> Outcome<Side> {
    let pool = C::build(1)?;
    Ok(Side::new(C::NAME, C::ROLE, move || {
        let start = Instant::now();
        let lost = Executor::submit(&*pool, Abort::run, 0).expect("accepted");
        let next = Executor::submit(&*pool, AddOne::run, 1).expect("accepted");
        let error = lost.result(None).expect_err("aborted");
        let result = next.result(None).expect("ran");
        let cost = start.elapsed().as_nanos() as f64 / 1e3;
        assert_eq!((error.kind(), result), (ErrorKind::WorkerDied, 2));
        cost
    }))
}

fn procspawn() -> Outcome<Side> {
    let pool = Procspawn::build(1)?;
    Ok(Side::new(Procspawn::NAME, Procspawn::ROLE, move || {
        let start = Instant::now();
        let lost = pool.submit::<Abort>(0);
        let next = pool.submit::<AddOne>(1);
        // They are collected in this order, because a worker of procspawn waits until its last result is collected.
        let error = lost.join().expect_err("aborted");
        let result = Procspawn::collect(next);
        let cost = start.elapsed().as_nanos() as f64 / 1e3;
        assert!(error.is_remote_close() && result == 2, "{error}");
        cost
    }))
}
