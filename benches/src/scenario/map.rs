//! A short function over a million numbers.

use std::time::Instant;

use ::rayon::iter::{IntoParallelIterator, ParallelIterator};
use concurrent_futures::{Error, Executor};

use super::{Scenario, WIDTH, python};
use crate::{
    Outcome,
    contender::{
        Contender, Role,
        cpython::Library,
        processes::{Ring, Socket},
        rayon::Rayon,
        threads::Submit,
    },
    driver::{Driver, Side, Table, Target},
    work::short,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "map",
    title: "`map` of a million",
    about: "`map` with its default options over a million numbers, all results collected in order into a vector. On threads \
            the function takes about twenty nanoseconds; on processes it adds one, as the one in Python does.",
    plot: None,
    run,
};

const COUNT: u64 = 1_000_000;
const PAR_ITER: &str = "rayon par_iter().map().collect()";

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new("threads: `map` of a million functions of 20 ns", "ns per item")
        .side(ours(Submit::NAME, Submit::build(WIDTH)?.0, short))
        .side(rayon(Rayon::build(WIDTH)?, short))
        .side(alone(short))
        .target(Target::times(Submit::NAME, 1.05, PAR_ITER));
    driver.compare(table)?;

    let table = Table::new("processes: `map` of a million, n + 1", "ns per item")
        .side(ours(Ring::NAME, Ring::build(WIDTH)?.0, |n| n + 1))
        .side(ours(Socket::NAME, Socket::build(WIDTH)?.0, |n| n + 1))
        .side(ours(Submit::NAME, Submit::build(WIDTH)?.0, |n| n + 1))
        .target(Target::times(Ring::NAME, 0.05, Library::Multiprocessing.name()))
        .note("Python's pools have chunks of 256 items, ours choose the size");
    driver.compare(python::sides(table, &format!("map {COUNT} 256"), COUNT))?;

    let table = Table::new("processes: `map` of a million functions of 20 ns", "ns per item")
        .side(ours(Ring::NAME, Ring::build(WIDTH)?.0, short))
        .side(ours(Socket::NAME, Socket::build(WIDTH)?.0, short))
        .side(rayon(Rayon::build(WIDTH)?, short));
    driver.compare(table)
}

fn ours<F>(label: &str, pool: impl Executor + 'static, function: F) -> Side
where
    F: Fn(u64) -> u64 + Copy + Send + 'static,
{
    Side::new(label, Role::Ours, move || {
        per_item(function, || {
            let results = pool.map(function, 0..COUNT).expect("accepted");
            results.collect::<Result<Vec<u64>, Error>>().expect("all ran")
        })
    })
}

fn rayon<F>(pool: Rayon, function: F) -> Side
where
    F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
{
    Side::new(PAR_ITER, Role::Peer, move || {
        per_item(function, || pool.0.install(|| (0..COUNT).into_par_iter().map(function).collect()))
    })
}

fn alone(function: fn(u64) -> u64) -> Side {
    Side::new("one thread, iter().map().collect()", Role::Floor, move || {
        per_item(function, || (0..COUNT).map(function).collect())
    })
}

/// Runs the work, and checks one of every thousand results. Checking all would double the work.
fn per_item(function: impl Fn(u64) -> u64, work: impl FnOnce() -> Vec<u64>) -> f64 {
    let start = Instant::now();
    let results = work();
    let cost = start.elapsed().as_nanos() as f64 / COUNT as f64;
    assert_eq!(results.len() as u64, COUNT);
    for n in (0..COUNT).step_by(999) {
        assert_eq!(results[n as usize], function(n), "a contender computed a wrong result");
    }
    cost
}
