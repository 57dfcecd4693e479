//! Whether a task on processes costs more when there are more tasks or workers, and what a byte of its argument costs.

use std::time::Instant;

use super::{Lines, Plot, Scenario, WIDTH, submit};
use crate::{
    Outcome,
    contender::{Contender, processes::Ring},
    driver::{Driver, Side, Table, Target},
    work::Echo,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "scale",
    title: "growing work on processes",
    about: "The cost of a task on processes when tasks, workers or the argument grow, each by itself: from a thousand to a \
            million tasks, which are submitted and then collected, from one to 64 workers, and from 8 bytes to 256 MiB that are \
            sent and returned. The targets bound the cost of each row by that of the cheapest one of its kind.",
    plot: Some(Plot::Lines(Lines {
        title: "one task at a time, by the length of its argument and result",
        base: 10.0,
        x: "bytes",
        y: "us there and back",
    })),
    run,
};

const COUNTS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const WIDTHS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const MANY: u64 = 100_000;
const LENGTHS: [usize; 9] = [8, 64, 512, 4 << 10, 32 << 10, 256 << 10, 2 << 20, 32 << 20, 256 << 20];

/// The bounds: among at least ten thousand tasks, and between a thousand and ten thousand tasks.
const MAX_RATIO: f64 = 1.3;
const MAX_RATIO_OF_FEW: f64 = 1.4;

fn run(driver: &mut Driver) -> Outcome<()> {
    let tasks = |count: u64| format!("{}, {count} tasks", Ring::NAME);
    let mut table = Table::new("processes: 1000 to 1000000 tasks, submitted and collected", "ns per task");
    for count in COUNTS {
        let rounds = (20_000 / count).max(1);
        table = table.side(submit::side::<Ring>(WIDTH, count)?.averaged(rounds).renamed(tasks(count)));
    }
    let many: Vec<String> = COUNTS[1..].iter().map(|count| tasks(*count)).collect();
    for label in &many {
        table = table.target(Target::cheapest(label, MAX_RATIO, &many));
    }
    driver.compare(table.target(Target::times(tasks(COUNTS[0]), MAX_RATIO_OF_FEW, tasks(COUNTS[1]))))?;

    let mut table = Table::new(format!("processes: 1 to 64 workers, {MANY} tasks"), "ns per task");
    for width in WIDTHS {
        table = table.side(submit::side::<Ring>(width, MANY)?.renamed(format!("{}, {width} workers", Ring::NAME)));
    }
    driver.compare(table)?;

    let mut table = Table::new("processes: 8 bytes to 256 MiB there and back", "us there and back");
    for length in LENGTHS {
        table = table.side(echo(length)?.at(length as f64).renamed(format!("{}, {length} bytes", Ring::NAME)));
    }
    driver.compare(table)
}

fn echo(length: usize) -> Outcome<Side> {
    let pool = Ring::build(WIDTH)?;
    // A turn is long enough for the clock.
    let count = ((4 << 20) / length).clamp(1, 200);
    Ok(Side::new(Ring::NAME, Ring::ROLE, move || {
        let inputs: Vec<Vec<u8>> = (0..count).map(|_| vec![7; length]).collect();
        let start = Instant::now();
        for input in inputs {
            let output = Ring::collect(pool.submit::<Echo<Vec<u8>>>(input));
            assert_eq!(output.len(), length, "another value came back");
        }
        start.elapsed().as_nanos() as f64 / count as f64 / 1e3
    }))
}
