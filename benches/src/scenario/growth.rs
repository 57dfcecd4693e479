//! Whether a task costs more when there are more tasks, submitters or workers.

use std::thread;

use super::{Scenario, WIDTH, submit};
use crate::{
    Outcome,
    contender::{Contender, rayon::Rayon, threads::Submit},
    driver::{Driver, Side, Table, Target, per_task},
    work::AddOne,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "growth",
    title: "growing work",
    about: "The cost of a task on threads when tasks, submitters or workers grow, each by itself: from a thousand to ten \
            million tasks, which are submitted and then collected, from one to sixteen threads that submit, and from one to \
            64 workers. The targets bound the cost of each row by that of the cheapest one of its kind.",
    plot: None,
    run,
};

const COUNTS: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const SUBMITTERS: [u64; 5] = [1, 2, 4, 8, 16];
const WIDTHS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const MANY: u64 = 100_000;

/// The bounds: among at least ten thousand tasks or among submitters, and between a thousand and ten thousand tasks.
const MAX_RATIO: f64 = 1.3;
const MAX_RATIO_OF_FEW: f64 = 1.4;

fn run(driver: &mut Driver) -> Outcome<()> {
    let mut table = Table::new("threads: 1000 to 10000000 tasks, submitted and collected", "ns per task");
    for count in COUNTS {
        let label = |name: &str| format!("{name}, {count} tasks");
        // A turn with few tasks has more rounds, so that it is long enough for the clock.
        let rounds = (20_000 / count).max(1);
        table = table.side(submit::side::<Submit>(WIDTH, count)?.averaged(rounds).renamed(label(Submit::NAME)));
        if count <= 1_000_000 {
            table = table.side(submit::side::<Rayon>(WIDTH, count)?.averaged(rounds).renamed(label(Rayon::NAME)));
        }
    }
    let tasks = |count: u64| format!("{}, {count} tasks", Submit::NAME);
    let many: Vec<String> = COUNTS[1..].iter().map(|count| tasks(*count)).collect();
    for label in &many {
        table = table.target(Target::cheapest(label, MAX_RATIO, &many));
    }
    table = table.target(Target::times(tasks(COUNTS[0]), MAX_RATIO_OF_FEW, tasks(COUNTS[1])));
    driver.compare(table)?;

    let mut table = Table::new(format!("threads: 1 to 16 submitters of {MANY} tasks"), "ns per task");
    for submitters in SUBMITTERS {
        table = table.sides([side::<Submit>(submitters), side::<Rayon>(submitters)])?;
    }
    let ours = SUBMITTERS.map(label::<Submit>);
    for label in &ours {
        table = table.target(Target::cheapest(label, MAX_RATIO, &ours));
    }
    driver.compare(table)?;

    let mut table = Table::new(format!("threads: 1 to 64 workers, {MANY} tasks"), "ns per task");
    for width in WIDTHS {
        let label = |name: &str| format!("{name}, {width} workers");
        table = table.side(submit::side::<Submit>(width, MANY)?.renamed(label(Submit::NAME)));
        table = table.side(submit::side::<Rayon>(width, MANY)?.renamed(label(Rayon::NAME)));
    }
    driver.compare(table)
}

fn label<C: Contender>(submitters: u64) -> String {
    format!("{}, {submitters} submitters", C::NAME)
}

fn side<C: Contender>(submitters: u64) -> Outcome<Side> {
    let pool = C::build(WIDTH)?;
    let share = move |pool: &C, first: u64| -> u64 {
        let handles: Vec<_> = (first..MANY).step_by(submitters as usize).map(|n| pool.submit::<AddOne>(n)).collect();
        handles.into_iter().map(C::collect).sum()
    };
    Ok(Side::new(label::<C>(submitters), C::ROLE, move || {
        per_task(MANY, || {
            thread::scope(|scope| {
                let start = |first| {
                    let pool = &pool;
                    scope.spawn(move || share(pool, first))
                };
                let threads: Vec<_> = (0..submitters).map(start).collect();
                threads.into_iter().map(|thread| thread.join().expect("no submitter panics")).sum()
            })
        })
    }))
}
