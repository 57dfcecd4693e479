//! All workers of a pool are killed together, while many tasks wait.

use executor_core::{Executor, TaskOptions};

use super::{
    Run, end,
    journal::Journal,
    killer::{Kills, kill_all},
    kills::{Outcome, Tally, outcome, submit},
    tasks::rendezvous,
};

const WIDTHS: [usize; 4] = [1, 2, 5, 8];

/// The number of attempts of a task with retries.
const ATTEMPTS: u32 = 4;

pub(super) fn all_killed(run: &mut Run) {
    let (mut tasks, mut killed, mut failed, mut lost) = (0, 0, 0, 0);
    for width in WIDTHS {
        for retries in [0, ATTEMPTS - 1] {
            let (outcomes, kills, tally) = play(run, width, retries);
            let most = if retries == 0 { width } else { 0 };
            assert!(tally.failed <= most, "{} tasks failed with {retries} retries and {width} workers", tally.failed);
            assert!(tally.losses() <= width, "{tally:?} with {width} workers");
            (tasks, killed) = (tasks + outcomes.len(), killed + kills.count());
            (failed, lost) = (failed + tally.failed, lost + tally.losses());
        }
    }
    run.figure("tasks", tasks);
    run.figure("workers killed", killed);
    run.figure("failed", failed);
    run.figure("attempts lost", lost);
}

fn play(run: &mut Run, width: usize, retries: u32) -> (Vec<Outcome>, Kills, Tally) {
    let tasks = u32::try_from(run.amount).expect("some millions are enough");
    run.watch.begin(format!("{tasks} tasks with {retries} retries, and {width} workers"));
    let journal = Journal::new(tasks, retries + 1);
    let pool = run.build(run.builder(width));
    // All workers run before the first task is submitted.
    let many = width as u64;
    let first: Vec<_> =
        (0..width).map(|_| pool.submit(rendezvous, (journal.key(), 0, many)).expect("accepted")).collect();
    first.iter().for_each(|future| assert!(future.result(None).is_ok()));
    let options = TaskOptions::new().retries(retries);
    let futures: Vec<_> =
        (0..tasks).map(|number| submit(&pool, &options, &journal, number, run.random.below(400) as u32)).collect();
    // A few tasks are done when the workers are killed, and most are not.
    let early = run.random.below(u64::from(tasks.div_ceil(4))) as usize;
    let first = outcome(early, &futures[early]);
    let kills = kill_all(&pool);
    let mut outcomes = Vec::new();
    for (number, future) in futures.iter().enumerate() {
        outcomes.push(if number == early { first } else { outcome(number, future) });
        run.watch.progress();
    }
    end(pool);
    let tally = Tally::check(&journal, &outcomes, &kills);
    (outcomes, kills, tally)
}
