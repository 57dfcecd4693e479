//! From building a pool to its first result.

use std::time::Instant;

use super::{Scenario, WIDTH, python};
use crate::{
    Outcome,
    contender::{
        Contender, Role, each_on_processes, each_on_threads,
        floor::exec,
        processes::{Ring, Socket},
    },
    driver::{Baseline, Driver, Limit, Side, Table, Target},
    work::AddOne,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "first",
    title: "build to first result",
    about: "A pool of two workers is built, and one task is submitted and waited for. The end of the pool is not measured.",
    plot: None,
    run,
};

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new("threads: build to first result", "us").sides(each_on_threads!(side(WIDTH)))?;
    driver.compare(table)?;

    let target = |name| Target::cost(name, 2_000.0, "2 ms").or(Limit::Times(4.0, Baseline::Side(exec::NAME.into())));
    let table = Table::new("processes: build to first result", "us")
        .sides(each_on_processes!(side(WIDTH)))?
        .side(Side::new(exec::NAME, Role::Floor, || exec::exec() / 1e3))
        .target(target(Ring::NAME))
        .target(target(Socket::NAME));
    driver.compare(python::sides(table, "first 0", 1_000))
}

pub(super) fn side<C: Contender>(width: usize) -> Outcome<Side> {
    Ok(Side::new(C::NAME, C::ROLE, move || {
        let start = Instant::now();
        let pool = C::build(width).expect("built");
        let result = C::collect(pool.submit::<AddOne>(1));
        let cost = start.elapsed().as_nanos() as f64 / 1e3;
        assert_eq!(result, 2);
        drop(pool);
        cost
    }))
}
