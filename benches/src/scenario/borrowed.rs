//! A closure that borrows, over a slice that is borrowed.

use std::{hint::black_box, time::Instant};

use ::rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{Contender, Role, rayon::Rayon, threads::Spawn},
    driver::{Driver, Side, Table, Target},
    work::short,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "borrowed",
    title: "borrowed map over a slice",
    about: "A function that borrows a number of its caller, over a slice of a million numbers, all results in order in a \
            vector: `Scope::map` here, `par_iter().map().collect()` in rayon. The function takes about twenty nanoseconds in \
            the first table, and one in the second.",
    plot: None,
    run,
};

const COUNT: usize = 1_000_000;
const OURS: &str = "threads, Scope::map";
const PAR_ITER: &str = "rayon par_iter().map().collect()";

fn run(driver: &mut Driver) -> Outcome<()> {
    driver.compare(table("threads: a million borrowed items, 20 ns each", |n, key| short(n ^ key))?)?;
    driver.compare(table("threads: a million borrowed items, one addition each", |n, key| n.wrapping_add(key))?)
}

fn table<F: Fn(u64, u64) -> u64 + Copy + Send + Sync + 'static>(title: &str, work: F) -> Outcome<Table> {
    let spawn = Spawn::build(WIDTH)?;
    let rayon = Rayon::build(WIDTH)?;
    Ok(Table::new(title, "ns per item")
        .side(side(OURS, Role::Ours, work, move |items, key| spawn.scope(|scope| scope.map(items, |n| work(*n, *key)))))
        .side(side(PAR_ITER, Role::Peer, work, move |items, key| {
            rayon.0.install(|| items.par_iter().map(|n| work(*n, *key)).collect())
        }))
        .side(side("one thread, iter().map().collect()", Role::Floor, work, move |items, key| {
            items.iter().map(|n| work(*n, *key)).collect()
        }))
        .target(Target::times(OURS, 1.0, PAR_ITER)))
}

fn side(
    label: &str,
    role: Role,
    work: impl Fn(u64, u64) -> u64 + 'static,
    map: impl Fn(&[u64], &u64) -> Vec<u64> + 'static,
) -> Side {
    let items: Vec<u64> = (0..COUNT as u64).collect();
    Side::new(label, role, move || {
        let key = black_box(7);
        let start = Instant::now();
        let results = map(&items, &key);
        let cost = start.elapsed().as_nanos() as f64 / COUNT as f64;
        assert_eq!(results.len(), COUNT);
        // Checking all would double the work.
        for n in (0..COUNT).step_by(999) {
            assert_eq!(results[n], work(n as u64, key), "a contender computed a wrong result");
        }
        cost
    })
}
