//! More workers than cores.

use super::{Plot, Scenario, submit};
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
    about: "Submit many, then collect, with pools of different widths that take turns.",
    plot: Some(Plot {
        title: "submit many, then collect, by the number of workers",
        base: 2.0,
        x: "workers",
        y: "ns per task",
    }),
    run,
};

const WIDTHS: [usize; 5] = [1, 2, 4, 8, 16];
const MANY: u64 = 20_000;
/// How much more a task may cost with many workers than with two.
const CROWDED: f64 = 1.2;

fn run(driver: &mut Driver) -> Outcome<()> {
    let held = |table: Table, name| table.target(Target::times(label(name, 16), CROWDED, label(name, 2)));
    let mut table = Table::new(format!("threads: submit {MANY}, then collect"), "ns per task");
    for width in WIDTHS {
        table = table.sides([side::<Submit>(width, MANY), side::<Rayon>(width, MANY)])?;
    }
    driver.compare(held(table, Submit::NAME))?;

    let few = procspawn::MOST_AT_ONCE;
    let mut table = Table::new(format!("processes: submit {MANY}, then collect; procspawn {few}"), "ns per task");
    for width in WIDTHS {
        table = table.sides([side::<Ring>(width, MANY), side::<Socket>(width, MANY), side::<Procspawn>(width, few)])?;
    }
    driver.compare(held(held(table, Ring::NAME), Socket::NAME))
}

fn label(name: &str, width: usize) -> String {
    format!("{name}, {width} workers")
}

fn side<C: Contender>(width: usize, count: u64) -> Outcome<Side> {
    Ok(submit::side::<C>(width, count)?.at(width as f64).called(label(C::NAME, width)))
}
