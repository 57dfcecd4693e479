//! Bursts: submit many tasks, then collect all results.

use super::{Bars, Plot, Scenario, WIDTH, python};
use crate::{
    Outcome,
    contender::{
        Contender, each_on_processes, each_on_threads,
        processes::{Ring, Socket},
        procspawn,
        rayon::Rayon,
        threads::{Spawn, Submit},
    },
    driver::{Driver, Side, Table, Target, per_task},
    work::AddOne,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "submit",
    title: "submit many, then collect",
    about: "One thread submits many tasks that add one to a number, and then collects all results.",
    plot: Some(Plot::Bars(Bars { title: "time per task in a burst (shorter is better)", tables: 2, nanoseconds: 1.0 })),
    run,
};

/// The number of tasks. It is so high that waking and falling asleep at both ends have no effect.
const MANY: u64 = 20_000;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new(format!("threads: submit {MANY}, then collect"), "ns per task")
        .sides(each_on_threads!(side(WIDTH, MANY)))?
        .target(Target::best_peer(Submit::NAME, 0.75))
        .target(Target::best_peer(Spawn::NAME, 0.75));
    driver.compare(table)?;

    let few = procspawn::MAX_PENDING;
    let table = Table::new(format!("processes: submit {few}, then collect"), "ns per task")
        .sides(each_on_processes!(side(WIDTH, few)))?
        .sides([side::<Rayon>(WIDTH, few)])?
        .target(Target::times(Ring::NAME, 0.01, procspawn::Procspawn::NAME))
        .target(Target::times(Ring::NAME, 1.0, Rayon::NAME))
        .note("all pools get as many tasks as procspawn can hold");
    driver.compare(python::sides(table, &format!("many {few}"), few))?;

    let table = Table::new(format!("processes: submit {MANY}, then collect"), "ns per task")
        .sides([side::<Ring>(WIDTH, MANY), side::<Socket>(WIDTH, MANY), side::<Rayon>(WIDTH, MANY)])?
        .target(Target::times(Ring::NAME, 1.0, Rayon::NAME));
    driver.compare(table)
}

/// Creates a side with a pool of `width` workers and `count` tasks.
pub(super) fn side<C: Contender>(width: usize, count: u64) -> Outcome<Side> {
    let pool = C::build(width)?;
    Ok(Side::new(C::NAME, C::ROLE, move || {
        per_task(count, || {
            let handles: Vec<_> = (0..count).map(|n| pool.submit::<AddOne>(n)).collect();
            handles.into_iter().map(C::collect).sum()
        })
    }))
}
