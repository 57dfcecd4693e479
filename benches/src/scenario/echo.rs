//! Large values, sent and returned.

use std::time::Instant;

use concurrent_futures::Payload;
use serde::{Deserialize, Serialize};

use super::{Lines, Plot, Scenario, WIDTH, python};
use crate::{
    Outcome,
    contender::{
        Contender, Role, each_on_processes,
        floor::{SocketPair, copy, socketpair},
        processes::Ring,
    },
    driver::{Driver, Side, Table, Target},
    work::Echo,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "echo",
    title: "echo of bytes, numbers and structs",
    about: "A task returns its argument. The clock runs from `submit` to `result`; the value is made before, and \
            compared with the result afterwards. The floor is one copy within memory that is in use already.",
    plot: Some(Plot::Lines(Lines {
        title: "bytes sent to a process and back",
        base: 10.0,
        x: "bytes",
        y: "us there and back",
    })),
    run,
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// The number of copies of the bytes that a round trip may cost.
const COPIES_OF_BYTES: f64 = 5.0;
const COPIES_OF_NUMBERS: f64 = 7.0;
const COPIES_OF_STRUCTS: f64 = 8.0;

fn run(driver: &mut Driver) -> Outcome<()> {
    for size in [KIB, 64 * KIB, MIB, 64 * MIB] {
        let mut table = table::<Vec<u8>>("bytes", size)?;
        if size == MIB {
            table = table.target(Target::times(Ring::NAME, COPIES_OF_BYTES, copy::NAME));
        } else if size == 64 * MIB {
            // 2 bytes for each nanosecond, where the bytes of both directions count.
            let allowed = 2.0 * size as f64 / 2.0 / 1e3;
            table = table.target(Target::cost(Ring::NAME, allowed, "67 ms, which is 2 GB/s if both directions count"));
        }
        driver.compare(table)?;
    }
    let with_target = |table: Table, copies| table.target(Target::times(Ring::NAME, copies, copy::NAME));
    driver.compare(with_target(table::<Vec<f64>>("numbers", MIB)?, COPIES_OF_NUMBERS))?;
    driver.compare(with_target(table::<Plain>("struct", MIB)?, COPIES_OF_STRUCTS))?;
    driver.compare(with_target(table::<Marked>("marked", MIB)?, COPIES_OF_STRUCTS))?;

    let mut sockets = SocketPair::start(64 * KIB)?;
    let of_sockets =
        Side::new(socketpair::NAME, Role::Floor, move || spread((0..SPREAD).map(|_| sockets.nanoseconds(1)).collect()));
    let table = Table::new("processes: spread of echoes of 64 KiB, `Vec<u8>`", "90th percentile / median")
        .side(spread_side::<Ring>(64 * KIB)?)
        .side(of_sockets)
        .target(Target::cost(Ring::NAME, 2.0, "2"))
        .target(Target::times(Ring::NAME, 1.5, socketpair::NAME));
    driver.compare(table)
}

/// How often a value is echoed in a turn that measures how much its echoes differ.
const SPREAD: usize = 1_000;

/// Measures how much echoes of bytes differ.
fn spread_side<C: Contender>(size: usize) -> Outcome<Side> {
    let pool = C::build(WIDTH)?;
    let value = <Vec<u8> as Sample>::of(size);
    Ok(Side::new(C::NAME, C::ROLE, move || {
        let echo = |_| {
            let input = value.clone();
            let start = Instant::now();
            let output = C::collect(submit(&pool, input));
            let cost = start.elapsed();
            assert!(output == value, "another value came back");
            cost.as_nanos() as f64
        };
        spread((0..SPREAD).map(echo).collect())
    }))
}

/// Returns the 90th percentile divided by the median.
fn spread(mut costs: Vec<f64>) -> f64 {
    costs.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| costs[(share * (costs.len() - 1) as f64) as usize];
    at(0.9) / at(0.5)
}

fn table<T: Sample>(kind: &str, size: usize) -> Outcome<Table> {
    // A turn takes a few milliseconds, so that the cost of reading the clock has no effect.
    let count = (4 * MIB / size).clamp(1, 200) as u64;
    let bytes = if size < MIB { format!("{} KiB", size / KIB) } else { format!("{} MiB", size / MIB) };
    let mut copy = copy::Copy::new(size);
    let mut sockets = SocketPair::start(size)?;
    let mut table = Table::new(format!("processes: echo of {bytes}, {}", T::NAME), "us there and back")
        .sides(each_on_processes!(side(T::of(size), count)))?
        .side(Side::new(copy::NAME, Role::Floor, move || copy.nanoseconds(count) / count as f64 / 1e3))
        .side(Side::new(socketpair::NAME, Role::Floor, move || sockets.nanoseconds(count) / count as f64 / 1e3));
    if kind != "marked" {
        table = python::sides(table, &format!("echo {kind} {size} {count}"), count * 1_000);
    }
    if kind == "bytes" {
        table = table.plotted(size as f64);
    }
    Ok(table)
}

fn side<C: Contender>(value: impl Sample, count: u64) -> Outcome<Side> {
    let pool = C::build(WIDTH)?;
    Ok(Side::new(C::NAME, C::ROLE, move || {
        let mut cost = 0;
        for _ in 0..count {
            let input = value.clone();
            let start = Instant::now();
            let output = C::collect(submit(&pool, input));
            cost += start.elapsed().as_nanos();
            assert!(output == value, "another value came back");
        }
        cost as f64 / count as f64 / 1e3
    }))
}

fn submit<C: Contender, T: Payload>(pool: &C, value: T) -> C::Handle<T> {
    pool.submit::<Echo<T>>(value)
}

/// A value of a given size in bytes.
trait Sample: Payload + Clone + PartialEq + Sync {
    const NAME: &'static str;

    fn of(size: usize) -> Self;
}

impl Sample for Vec<u8> {
    const NAME: &'static str = "`Vec<u8>`";

    fn of(size: usize) -> Vec<u8> {
        (0..size).map(|index| index as u8).collect()
    }
}

impl Sample for Vec<f64> {
    const NAME: &'static str = "`Vec<f64>`";

    fn of(size: usize) -> Vec<f64> {
        (0..size / size_of::<f64>()).map(|index| index as f64).collect()
    }
}

/// A struct without attributes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Plain {
    id: u64,
    name: String,
    bytes: Vec<u8>,
}

impl Sample for Plain {
    const NAME: &'static str = "a struct with a field `Vec<u8>`";

    fn of(size: usize) -> Plain {
        Plain { id: 7, name: "a name".into(), bytes: Sample::of(size) }
    }
}

/// A struct that marks its bytes, as the documentation of serde advises.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Marked {
    id: u64,
    name: String,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

impl Sample for Marked {
    const NAME: &'static str = "a struct with a field of `serde_bytes`";

    fn of(size: usize) -> Marked {
        Marked { id: 7, name: "a name".into(), bytes: Sample::of(size) }
    }
}
