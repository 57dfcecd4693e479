//! A task that spawns many others and drops their handles.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use ::futures::executor::block_on;
use concurrent_futures::Executor;

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{
        Contender, Role, async_executor::AsyncExecutor, rayon::Rayon, rusty_pool::RustyPool, threadpool::ThreadPool,
        threads::Spawn, threads::Submit, tokio::Tokio,
    },
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "nested",
    title: "nested spawn",
    about: "A task of the pool spawns many tasks into its own pool and drops their handles. Each adds one \
            to a counter of its thread; the clock stops when the counters add up.",
    plot: None,
    run,
};

const COUNT: u64 = 100_000;

/// The name of rayon's side, which needs no channel because there is no result.
const RAYON: &str = "rayon spawn";

fn run(driver: &mut Driver) -> Outcome<()> {
    let submit = Arc::new(Submit::build(WIDTH)?);
    let spawn = Arc::new(Spawn::build(WIDTH)?);
    let rayon = Rayon::build(WIDTH)?;
    let async_executor = AsyncExecutor::build(WIDTH)?;
    let tokio = Tokio::build(WIDTH)?;
    let threadpool = ThreadPool::build(WIDTH)?;
    let rusty_pool = RustyPool::build(WIDTH)?;

    let table = Table::new(format!("threads: a task spawns {COUNT}"), "ns per task")
        .side(side(Submit::NAME, Role::Ours, move || {
            let pool = submit.clone();
            let root = submit.spawn(move || {
                for _ in 0..COUNT {
                    drop(Executor::submit(&pool.0, |()| count(), ()).expect("accepted"));
                }
            });
            root.expect("accepted").result(None).expect("ran");
        }))
        .side(side(Spawn::NAME, Role::Ours, move || {
            let pool = spawn.clone();
            let root = spawn.spawn(move || {
                for _ in 0..COUNT {
                    drop(pool.spawn(count).expect("accepted"));
                }
            });
            root.expect("accepted").result(None).expect("ran");
        }))
        .side(side(RAYON, Role::Peer, move || {
            rayon.0.install(|| (0..COUNT).for_each(|_| ::rayon::spawn(count)));
        }))
        .side(side(AsyncExecutor::NAME, Role::Peer, move || {
            let executor = async_executor.executor.clone();
            block_on(async_executor.executor.spawn(async move {
                for _ in 0..COUNT {
                    executor.spawn(async { count() }).detach();
                }
            }));
        }))
        .side(side(Tokio::NAME, Role::Peer, move || {
            let handle = tokio.0.handle().clone();
            let root = tokio.0.spawn_blocking(move || (0..COUNT).for_each(|_| drop(handle.spawn_blocking(count))));
            block_on(root).expect("ran");
        }))
        .side(side("threadpool", Role::Peer, move || {
            let pool = threadpool.0.clone();
            threadpool.0.execute(move || (0..COUNT).for_each(|_| pool.execute(count)));
        }))
        .side(side("rusty_pool execute", Role::Peer, move || {
            let pool = rusty_pool.0.clone();
            rusty_pool.0.execute(move || (0..COUNT).for_each(|_| pool.execute(count)));
        }))
        .target(Target::times(Submit::NAME, 1.5, RAYON))
        .target(Target::times(Spawn::NAME, 1.5, RAYON))
        .note("no result is collected; our handles would give access to one, rayon's `spawn` has no handle");
    driver.compare(table)
}

/// Creates a side. The clock runs from the start of the first task until the sum of the counters is the number of
/// tasks. They are read every 50 microseconds, which is little compared with the time of all tasks.
fn side(label: &str, role: Role, spawn_all: impl Fn() + 'static) -> Side {
    Side::new(label, role, move || {
        let before = counted();
        let start = Instant::now();
        spawn_all();
        while counted() - before < COUNT {
            thread::sleep(Duration::from_micros(50));
        }
        start.elapsed().as_nanos() as f64 / COUNT as f64
    })
}

/// The number of tasks that have run, by thread. Contention for a single counter would cost more than a spawn.
static COUNTS: [Count; 64] = [const { Count(AtomicU64::new(0)) }; 64];

/// Has two cache lines to itself.
#[repr(align(128))]
struct Count(AtomicU64);

thread_local! {
    static MINE: Cell<Option<&'static Count>> = const { Cell::new(None) };
}

/// The work of each task.
fn count() {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    let mine = MINE.get().unwrap_or_else(|| {
        // ORDERING: the counter must only return different numbers.
        let mine = &COUNTS[THREADS.fetch_add(1, Relaxed) % COUNTS.len()];
        MINE.set(Some(mine));
        mine
    });
    // ORDERING: no other memory depends on the count. It is an atomic addition because two threads may share a counter.
    mine.0.fetch_add(1, Relaxed);
}

fn counted() -> u64 {
    COUNTS.iter().map(|count| count.0.load(Relaxed)).sum()
}
