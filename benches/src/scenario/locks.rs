//! Locks, alone and contended.

use std::time::Instant;

use concurrent_futures::Payload;

use super::{Scenario, objects};
use crate::{
    Outcome,
    contender::{
        companion::{Companion, Line},
        locks::{Counted, Mutex, Ours, ParkingLot, Posix, Robust, Semaphore, Std},
    },
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "locks",
    title: "locks",
    about: "A lock is taken, a number is increased, and the lock is released: by one process that nobody disturbs, or by \
            two processes at the same time. Peers that stay in one process have threads instead.",
    plot: None,
    run,
};

const PYTHON: &str = "multiprocessing.Lock";

const ALONE: u64 = 100_000;
/// So many that the other process is awake for most of the time.
const CONTENDED: u64 = 300_000;
/// CPython needs no more for a turn of the same length.
const IN_PYTHON: u64 = 20_000;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new("a lock that no other process wants", "ns per entry")
        .sides([
            alone::<Ours>(),
            alone::<ParkingLot>(),
            alone::<Std>(),
            alone::<Posix<Mutex>>(),
            alone::<Posix<Robust>>(),
            alone::<Posix<Semaphore>>(),
        ])?
        .target(Target::times(Ours::NAME, 1.3, ParkingLot::NAME))
        .target(Target::times(Ours::NAME, 0.85, Posix::<Robust>::NAME))
        .target(Target::times(Ours::NAME, 0.2, PYTHON));
    driver.compare(objects::side(table, PYTHON, &format!("alone {IN_PYTHON}"), IN_PYTHON))?;

    let table = Table::new("a lock that two processes want", "ns per entry").sides([
        processes::<Ours>(),
        threads::<ParkingLot>(),
        threads::<Std>(),
        processes::<Posix<Mutex>>(),
        processes::<Posix<Robust>>(),
        processes::<Posix<Semaphore>>(),
    ])?;
    driver.compare(objects::side(table, PYTHON, &format!("fight {IN_PYTHON}"), 2 * IN_PYTHON))
}

fn alone<C: Counted>() -> Outcome<Side> {
    let (lock, _) = C::create()?;
    Ok(Side::new(C::NAME, C::ROLE, move || {
        let before = lock.total();
        let start = Instant::now();
        (0..ALONE).for_each(|_| lock.count());
        let cost = start.elapsed().as_nanos() as f64 / ALONE as f64;
        assert_eq!(lock.total() - before, ALONE, "two were inside");
        cost
    }))
}

fn processes<C: Counted<Address: Payload>>() -> Outcome<Side> {
    let (lock, address) = C::create()?;
    Ok(contended(lock, Companion::process(|(address, line)| enter::<C>(address, line), address)?))
}

fn threads<C: Counted<Address: 'static>>() -> Outcome<Side> {
    let (lock, address) = C::create()?;
    Ok(contended(lock, Companion::thread(move |line| enter::<C>(address, line))?))
}

fn contended<C: Counted>(lock: C, mut other: Companion) -> Side {
    Side::new(C::NAME, C::ROLE, move || {
        let before = lock.total();
        let start = Instant::now();
        other.go();
        (0..CONTENDED).for_each(|_| lock.count());
        other.done();
        let cost = start.elapsed().as_nanos() as f64 / (2 * CONTENDED) as f64;
        assert_eq!(lock.total() - before, 2 * CONTENDED, "two were inside");
        cost
    })
}

fn enter<C: Counted>(address: C::Address, line: Line) {
    let lock = C::open(address);
    line.serve(|| {
        (0..CONTENDED).for_each(|_| lock.count());
        0
    });
}
