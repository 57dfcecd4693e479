//! Threads submit, cancel, terminate, wait, drop and add callbacks at the same time, while workers are killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use executor_core::{ErrorKind, Executor, Future, TaskOptions};
use process_pool::ProcessPoolExecutor;
use test_support::Random;

use super::{
    Run, end,
    journal::{Journal, Marks},
    killer::{Killer, Kills},
    seconds_from_now,
    tasks::{Job, run_job},
    watchdog::Watchdog,
};

const WIDTH: usize = 3;

/// The number of threads that use the pool.
const USERS: u32 = 4;

/// The number of futures that each of them has at the same time.
const OPEN: usize = 48;

/// The journal is made for this many tasks a second, which is more than two cores can run.
const TASKS_A_SECOND: u64 = 40_000;

const KILLS_A_SECOND: u32 = 10;

/// The largest number of retries.
const MOST_RETRIES: u32 = 3;

/// A task whose future is open, and the calls that were made on its future.
struct Open {
    number: u32,
    retries: u32,
    future: Future<(u32, u32)>,
    /// The number of callbacks that were added.
    callbacks: u32,
    /// What `cancel` returned, if it was called.
    cancel: Option<bool>,
    /// Whether `terminate` ever returned `true`.
    terminate: bool,
}

/// The calls that were made on a future, and how its task ended.
#[derive(Clone, Copy, Debug)]
struct History {
    number: u32,
    retries: u32,
    callbacks: u32,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With a result of this attempt.
    Done(u32),
    Cancelled,
    Terminated,
    /// With this worker process.
    Died(u32),
    /// The future was dropped before it was read.
    Unknown,
}

/// What all threads share.
struct Shared {
    pool: Arc<ProcessPoolExecutor>,
    journal: Journal,
    /// How many callbacks of each task have been called.
    called: Arc<Vec<AtomicU32>>,
    next: AtomicU32,
    over: Instant,
    watch: Arc<Watchdog>,
}

pub(super) fn storm(run: &mut Run) {
    let tasks = u32::try_from(run.amount * TASKS_A_SECOND).expect("some hours are enough");
    let shared = Shared {
        pool: run.build(run.builder(WIDTH)),
        journal: Journal::new(tasks, MOST_RETRIES + 1),
        called: Arc::new((0..tasks).map(|_| AtomicU32::new(0)).collect()),
        next: AtomicU32::new(0),
        over: seconds_from_now(run.amount),
        watch: run.watch.clone(),
    };
    let killer = Killer::start(&shared.pool, KILLS_A_SECOND, run.random.fork());
    let mut histories: Vec<History> = Vec::new();
    thread::scope(|scope| {
        let users: Vec<_> = (0..USERS)
            .map(|_| {
                let (shared, random) = (&shared, run.random.fork());
                scope.spawn(move || use_pool(shared, tasks, random))
            })
            .collect();
        users.into_iter().for_each(|user| histories.extend(user.join().expect("the thread does not panic")));
    });
    let kills = killer.stop();
    let Shared { pool, journal, called, .. } = shared;
    // This waits for running tasks and for callbacks.
    end(pool);
    check(&journal, &called, &histories, &kills);
    // A task can be cancelled between two attempts, although the first has started.
    let late = |history: &&History| history.end == End::Cancelled && journal.starts(history.number) > 0;
    let cancelled_late = histories.iter().filter(late).count();
    let count = |wanted: fn(&End) -> bool| histories.iter().filter(|history| wanted(&history.end)).count();
    run.figure("tasks", histories.len());
    run.figure("done", count(|end| matches!(end, End::Done(_))));
    run.figure("cancelled", count(|end| *end == End::Cancelled));
    run.figure("of those between two attempts", cancelled_late);
    run.figure("terminated", count(|end| *end == End::Terminated));
    run.figure("died", count(|end| matches!(end, End::Died(_))));
    run.figure("dropped", count(|end| *end == End::Unknown));
    run.figure("callbacks", histories.iter().map(|history| history.callbacks).sum::<u32>());
    run.figure("kills", kills.count());
}

