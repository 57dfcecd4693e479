//! Tasks that submit tasks and wait for them.

use std::{pin::Pin, sync::Arc, time::Instant};

use ::futures::executor::block_on;
use async_executor::Executor;
use concurrent_futures::ThreadPoolExecutor;

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{Contender, Role, async_executor::AsyncExecutor, rayon::Rayon, threads::Spawn},
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "recursive",
    title: "recursive submit and wait",
    about: "A task submits two tasks to its own pool and waits for both, which do the same, twelve levels deep: 8190 tasks. \
            In no other pool can a thread wait inside a task for a spawned task, so the peers do what they offer \
            instead: rayon's `join`, which borrows and runs one of the two inline, and tasks that are awaited.",
    plot: None,
    run,
};

const JOIN: &str = "rayon join";
const DEPTH: u32 = 12;
/// The number of tasks: two for each task that is not a leaf.
const TASKS: u64 = (2 << DEPTH) - 2;

fn run(driver: &mut Driver) -> Outcome<()> {
    let spawn = Arc::new(Spawn::build(WIDTH)?.0);
    let rayon = Rayon::build(WIDTH)?;
    let async_executor = AsyncExecutor::build(WIDTH)?;
    let table = Table::new(format!("threads: {TASKS} tasks in a tree"), "ns per task")
        .side(side(Spawn::NAME, Role::Ours, move || {
            let pool = spawn.clone();
            spawn.spawn(move || waited_for(&pool, DEPTH)).and_then(|root| root.result(None)).expect("ran")
        }))
        .side(side(JOIN, Role::Peer, move || rayon.0.install(|| joined(DEPTH))))
        .side(side(AsyncExecutor::NAME, Role::Peer, move || {
            let executor = async_executor.executor.clone();
            block_on(async_executor.executor.spawn(awaited(executor, DEPTH)))
        }))
        .target(Target::times(Spawn::NAME, 10.0, JOIN));
    driver.compare(table)
}

fn side(label: &str, role: Role, leaves: impl Fn() -> u64 + 'static) -> Side {
    Side::new(label, role, move || {
        let start = Instant::now();
        let leaves = leaves();
        let cost = start.elapsed().as_nanos() as f64 / TASKS as f64;
        assert_eq!(leaves, 1 << DEPTH);
        cost
    })
}

fn waited_for(pool: &Arc<ThreadPoolExecutor>, depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let [left, right] = [(); 2].map(|()| {
        let below = pool.clone();
        pool.spawn(move || waited_for(&below, depth - 1)).expect("accepted")
    });
    left.result(None).expect("ran") + right.result(None).expect("ran")
}

fn joined(depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let (left, right) = ::rayon::join(|| joined(depth - 1), || joined(depth - 1));
    left + right
}

fn awaited(executor: Arc<Executor<'static>>, depth: u32) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return 1;
        }
        let left = executor.spawn(awaited(executor.clone(), depth - 1));
        let right = executor.spawn(awaited(executor.clone(), depth - 1));
        left.await + right.await
    })
}
