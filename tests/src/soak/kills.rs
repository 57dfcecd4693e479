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
    tasks::{Job, run_job},
};

/// The number of attempts of a task, which is more than a task needs even by bad luck.
const ATTEMPTS: u32 = 16;

/// The number of tasks that are submitted and not yet read.
const OPEN: usize = 256;

const KILLS_A_SECOND: u32 = 20;

/// The outcome of a task: a result from this attempt, or a loss in the process with this id.
pub(super) type Outcome = Result<u32, u32>;

pub(super) fn with_retries(run: &mut Run) {
    let (journal, outcomes, kills) = play(run, ATTEMPTS - 1);
    for (number, outcome) in (0..).zip(&outcomes) {
        assert!(outcome.is_ok(), "task {number} has retries, and failed; {} attempts started", journal.starts(number));
    }
    let tally = Tally::check(&journal, &outcomes, &kills);
    tally.report(run);
}

pub(super) fn without_retries(run: &mut Run) {
    let (journal, outcomes, kills) = play(run, 0);
    let tally = Tally::check(&journal, &outcomes, &kills);
    tally.report(run);
}

/// Runs tasks and kills workers until the time is up.
fn play(run: &mut Run, retries: u32) -> (Journal, Vec<Outcome>, Kills) {
    // Two cores cannot run as many, because a task takes at least a tenth of a millisecond.
    let most = u32::try_from(run.amount * 40_000).expect("some hours are enough");
    let journal = Journal::new(most, retries + 1);
    let width = 2 + run.random.below(4) as usize;
    let pool = run.build(run.builder(width));
    let killer = Killer::start(&pool, KILLS_A_SECOND, run.random.fork());
    let over = seconds_from_now(run.amount);
    let options = TaskOptions::new().retries(retries);
    let mut open: VecDeque<Future<(u32, u32)>> = VecDeque::new();
    let mut outcomes = Vec::new();
    let mut number = 0;
    while Instant::now() < over && number < most {
        open.push_back(submit(&pool, &options, &journal, number, 50 + run.random.below(400) as u32));
        number += 1;
        if open.len() == OPEN {
            outcomes.extend(open.pop_front().map(|future| outcome(outcomes.len(), &future)));
            run.watch.progress();
        }
    }
    for future in open {
        outcomes.push(outcome(outcomes.len(), &future));
        run.watch.progress();
    }
    let kills = killer.stop();
    run.watch.begin("waiting until the pool has noticed each kill");
    agree(&pool, &outcomes, &kills);
    end(pool);
    run.figure("width", width);
    run.figure("kills", kills.count());
    (journal, outcomes, kills)
}

/// Waits until the pool has noticed the last death, and checks that its statistics equal our counts.
fn agree(pool: &ProcessPoolExecutor, outcomes: &[Outcome], kills: &Kills) {
    while pool.stats().deaths < kills.count() as u64 {
        // The pool notices the end of a process shortly afterwards.
        thread::park_timeout(Duration::from_millis(1));
    }
    let stats = pool.stats();
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let expected = (done, outcomes.len() - done, kills.count());
    assert_eq!((stats.done as usize, stats.failed as usize, stats.deaths as usize), expected, "{stats}");
}

pub(super) fn submit(
    pool: &ProcessPoolExecutor,
    options: &TaskOptions,
    journal: &Journal,
    number: u32,
    micros: u32,
) -> Future<(u32, u32)> {
    let job = Job { journal: journal.key(), number, micros };
    pool.submit_with(options.clone(), run_job, job).expect("a pool whose workers are killed accepts tasks")
}

/// Waits for a task, which either succeeds or is lost with its worker.
pub(super) fn outcome(number: usize, future: &Future<(u32, u32)>) -> Outcome {
    match future.result(None) {
        Ok((task, attempt)) => {
            assert_eq!(task as usize, number, "each future has the result of its own task");
            Ok(attempt)
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "task {number}: {error}");
            let death = error.worker_death().expect("a lost task has the details of the death");
            assert_eq!(death.signal(), Some(libc::SIGKILL), "task {number}: {error}");
            Err(death.pid())
        }
    }
}

/// Counts of what happened to the tasks, from the pool and from the journal.
#[derive(Debug, Default)]
pub(super) struct Tally {
    tasks: usize,
    /// The number of futures with an error.
    pub(super) failed: usize,
    /// Lost attempts that had noted their start and not their end.
    pub(super) in_the_middle: usize,
    /// Lost attempts that had not noted anything yet.
    pub(super) at_the_start: usize,
    /// Lost attempts that had noted their end, and whose result did not arrive.
    pub(super) at_the_end: usize,
}

impl Tally {
    /// Checks the outcomes against the journal.
    ///
    /// An attempt counts as lost if the pool has started another one or has failed the task. Each loss belongs to the
    /// death of one worker, and no death belongs to two losses.
    pub(super) fn check(journal: &Journal, outcomes: &[Outcome], kills: &Kills) -> Tally {
        assert_eq!(journal.violations(), 0, "no attempt runs twice, and the pool counts every attempt");
        let mut tally = Tally { tasks: outcomes.len(), ..Tally::default() };
        let mut lost = Vec::new();
        for (number, outcome) in (0..).zip(outcomes) {
            let all: Vec<Marks> = journal.attempts(number).collect();
            let made = match outcome {
                Ok(attempt) => *attempt as usize - 1,
                // The pool has failed the task after its last attempt.
                Err(_) => all.len(),
            };
            let (before, rest) = all.split_at(made);
            for (at, attempt) in before.iter().enumerate() {
                // The error of a task describes its last attempt.
                tally.lose(number, attempt, &mut lost, outcome.err().filter(|_| at + 1 == all.len()));
            }
            let Some((last, behind)) = rest.split_first() else {
                tally.failed += 1;
                continue;
            };
            assert!(last.started.is_some() && last.started == last.ended, "task {number} has a result: {all:?}");
            let nothing = Marks { started: None, ended: None };
            assert!(behind.iter().all(|attempt| *attempt == nothing), "task {number} ran again after its end: {all:?}");
        }
        let losses = tally.losses();
        assert!(losses <= kills.count(), "{losses} attempts were lost in {} kills", kills.count());
        kills.account_for(lost);
        tally
    }

    /// Counts a lost attempt. `died_in` is the process in the error, if there is an error.
    fn lose(&mut self, number: u32, marks: &Marks, lost: &mut Vec<u32>, died_in: Option<u32>) {
        let counter = match (marks.started, marks.ended) {
            (Some(_), None) => &mut self.in_the_middle,
            (Some(_), Some(_)) => &mut self.at_the_end,
            (None, _) => &mut self.at_the_start,
        };
        *counter += 1;
        if let (Some(pid), Some(named)) = (marks.started, died_in) {
            assert_eq!(pid, named, "task {number} ran in {pid}, and its error names {named}");
        }
        lost.extend(marks.started.or(died_in));
    }

    pub(super) fn losses(&self) -> usize {
        self.in_the_middle + self.at_the_start + self.at_the_end
    }

    fn report(&self, run: &mut Run) {
        run.figure("tasks", self.tasks);
        run.figure("failed", self.failed);
        run.figure("attempts lost between start and end", self.in_the_middle);
        run.figure("before they noted their start", self.at_the_start);
        run.figure("after they noted their end", self.at_the_end);
    }
}
