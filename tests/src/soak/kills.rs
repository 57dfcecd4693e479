//! Workers are killed at random under small tasks.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use executor_core::{ErrorKind, Executor, Future, TaskOptions};
use process_pool::ProcessPoolExecutor;

use super::{
    Run, end,
    journal::{Journal, Marks},
    killer::{Killer, Kills},
    seconds_from_now,
    tasks::{Errand, run_errand},
};

/// How often a task may be attempted at most: more than chance makes of it.
const ATTEMPTS: u32 = 16;

/// How many tasks are under way at once.
const OPEN: usize = 256;

const KILLS_A_SECOND: u32 = 20;

/// What a task came to: it has a result, from this attempt, or was lost in the process with this id.
pub(super) type Fate = Result<u32, u32>;

pub(super) fn with_retries(run: &mut Run) {
    let (journal, fates, kills) = play(run, ATTEMPTS - 1);
    for (number, fate) in (0..).zip(&fates) {
        assert!(fate.is_ok(), "task {number} has retries, and failed; {} attempts started", journal.starts(number));
    }
    let tally = Tally::check(&journal, &fates, &kills);
    tally.report(run);
}

pub(super) fn without_retries(run: &mut Run) {
    let (journal, fates, kills) = play(run, 0);
    let tally = Tally::check(&journal, &fates, &kills);
    tally.report(run);
}

/// Runs tasks and kills workers until the time is over.
fn play(run: &mut Run, retries: u32) -> (Journal, Vec<Fate>, Kills) {
    // More than two cores can do: a task takes a tenth of a millisecond at least.
    let most = u32::try_from(run.amount * 40_000).expect("some hours are enough");
    let journal = Journal::new(most, retries + 1);
    let width = 2 + run.random.below(4) as usize;
    let pool = run.build(run.builder(width));
    let killer = Killer::start(&pool, KILLS_A_SECOND, run.random.fork());
    let over = seconds_from_now(run.amount);
    let options = TaskOptions::new().retries(retries);
    let mut open: VecDeque<Future<(u32, u32)>> = VecDeque::new();
    let mut fates = Vec::new();
    let mut number = 0;
    while Instant::now() < over && number < most {
        open.push_back(submit(&pool, &options, &journal, number, 50 + run.random.below(400) as u32));
        number += 1;
        if open.len() == OPEN {
            fates.extend(open.pop_front().map(|future| fate(fates.len(), &future)));
            run.watch.sign();
        }
    }
    for future in open {
        fates.push(fate(fates.len(), &future));
        run.watch.sign();
    }
    let kills = killer.stop();
    run.watch.doing("waiting until the pool has noticed each kill, and nothing else");
    agree(&pool, &fates, &kills);
    end(pool);
    run.figure("width", width);
    run.figure("kills", kills.count());
    (journal, fates, kills)
}

/// The pool's own numbers are the same as ours, once it has noticed the last death.
fn agree(pool: &ProcessPoolExecutor, fates: &[Fate], kills: &Kills) {
    while pool.stats().deaths < kills.count() as u64 {
        // The end of a process is noticed a moment later.
        thread::park_timeout(Duration::from_millis(1));
    }
    let stats = pool.stats();
    let done = fates.iter().filter(|fate| fate.is_ok()).count();
    let expected = (done, fates.len() - done, kills.count());
    assert_eq!((stats.done as usize, stats.failed as usize, stats.deaths as usize), expected, "{stats}");
}

pub(super) fn submit(
    pool: &ProcessPoolExecutor,
    options: &TaskOptions,
    journal: &Journal,
    number: u32,
    micros: u32,
) -> Future<(u32, u32)> {
    let errand = Errand { journal: journal.key(), number, micros };
    pool.submit_with(options.clone(), run_errand, errand).expect("a pool whose workers are killed takes tasks")
}

/// Waits for a task, which has its result or was lost with its worker.
pub(super) fn fate(number: usize, future: &Future<(u32, u32)>) -> Fate {
    match future.result(None) {
        Ok((task, attempt)) => {
            assert_eq!(task as usize, number, "each future has its own task's result");
            Ok(attempt)
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "task {number}: {error}");
            let death = error.worker_death().expect("the details of a death");
            assert_eq!(death.signal(), Some(libc::SIGKILL), "task {number}: {error}");
            Err(death.pid())
        }
    }
}

/// What came of the tasks, by what the pool said and by what they noted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    tasks: usize,
    /// How many futures have an error.
    pub(super) failed: usize,
    /// Attempts that were lost in the middle: started, and not ended.
    pub(super) in_the_middle: usize,
    /// Attempts that were lost on their first steps, before they could note anything.
    pub(super) at_the_start: usize,
    /// Attempts that were lost on the way back: they noted their end, and the result did not get out.
    pub(super) at_the_end: usize,
}

impl Tally {
    /// Holds what the pool says against the journal.
    ///
    /// An attempt counts as lost if the pool has made another one, or has failed the task with it. Each loss belongs to
    /// the death of a worker, and no worker's death belongs to two of them.
    pub(super) fn check(journal: &Journal, fates: &[Fate], kills: &Kills) -> Tally {
        assert_eq!(journal.misdeeds(), 0, "no attempt runs twice, and none that the pool does not count");
        let mut tally = Tally { tasks: fates.len(), ..Tally::default() };
        let mut lost = Vec::new();
        for (number, fate) in (0..).zip(fates) {
            let all: Vec<Marks> = journal.attempts(number).collect();
            let made = match fate {
                Ok(attempt) => *attempt as usize - 1,
                // Where there is only one attempt, that is the one which was lost.
                Err(_) => all.len(),
            };
            let (before, rest) = all.split_at(made);
            for (at, attempt) in before.iter().enumerate() {
                // What an error says is about the last attempt.
                tally.lose(number, attempt, &mut lost, fate.err().filter(|_| at + 1 == all.len()));
            }
            let Some((last, behind)) = rest.split_first() else {
                tally.failed += 1;
                continue;
            };
            assert!(last.started.is_some() && last.started == last.ended, "task {number} has a result: {all:?}");
            let nothing = Marks { started: None, ended: None };
            assert!(behind.iter().all(|attempt| *attempt == nothing), "task {number} went on after its end: {all:?}");
        }
        let losses = tally.losses();
        assert!(losses <= kills.count(), "{losses} attempts were lost by {} kills", kills.count());
        kills.account_for(lost);
        tally
    }

    /// `died_in` is what the error says, if there was one.
    fn lose(&mut self, number: u32, marks: &Marks, lost: &mut Vec<u32>, died_in: Option<u32>) {
        let counter = match (marks.started, marks.ended) {
            (Some(_), None) => &mut self.in_the_middle,
            (Some(_), Some(_)) => &mut self.at_the_end,
            (None, _) => &mut self.at_the_start,
        };
        *counter += 1;
        if let (Some(pid), Some(said)) = (marks.started, died_in) {
            assert_eq!(pid, said, "task {number} ran in {pid}, and its error is about {said}");
        }
        lost.extend(marks.started.or(died_in));
    }

    pub(super) fn losses(&self) -> usize {
        self.in_the_middle + self.at_the_start + self.at_the_end
    }

    fn report(&self, run: &mut Run) {
        run.figure("tasks", self.tasks);
        run.figure("failed", self.failed);
        run.figure("attempts lost in the middle", self.in_the_middle);
        run.figure("on their first steps", self.at_the_start);
        run.figure("on the way back", self.at_the_end);
    }
}
