//! Results that are awaited in a tokio task.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{
        Contender,
        processes::{Ring, Socket},
        threads::{Spawn, Submit},
        tokio::Tokio,
    },
    driver::{Driver, Side, Table, per_task},
    work::AddOne,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "await",
    title: "await under tokio",
    about: "A task of a tokio runtime submits to a pool and awaits the results: first many together, then one after another.",
    plot: None,
    run,
};

const MANY: u64 = 10_000;
const FEW: u64 = 200;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new(format!("submit {MANY}, then await"), "ns per task").sides(sides(MANY, MANY))?;
    driver.compare(table)?;
    let table = Table::new("await one at a time", "ns per task").sides(sides(FEW, 1))?;
    driver.compare(table)
}

fn sides(count: u64, batch: u64) -> [Outcome<Side>; 5] {
    [
        side::<Submit, _>(count, batch),
        side::<Spawn, _>(count, batch),
        side::<Tokio, _>(count, batch),
        side::<Ring, _>(count, batch),
        side::<Socket, _>(count, batch),
    ]
}

fn side<C: Contender, E: std::fmt::Debug + Send>(count: u64, batch: u64) -> Outcome<Side>
where
    C::Handle<u64>: IntoFuture<Output = Result<u64, E>, IntoFuture: Send>,
{
    let pool = Arc::new(C::build(WIDTH)?);
    let runtime = runtime()?;
    Ok(Side::new(C::NAME, C::ROLE, move || {
        let pool = pool.clone();
        per_task(count, || {
            let task = runtime.spawn(async move {
                let mut sum = 0;
                for first in (0..count).step_by(batch as usize) {
                    let numbers = first..first + batch;
                    let handles: Vec<_> = numbers.map(|n| pool.submit::<AddOne>(n).into_future()).collect();
                    for handle in handles {
                        sum += handle.await.expect("ran");
                    }
                }
                sum
            });
            runtime.block_on(task).expect("the task does not panic")
        })
    }))
}

/// Builds a runtime with one thread, for the task that awaits.
fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(1).build()?)
}
