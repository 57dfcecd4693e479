//! Tasks of which a few are much longer than the others.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use ::rayon::iter::{IntoParallelIterator, ParallelIterator};
use concurrent_futures::{Error, Executor};

use super::{Scenario, WIDTH};
use crate::{
    Job, Outcome,
    contender::{
        Contender, Role, each_on_threads,
        processes::{Ring, Socket},
        rayon::Rayon,
        threads::{Spawn, Submit},
    },
    driver::{Driver, Side, Table, Target},
    work::{self, Spin},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "uneven",
    title: "uneven work",
    about: "Two thousand tasks, most of about ten microseconds and a few a hundred times as long (a Pareto distribution with \
            a heavy tail, always the same). The ideal is the time of one thread for all of them, divided by the workers. It \
            is also measured while all cores work, because that slows some machines down. Processes also run ten thousand shorter \
            tasks, of 1 us to 5 ms and 29 us on average, beside threads that take the same tasks from one counter.",
    plot: None,
    run,
};

/// Tasks whose lengths have a Pareto distribution.
struct Work {
    tasks: u64,
    /// The rounds of the shortest task.
    shortest: f64,
    /// The longest task as a multiple of the shortest.
    longest: f64,
    /// The exponent. A smaller one makes the tail heavier; below 1.0 only the longest task bounds the mean.
    tail: f64,
}

/// The shortest task takes about ten microseconds.
const LONG: Work = Work { tasks: 2_000, shortest: 6_700.0, longest: 100.0, tail: 1.5 };
/// The shortest task takes about a microsecond, the longest five milliseconds, and the mean is 29 microseconds.
const SHORT: Work = Work { tasks: 10_000, shortest: 670.0, longest: 5_000.0, tail: 0.76 };

const IDEAL: &str = "ideal: the sum on one thread / workers";
const MAP: &str = "threads, map";
const BARE: &str = "bare threads";

fn run(driver: &mut Driver) -> Outcome<()> {
    let rounds = LONG.rounds();
    let tasks = LONG.tasks;
    let table = Table::new(format!("threads: {tasks} uneven tasks"), "us for all")
        .side(ideal(rounds.clone()))
        .side(all_cores(rounds.clone()))
        .sides(each_on_threads!(side(rounds.clone())))?
        .side(map(MAP, Submit::build(WIDTH)?.0, rounds.clone()))
        .side(par_iter(Rayon::build(WIDTH)?, rounds.clone()))
        .target(Target::times(Submit::NAME, 1.05, IDEAL))
        .target(Target::times(Spawn::NAME, 1.05, IDEAL))
        .target(Target::times(MAP, 1.05, IDEAL));
    driver.compare(table)?;
    let table = Table::new(format!("processes: {tasks} uneven tasks"), "us for all")
        .side(ideal(rounds.clone()))
        .side(all_cores(rounds.clone()))
        .sides([side::<Ring>(rounds.clone())])?
        .side(map("processes, ring, map", Ring::build(WIDTH)?.0, rounds))
        .note("the ideal is that of threads: nothing is sent");
    driver.compare(table)?;

    let rounds = SHORT.rounds();
    let table = Table::new(format!("processes: {} uneven tasks of 1 us to 5 ms", SHORT.tasks), "us for all")
        .side(ideal(rounds.clone()))
        .side(bare(rounds.clone()))
        .sides([side::<Submit>(rounds.clone()), side::<Ring>(rounds.clone()), side::<Socket>(rounds)])?
        .target(Target::times(Ring::NAME, 1.1, BARE));
    driver.compare(table)
}

impl Work {
    /// Returns the rounds of each task.
    fn rounds(&self) -> Arc<[u64]> {
        let mut seed = 1;
        let mut next = || {
            seed = work::spin(1, seed);
            let share = (seed >> 11) as f64 / (1_u64 << 53) as f64;
            (self.shortest * (1.0 - share).powf(-1.0 / self.tail).min(self.longest)) as u64
        };
        (0..self.tasks).map(|_| next()).collect()
    }
}

/// Threads that take one task after the other, with nothing between them but a counter.
fn bare(rounds: Arc<[u64]>) -> Side {
    timed(BARE, Role::Floor, rounds, |rounds| {
        let next = AtomicUsize::new(0);
        let take = || {
            let mut sum = 0_u64;
            // ORDERING: the tasks were there before the threads, and the number stands for itself.
            while let Some(rounds) = rounds.get(next.fetch_add(1, Relaxed)) {
                sum = sum.wrapping_add(Spin::run(*rounds));
            }
            sum
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..WIDTH).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).fold(0, u64::wrapping_add)
        })
    })
}

fn side<C: Contender>(rounds: Arc<[u64]>) -> Outcome<Side> {
    let pool = C::build(WIDTH)?;
    Ok(timed(C::NAME, C::ROLE, rounds, move |rounds| {
        let handles: Vec<_> = rounds.iter().map(|rounds| pool.submit::<Spin>(*rounds)).collect();
        handles.into_iter().map(C::collect).fold(0, u64::wrapping_add)
    }))
}

fn map(label: &str, pool: impl Executor + 'static, rounds: Arc<[u64]>) -> Side {
    timed(label, Role::Ours, rounds, move |rounds| {
        let inputs = rounds.to_vec();
        let results = pool.map(Spin::run, inputs).and_then(|map| map.collect::<Result<Vec<u64>, Error>>());
        results.expect("all ran").into_iter().fold(0, u64::wrapping_add)
    })
}

fn par_iter(pool: Rayon, rounds: Arc<[u64]>) -> Side {
    timed("rayon par_iter", Role::Peer, rounds, move |rounds| {
        let inputs = rounds.to_vec();
        let results: Vec<u64> = pool.0.install(|| inputs.into_par_iter().map(Spin::run).collect());
        results.into_iter().fold(0, u64::wrapping_add)
    })
}

fn ideal(rounds: Arc<[u64]>) -> Side {
    let side = timed(IDEAL, Role::Floor, rounds, alone);
    side.scaled(1.0 / WIDTH as f64)
}

/// Runs all tasks on every thread, so that all cores are busy until the slowest thread ends.
fn all_cores(rounds: Arc<[u64]>) -> Side {
    let all = rounds.clone();
    let side = timed("ideal, measured while all cores work", Role::Floor, rounds, move |_| {
        let start = Arc::new(Barrier::new(WIDTH));
        let threads: Vec<_> = (0..WIDTH)
            .map(|_| {
                let (all, start) = (all.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    alone(&all)
                })
            })
            .collect();
        let sums: Vec<u64> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        sums[0]
    });
    side.scaled(1.0 / WIDTH as f64)
}

fn alone(rounds: &[u64]) -> u64 {
    rounds.iter().map(|rounds| Spin::run(*rounds)).fold(0, u64::wrapping_add)
}

fn timed(label: &str, role: Role, rounds: Arc<[u64]>, work: impl Fn(&[u64]) -> u64 + 'static) -> Side {
    let expected = alone(&rounds);
    Side::new(label, role, move || {
        let start = Instant::now();
        let sum = work(&rounds);
        let cost = start.elapsed().as_nanos() as f64 / 1e3;
        assert_eq!(sum, expected, "a contender computed a wrong sum");
        cost
    })
}
