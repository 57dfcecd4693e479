//! Tasks that are given a shared object.

use concurrent_futures::{Executor, Function, Payload, ProcessPoolExecutor, multiprocessing::Queue};

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::Role,
    driver::{Driver, Side, Table, Target, per_task},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "known",
    title: "tasks with a shared object",
    about: "One thread submits many tasks to a process pool, and then collects all results. Each task is given a queue that \
            its worker knows from a task before, or a text, or two numbers.",
    plot: None,
    run,
};

const COUNT: u64 = 2000;
const QUEUE: &str = "a queue that the worker knows";
const TEXT: &str = "a text of 27 bytes";
const NUMBERS: &str = "two numbers";

fn run(driver: &mut Driver) -> Outcome<()> {
    let queue = Queue::<u64>::unbounded()?;
    let text = "a text of exactly 27 bytes.".to_string();
    let table = Table::new("processes: submit 2000 tasks with an argument, then collect", "ns per task")
        .sides([
            side(QUEUE, queue, |(n, _)| n + 1),
            side(TEXT, text, |(n, _)| n + 1),
            side(NUMBERS, 7, |(n, _)| n + 1),
        ])?
        .target(Target::times(QUEUE, 1.3, TEXT))
        .target(Target::times(QUEUE, 1.5, NUMBERS));
    driver.compare(table)
}

fn side<A: Payload + Clone + Sync>(label: &str, argument: A, work: impl Function<(u64, A), u64>) -> Outcome<Side> {
    let pool = ProcessPoolExecutor::new(WIDTH)?;
    Ok(Side::new(label, Role::Ours, move || {
        per_task(COUNT, || {
            let submit = |n| pool.submit(work, (n, argument.clone())).expect("accepted");
            let futures: Vec<_> = (0..COUNT).map(submit).collect();
            futures.into_iter().map(|future| future.result(None).expect("ran")).sum()
        })
    }))
}
