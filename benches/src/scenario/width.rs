//! More workers than cores.

use super::{Lines, Plot, Scenario, submit};
use crate::{
    Outcome,
    contender::{
        Contender,
        processes::{Ring, Socket},
        procspawn::{self, Procspawn},
        rayon::Rayon,
        threads::Submit,
    },
    driver::{Driver, Side, Table, Target},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "width",
    title: "1 to 16 workers",
    about: "Submit many tasks, then collect, with pools of different widths that take turns.",
    plot: Some(Plot::Lines(Lines {
        title: "submit many, then collect, by the number of workers",
        base: 2.0,
        x: "workers",
        y: "ns per task",
    })),
    run,
};

const WIDTHS: [usize; 5] = [1, 2, 4, 8, 16];
const MANY: u64 = 20_000;
/// The cost of a task with many workers, as a multiple of the cost with two.
const MAX_RATIO: f64 = 1.2;

fn run(driver: &mut Driver) -> Outcome<()> {
    let with_target = |table: Table, name| table.target(Target::times(label(name, 16), MAX_RATIO, label(name, 2)));
    let mut table = Table::new(format!("threads: submit {MANY}, then collect"), "ns per task");
    for width in WIDTHS {
        table = table.sides([side::<Submit>(width, MANY), side::<Rayon>(width, MANY)])?;
    }
    driver.compare(with_target(table, Submit::NAME))?;

    let few = procspawn::MAX_PENDING;
    let mut table = Table::new(format!("processes: submit {MANY}, then collect; procspawn {few}"), "ns per task");
    for width in WIDTHS {
        table = table.sides([side::<Ring>(width, MANY), side::<Socket>(width, MANY), side::<Procspawn>(width, few)])?;
    }
    driver.compare(with_target(with_target(table, Ring::NAME), Socket::NAME))
}

fn label(name: &str, width: usize) -> String {
    format!("{name}, {width} workers")
}

fn side<C: Contender>(width: usize, count: u64) -> Outcome<Side> {
    Ok(submit::side::<C>(width, count)?.at(width as f64).renamed(label(C::NAME, width)))
}
