//! Several threads that submit to the same pool.

use std::thread;

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{Contender, each_on_processes, each_on_threads, procspawn, rayon::Rayon},
    driver::{Driver, Side, Table, per_task},
    work::AddOne,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "four",
    title: "four submitters",
    about: "Four threads submit to one pool at the same time; each submits its share, and then collects it.",
    plot: None,
    run,
};

const SUBMITTERS: u64 = 4;
const MANY: u64 = 20_000;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new(format!("threads: {SUBMITTERS} submitters, {MANY} tasks"), "ns per task")
        .sides(each_on_threads!(side(MANY)))?;
    driver.compare(table)?;
    let few = procspawn::MAX_PENDING;
    let table = Table::new(format!("processes: {SUBMITTERS} submitters, {few} tasks"), "ns per task")
        .sides(each_on_processes!(side(few)))?
        .sides([side::<Rayon>(few)])?;
    driver.compare(table)
}

fn side<C: Contender>(count: u64) -> Outcome<Side> {
    let pool = C::build(WIDTH)?;
    let share = move |pool: &C, first: u64| -> u64 {
        let handles: Vec<_> = (first..count).step_by(SUBMITTERS as usize).map(|n| pool.submit::<AddOne>(n)).collect();
        handles.into_iter().map(C::collect).sum()
    };
    Ok(Side::new(C::NAME, C::ROLE, move || {
        per_task(count, || {
            thread::scope(|scope| {
                let submitters: Vec<_> = (0..SUBMITTERS)
                    .map(|first| {
                        let pool = &pool;
                        scope.spawn(move || share(pool, first))
                    })
                    .collect();
                submitters.into_iter().map(|submitter| submitter.join().expect("no submitter panics")).sum()
            })
        })
    }))
}