/// Uses the pool on one thread.
fn use_pool(shared: &Shared, tasks: u32, mut random: Random) -> Vec<History> {
    let mut histories = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    while Instant::now() < shared.over {
        if open.len() < OPEN {
            let number = shared.next.fetch_add(1, SeqCst);
            if number >= tasks {
                break;
            }
            open.push(submit(shared, number, &mut random));
        }
        let at = random.index(open.len());
        let chosen = &mut open[at];
        match random.below(64) {
            0..12 => {
                let cancelled = chosen.future.cancel();
                assert!(chosen.cancel != Some(true) || cancelled, "a cancelled task stays cancelled");
                chosen.cancel = Some(cancelled);
            }
            12 => chosen.terminate |= chosen.future.terminate(Duration::from_millis(random.below(3))),
            13..20 => {
                let called = shared.called.clone();
                let number = chosen.number as usize;
                chosen.future.add_done_callback(move |future| {
                    assert!(future.done());
                    called[number].fetch_add(1, SeqCst);
                });
                chosen.callbacks += 1;
            }
            20..24 => {
                let (done, running) = (chosen.future.done(), chosen.future.running());
                assert!(!(done && running), "a task that is done does not run");
                let _ = format!("{:?}", shared.pool);
            }
            24..28 => {
                let dropped = open.swap_remove(at);
                histories.push(dropped.history(End::Unknown));
            }
            28..44 => {
                let oldest = open.remove(0);
                let end = oldest.wait(None).expect("a wait without a time-out has a result");
                histories.push(oldest.history(end));
            }
            _ => {
                if let Some(end) = chosen.wait(Some(Duration::ZERO)) {
                    let over = open.swap_remove(at);
                    histories.push(over.history(end));
                }
            }
        }
        shared.watch.progress();
    }
    for last in open {
        let end = last.wait(None).expect("a wait without a time-out has a result");
        histories.push(last.history(end));
        shared.watch.progress();
    }
    histories
}

fn submit(shared: &Shared, number: u32, random: &mut Random) -> Open {
    let retries = random.below(u64::from(MOST_RETRIES) + 1) as u32;
    let priority = if random.one_in(8) { random.below(3) as i32 - 1 } else { 0 };
    let job = Job { journal: shared.journal.key(), number, micros: random.below(300) as u32 };
    let options = TaskOptions::new().retries(retries).priority(priority);
    let future = shared.pool.submit_with(options, run_job, job).expect("the pool is open");
    Open { number, retries, future, callbacks: 0, cancel: None, terminate: false }
}

impl Open {
    fn history(&self, end: End) -> History {
        History { number: self.number, retries: self.retries, callbacks: self.callbacks, end }
    }

    /// Returns the end of the task, or `None` after the time-out, and checks it against the earlier calls.
    fn wait(&self, timeout: Option<Duration>) -> Option<End> {
        let number = self.number;
        let end = match self.future.result(timeout) {
            Ok((task, attempt)) => {
                assert_eq!(task, number, "each future has the result of its own task");
                End::Done(attempt)
            }
            Err(error) => match error.kind() {
                ErrorKind::Timeout => return None,
                ErrorKind::Cancelled => End::Cancelled,
                ErrorKind::Terminated => End::Terminated,
                ErrorKind::WorkerDied => {
                    let death = error.worker_death().expect("a lost task has the details of the death");
                    assert_eq!(death.signal(), Some(libc::SIGKILL), "task {number}: {error}");
                    End::Died(death.pid())
                }
                _ => panic!("task {number}: {error}"),
            },
        };
        let (was_cancelled, was_stopped) = (self.cancel == Some(true), self.terminate);
        assert!(self.future.done() && !self.future.running());
        assert_eq!(self.future.cancelled(), end == End::Cancelled, "task {number}: {end:?}");
        match end {
            // `terminate` cancels a task that has not started.
            End::Cancelled => {
                assert!(was_cancelled || was_stopped, "task {number} ended as cancelled without a cancel")
            }
            _ => assert!(!was_cancelled, "task {number} was cancelled, and then {end:?}"),
        }
        assert!(end != End::Terminated || was_stopped, "task {number} ended as terminated without a terminate");
        Some(end)
    }
}

/// Checks all histories against the journal.
fn check(journal: &Journal, called: &[AtomicU32], histories: &[History], kills: &Kills) {
    assert_eq!(journal.violations(), 0, "no attempt runs twice");
    let mut lost = Vec::new();
    for history in histories {
        let all: Vec<Marks> = journal.attempts(history.number).collect();
        let calls = called[history.number as usize].load(SeqCst);
        assert_eq!(calls, history.callbacks, "each callback is called once: {history:?}");
        let (allowed, beyond) = all.split_at(history.retries as usize + 1);
        assert!(beyond.iter().all(|marks| marks.started.is_none()), "{history:?} ran too often: {all:?}");
        // The attempt in which the task ended. Those before it were lost.
        let last = match history.end {
            End::Done(attempt) => {
                let marks = all[attempt as usize - 1];
                assert!(marks.started.is_some() && marks.started == marks.ended, "{history:?}: {all:?}");
                attempt as usize - 1
            }
            End::Died(pid) => {
                assert!(kills.of(pid) > 0, "{pid} was not killed: {history:?}");
                lost.push(pid);
                assert!(allowed.last().is_some_and(|marks| marks.started.is_none_or(|in_it| in_it == pid)));
                allowed.len() - 1
            }
            End::Cancelled => allowed.len(),
            // The last attempt that started may have ended, or been stopped or lost.
            End::Terminated | End::Unknown => {
                allowed.iter().rposition(|marks| marks.started.is_some()).unwrap_or_default()
            }
        };
        lost.extend(all[..last].iter().filter_map(|marks| marks.started));
        assert!(all[(last + 1).min(all.len())..].iter().all(|marks| marks.started.is_none()), "{history:?}: {all:?}");
    }
    kills.account_for(lost);
}
