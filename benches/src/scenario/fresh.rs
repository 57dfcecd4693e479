//! A fresh process for each task.

use std::time::Instant;

use concurrent_futures::{ProcessPoolExecutor, multiprocessing::Process};

use super::{Scenario, objects};
use crate::{
    Outcome,
    contender::{
        Contender, Role,
        cpython::{Cpython, Library},
        floor::exec,
        processes::{Processes, Ring, Socket},
    },
    driver::{Driver, Side, Table, Target, per_task},
    work::AddOne,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "fresh",
    title: "a fresh process for each task",
    about: "A pool of one worker that is replaced after each task (`max_tasks_per_worker(1)`) runs tasks one at a time. The \
            floor starts a program that does nothing, and waits until it ends. A `Process` is spawned and joined.",
    plot: None,
    run,
};

const COUNT: u64 = 10;
const PROCESS: &str = "Process, spawned and joined";

fn run(driver: &mut Driver) -> Outcome<()> {
    let python = Cpython::start(Library::Multiprocessing, 1).map(|mut script| {
        Side::new(Library::Multiprocessing.name(), Role::Peer, move || {
            script.nanoseconds(&format!("fresh {COUNT}")) / COUNT as f64 / 1e3
        })
    });
    let table = Table::new("processes: one task, one process", "us per task")
        .sides([side::<Ring>(), side::<Socket>()])?
        .side(Side::new(exec::NAME, Role::Floor, || {
            let start = Instant::now();
            for _ in 0..COUNT {
                exec::exec();
            }
            start.elapsed().as_nanos() as f64 / COUNT as f64 / 1e3
        }))
        .side(process())
        .optional_side(Library::Multiprocessing.name(), python)
        .target(Target::times(Ring::NAME, 2.0, exec::NAME))
        .target(Target::times(Socket::NAME, 2.0, exec::NAME))
        .target(Target::times(PROCESS, 1.2, Ring::NAME));
    driver.compare(objects::side(table, "multiprocessing.Process", &format!("fresh {COUNT}"), COUNT * 1_000))
}

fn process() -> Side {
    Side::new(PROCESS, Role::Ours, || {
        let start = Instant::now();
        for number in 0..COUNT {
            let process = Process::spawn(|number: u64| number + 1, number).expect("a process");
            assert!(process.join(None), "it has ended");
            assert_eq!(process.result(None).expect("it ran"), number + 1);
        }
        start.elapsed().as_nanos() as f64 / COUNT as f64 / 1e3
    })
}

fn side<C: Processes>() -> Outcome<Side> {
    let builder = ProcessPoolExecutor::builder().max_workers(1).transport(C::TRANSPORT).max_tasks_per_worker(1);
    let pool = C::of(builder.build()?);
    Ok(Side::new(C::NAME, C::ROLE, move || {
        per_task(COUNT, || (0..COUNT).map(|n| C::collect(pool.submit::<AddOne>(n))).sum()) / 1e3
    }))
}
