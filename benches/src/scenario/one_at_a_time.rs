//! One task at a time: round trips.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{Bars, Plot, Scenario, WIDTH, python};
use crate::{
    Outcome,
    contender::{
        Contender, Role, each_on_processes, each_on_threads,
        floor::{Futex, SocketPair, Waiting, socketpair},
        processes::{Ring, Socket},
        threads::{Spawn, Submit},
    },
    driver::{Driver, Side, Table, Target, per_task},
    work::AddOne,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "one",
    title: "one at a time",
    about: "One thread submits a task, waits for its result, and continues with the next. In the last table it sleeps for a \
            millisecond before each task, which is not counted, so that every side must be woken.",
    plot: Some(Plot::Bars(Bars {
        title: "time to submit one task and wait for its result (shorter is better)",
        tables: 2,
        nanoseconds: 1.0,
    })),
    run,
};

/// The number of tasks. It is so high that the first few, which must wake threads, have no effect.
const COUNT: u64 = 1000;

/// The number of tasks with a pause before each.
const PAUSED: u64 = 100;
const PAUSE: Duration = Duration::from_millis(1);

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new("threads: one at a time", "ns per task")
        .sides(each_on_threads!(side(WIDTH, COUNT)))?
        .target(Target::best_peer(Submit::NAME, 1.0))
        .target(Target::best_peer(Spawn::NAME, 1.0))
        .note("a pool that spins while it is idle can be faster than one that sleeps: see the scenario `idle`");
    driver.compare(table)?;

    let table = Table::new("processes: one at a time", "ns per task")
        .sides(each_on_processes!(side(WIDTH, COUNT)))?
        .sides([futex(Waiting::Asleep), futex(Waiting::Awake), sockets()])?
        .target(Target::times(Ring::NAME, 1.3, Waiting::Asleep.name()))
        .note("the floor that stays awake needs two free cores, and means nothing on a busy machine");
    driver.compare(python::sides(table, &format!("one {COUNT}"), COUNT))?;

    let mut sleeper = Futex::start(Waiting::Asleep)?;
    let floor = Side::new(Waiting::Asleep.name(), Role::Floor, move || paused(|n| sleeper.add_one(n)));
    let table = Table::new("processes: one at a time, after a pause of 1 ms", "ns per task")
        .sides([paused_side::<Submit>(), paused_side::<Ring>(), paused_side::<Socket>(), Ok(floor)])?
        .target(Target::times(Ring::NAME, 1.2, Waiting::Asleep.name()));
    driver.compare(table)
}

fn paused_side<C: Contender>() -> Outcome<Side> {
    let pool = C::build(WIDTH)?;
    Ok(Side::new(C::NAME, C::ROLE, move || paused(|n| C::collect(pool.submit::<AddOne>(n)))))
}

/// Returns the nanoseconds of a task after a pause.
fn paused(mut add_one: impl FnMut(u64) -> u64) -> f64 {
    let mut cost = Duration::ZERO;
    for n in 0..PAUSED {
        thread::sleep(PAUSE);
        let start = Instant::now();
        let sum = add_one(n);
        cost += start.elapsed();
        assert_eq!(sum, n + 1, "a contender computed a wrong sum");
    }
    cost.as_nanos() as f64 / PAUSED as f64
}

pub(super) fn side<C: Contender>(width: usize, count: u64) -> Outcome<Side> {
    let pool = C::build(width)?;
    Ok(Side::new(C::NAME, C::ROLE, move || {
        per_task(count, || (0..count).map(|n| C::collect(pool.submit::<AddOne>(n))).sum())
    }))
}

fn futex(waiting: Waiting) -> Outcome<Side> {
    let mut futex = Futex::start(waiting)?;
    Ok(Side::new(waiting.name(), Role::Floor, move || per_task(COUNT, || (0..COUNT).map(|n| futex.add_one(n)).sum())))
}

fn sockets() -> Outcome<Side> {
    let mut sockets = SocketPair::start(size_of::<u64>())?;
    Ok(Side::new(socketpair::NAME, Role::Floor, move || sockets.nanoseconds(COUNT) / COUNT as f64))
}
