//! From one task to a hundred thousand.

use super::{Lines, Plot, Scenario, WIDTH, submit};
use crate::{
    Outcome,
    contender::{
        Contender,
        async_executor::AsyncExecutor,
        processes::{Ring, Socket},
        procspawn::{self, Procspawn},
        rayon::Rayon,
        threads::Submit,
    },
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "count",
    title: "1 to 100000 tasks",
    about: "Submit this many tasks, then collect. A single task is a round trip.",
    plot: Some(Plot::Lines(Lines {
        title: "submit, then collect, by the number of tasks",
        base: 10.0,
        x: "tasks",
        y: "ns per task",
    })),
    run,
};

/// With so many tasks, the start and the end have no effect.
const MANY: u64 = 100_000;
const COUNTS: [u64; 6] = [1, 10, 100, 1_000, 10_000, MANY];
/// With more tasks the sockets would take longer than all other contenders together.
const MAX_FOR_SOCKETS: u64 = 10_000;

fn run(driver: &mut Driver) -> Outcome<()> {
    for count in COUNTS {
        let mut table = Table::new(format!("submit {count}, then collect"), "ns per task").sides([
            side::<Submit>(count),
            side::<Rayon>(count),
            side::<AsyncExecutor>(count),
            side::<Ring>(count),
        ])?;
        if count <= MAX_FOR_SOCKETS {
            table = table.sides([side::<Socket>(count)])?;
        }
        if count <= procspawn::MAX_PENDING {
            table = table.sides([side::<Procspawn>(count)])?;
        }
        if count == MANY {
            table = table.target(Target::times(Ring::NAME, 1.8, Submit::NAME)).target(Target::times(
                Ring::NAME,
                0.75,
                Rayon::NAME,
            ));
        }
        driver.compare(table)?;
    }
    Ok(())
}

fn side<C: Contender>(count: u64) -> Outcome<Side> {
    // A turn with few tasks has more rounds, so that it is long enough for the clock.
    let rounds = (200 / count).max(1);
    Ok(submit::side::<C>(WIDTH, count)?.averaged(rounds).at(count as f64))
}
