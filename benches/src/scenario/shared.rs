//! Large data that several tasks read.

use std::{ops::Deref, time::Instant};

use concurrent_futures::{
    Executor, Payload, ProcessPoolExecutor,
    multiprocessing::{Shared, SharedSlice},
};

use super::{Scenario, WIDTH, submit};
use crate::{
    Outcome,
    contender::{Role, processes::Ring},
    driver::{Driver, Side, Table, Target, per_task},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "shared",
    title: "large data that several tasks read",
    about: "Eight tasks on two worker processes read numbers of the same 64 MiB, which are sent with each task, or are \
            written down once for all of them. The clock runs from the vector to the last result. In the second table the \
            workers have the data already, and each task reads one of its numbers.",
    plot: None,
    run,
};

const TASKS: usize = 8;
const NUMBERS: usize = (64 << 20) / size_of::<f64>();

const SENT: &str = "sent with each task";
const SHARED: &str = "Shared";
const SLICE: &str = "SharedSlice";
const NUMBER: &str = "8 bytes";
/// The tasks of one turn on workers that have the data.
const MANY: u64 = 2_000;

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new("processes: 64 MiB, 8 tasks", "ms")
        .sides([
            side(SENT, |numbers| numbers.to_vec()),
            side(SHARED, |numbers| Shared::new(numbers.to_vec()).expect("memory")),
            side(SLICE, |numbers| SharedSlice::from(numbers).expect("memory")),
        ])?
        .target(Target::times(SHARED, 0.2, SENT))
        .target(Target::times(SLICE, 0.05, SENT));
    driver.compare(table)?;

    let table = Table::new(format!("processes: {MANY} tasks on 64 MiB that the workers have"), "ns per task")
        .sides([
            submit::side::<Ring>(WIDTH, MANY).map(|side| side.renamed(NUMBER)),
            known(SHARED, |numbers| Shared::new(numbers.to_vec()).expect("memory")),
            known(SLICE, |numbers| SharedSlice::from(numbers).expect("memory")),
        ])?
        .target(Target::times(SHARED, 1.5, NUMBER))
        .target(Target::times(SLICE, 1.5, NUMBER));
    driver.compare(table)
}

/// Something that a worker reads numbers of.
trait Numbers: Payload + Clone + Sync {
    fn number(&self, index: usize) -> f64;
}

impl Numbers for Vec<f64> {
    fn number(&self, index: usize) -> f64 {
        self[index]
    }
}

impl Numbers for Shared<Vec<f64>> {
    fn number(&self, index: usize) -> f64 {
        self.deref()[index]
    }
}

impl Numbers for SharedSlice<f64> {
    fn number(&self, index: usize) -> f64 {
        self[index]
    }
}

fn side<D: Numbers>(label: &str, make: impl Fn(&[f64]) -> D + 'static) -> Outcome<Side> {
    let pool = ProcessPoolExecutor::new(WIDTH)?;
    let numbers: Vec<f64> = (0..NUMBERS).map(|number| number as f64).collect();
    Ok(Side::new(label, Role::Ours, move || {
        let start = Instant::now();
        let data = make(&numbers);
        let read = |(data, index): (D, usize)| data.number(index);
        let submit = |task: usize| pool.submit(read, (data.clone(), task * (NUMBERS / TASKS))).expect("accepted");
        let tasks: Vec<_> = (0..TASKS).map(submit).collect();
        let results = tasks.into_iter().map(|task| task.result(None).expect("ran"));
        let is_right = results.enumerate().all(|(task, number)| number == (task * (NUMBERS / TASKS)) as f64);
        let cost = start.elapsed().as_secs_f64() * 1e3;
        assert!(is_right, "a task read other numbers");
        cost
    }))
}

/// Creates a side whose workers are sent the data before the first turn, and then keep it.
fn known<D: Numbers>(label: &str, make: impl Fn(&[f64]) -> D) -> Outcome<Side> {
    let pool = ProcessPoolExecutor::new(WIDTH)?;
    let numbers: Vec<f64> = (1..=NUMBERS).map(|number| number as f64).collect();
    let data = make(&numbers);
    let read = |(data, index): (D, usize)| data.number(index);
    Ok(Side::new(label, Role::Ours, move || {
        let submit = |task: u64| pool.submit(read, (data.clone(), task as usize)).expect("accepted");
        per_task(MANY, || {
            let tasks: Vec<_> = (0..MANY).map(submit).collect();
            tasks.into_iter().map(|task| task.result(None).expect("ran") as u64).sum()
        })
    }))
}
