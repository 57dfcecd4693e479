//! Everything at once: threads that submit, cancel, terminate, wait, drop and add callbacks, while workers are killed.

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
    tasks::{Errand, run_errand},
    watch::Watch,
};

const WIDTH: usize = 3;

/// How many threads use the pool.
const USERS: u32 = 4;

/// How many futures each of them has at once.
const OPEN: usize = 48;

/// How many tasks there may be in a second of the scenario: more than two cores can do.
const TASKS_A_SECOND: u64 = 40_000;

const KILLS_A_SECOND: u32 = 10;

/// How often a task may be run again, at most.
const MOST_RETRIES: u32 = 3;

/// A task, and what was done to its future.
struct Thread {
    number: u32,
    retries: u32,
    future: Future<(u32, u32)>,
    /// How many callbacks were added.
    callbacks: u32,
    /// What `cancel` said, if it was called.
    cancel: Option<bool>,
    /// Whether `terminate` ever said that it stops the task.
    terminate: bool,
}

/// How a task has ended, as far as its user knows.
#[derive(Clone, Copy, Debug)]
struct Story {
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
    /// With this process.
    Died(u32),
    /// The future was dropped before anybody knew.
    Unknown,
}

/// What all users share.
struct World {
    pool: Arc<ProcessPoolExecutor>,
    journal: Journal,
    /// How many callbacks of each task were called.
    called: Arc<Vec<AtomicU32>>,
    next: AtomicU32,
    over: Instant,
    watch: Arc<Watch>,
}

pub(super) fn storm(run: &mut Run) {
    let tasks = u32::try_from(run.amount * TASKS_A_SECOND).expect("some hours are enough");
    let world = World {
        pool: run.build(run.builder(WIDTH)),
        journal: Journal::new(tasks, MOST_RETRIES + 1),
        called: Arc::new((0..tasks).map(|_| AtomicU32::new(0)).collect()),
        next: AtomicU32::new(0),
        over: seconds_from_now(run.amount),
        watch: run.watch.clone(),
    };
    let killer = Killer::start(&world.pool, KILLS_A_SECOND, run.random.fork());
    let mut stories: Vec<Story> = Vec::new();
    thread::scope(|scope| {
        let users: Vec<_> = (0..USERS)
            .map(|_| {
                let (world, random) = (&world, run.random.fork());
                scope.spawn(move || use_it(world, tasks, random))
            })
            .collect();
        users.into_iter().for_each(|user| stories.extend(user.join().expect("a user who finds nothing wrong")));
    });
    let kills = killer.stop();
    let World { pool, journal, called, .. } = world;
    // This waits for what still runs, and for the callbacks.
    end(pool);
    check(&journal, &called, &stories, &kills);
    // A task that waits for another attempt can be withdrawn, although its first one had started.
    let late = |story: &&Story| story.end == End::Cancelled && journal.starts(story.number) > 0;
    let cancelled_late = stories.iter().filter(late).count();
    let count = |wanted: fn(&End) -> bool| stories.iter().filter(|story| wanted(&story.end)).count();
    run.figure("tasks", stories.len());
    run.figure("done", count(|end| matches!(end, End::Done(_))));
    run.figure("cancelled", count(|end| *end == End::Cancelled));
    run.figure("of those between two attempts", cancelled_late);
    run.figure("terminated", count(|end| *end == End::Terminated));
    run.figure("died", count(|end| matches!(end, End::Died(_))));
    run.figure("dropped", count(|end| *end == End::Unknown));
    run.figure("callbacks", stories.iter().map(|story| story.callbacks).sum::<u32>());
    run.figure("kills", kills.count());
}

/// One thread that uses the pool.
fn use_it(world: &World, tasks: u32, mut random: Random) -> Vec<Story> {
    let mut stories = Vec::new();
    let mut open: Vec<Thread> = Vec::new();
    while Instant::now() < world.over {
        if open.len() < OPEN {
            let number = world.next.fetch_add(1, SeqCst);
            if number >= tasks {
                break;
            }
            open.push(submit(world, number, &mut random));
        }
        let at = random.index(open.len());
        let chosen = &mut open[at];
        match random.below(64) {
            0..12 => {
                let answer = chosen.future.cancel();
                assert!(chosen.cancel != Some(true) || answer, "what was cancelled stays so");
                chosen.cancel = Some(answer);
            }
            12 => chosen.terminate |= chosen.future.terminate(Duration::from_millis(random.below(3))),
            13..20 => {
                let called = world.called.clone();
                let number = chosen.number as usize;
                chosen.future.add_done_callback(move |future| {
                    assert!(future.done());
                    called[number].fetch_add(1, SeqCst);
                });
                chosen.callbacks += 1;
            }
            20..24 => {
                let (done, running) = (chosen.future.done(), chosen.future.running());
                assert!(!(done && running), "what is done does not run");
                let _ = format!("{:?}", world.pool);
            }
            24..28 => {
                let dropped = open.swap_remove(at);
                stories.push(dropped.story(End::Unknown));
            }
            28..44 => {
                let oldest = open.remove(0);
                let end = oldest.wait(None).expect("without a time-out there is an answer");
                stories.push(oldest.story(end));
            }
            _ => {
                if let Some(end) = chosen.wait(Some(Duration::ZERO)) {
                    let over = open.swap_remove(at);
                    stories.push(over.story(end));
                }
            }
        }
        world.watch.sign();
    }
    for last in open {
        let end = last.wait(None).expect("without a time-out there is an answer");
        stories.push(last.story(end));
        world.watch.sign();
    }
    stories
}

fn submit(world: &World, number: u32, random: &mut Random) -> Thread {
    let retries = random.below(u64::from(MOST_RETRIES) + 1) as u32;
    let priority = if random.one_in(8) { random.below(3) as i32 - 1 } else { 0 };
    let errand = Errand { journal: world.journal.key(), number, micros: random.below(300) as u32 };
    let options = TaskOptions::new().retries(retries).priority(priority);
    let future = world.pool.submit_with(options, run_errand, errand).expect("the pool is open");
    Thread { number, retries, future, callbacks: 0, cancel: None, terminate: false }
}

impl Thread {
    fn story(&self, end: End) -> Story {
        Story { number: self.number, retries: self.retries, callbacks: self.callbacks, end }
    }

    /// The end, if it comes in time, which must agree with what was said before.
    fn wait(&self, timeout: Option<Duration>) -> Option<End> {
        let number = self.number;
        let end = match self.future.result(timeout) {
            Ok((task, attempt)) => {
                assert_eq!(task, number, "each future has its own task's result");
                End::Done(attempt)
            }
            Err(error) => match error.kind() {
                ErrorKind::Timeout => return None,
                ErrorKind::Cancelled => End::Cancelled,
                ErrorKind::Terminated => End::Terminated,
                ErrorKind::WorkerDied => {
                    let death = error.worker_death().expect("the details of a death");
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
            // `terminate` cancels what waits.
            End::Cancelled => assert!(was_cancelled || was_stopped, "nobody has cancelled task {number}"),
            _ => assert!(!was_cancelled, "task {number} was cancelled, and then {end:?}"),
        }
        assert!(end != End::Terminated || was_stopped, "nobody has terminated task {number}");
        Some(end)
    }
}

/// Holds all stories against the journal.
fn check(journal: &Journal, called: &[AtomicU32], stories: &[Story], kills: &Kills) {
    assert_eq!(journal.misdeeds(), 0, "no attempt runs twice");
    let mut lost = Vec::new();
    for story in stories {
        let all: Vec<Marks> = journal.attempts(story.number).collect();
        let calls = called[story.number as usize].load(SeqCst);
        assert_eq!(calls, story.callbacks, "each callback is called once: {story:?}");
        let (allowed, beyond) = all.split_at(story.retries as usize + 1);
        assert!(beyond.iter().all(|marks| marks.started.is_none()), "{story:?} was run too often: {all:?}");
        // The attempt in which it ended; those before it were lost.
        let last = match story.end {
            End::Done(attempt) => {
                let marks = all[attempt as usize - 1];
                assert!(marks.started.is_some() && marks.started == marks.ended, "{story:?}: {all:?}");
                attempt as usize - 1
            }
            End::Died(pid) => {
                assert!(kills.of(pid) > 0, "nobody has killed {pid}: {story:?}");
                lost.push(pid);
                assert!(allowed.last().is_some_and(|marks| marks.started.is_none_or(|in_it| in_it == pid)));
                allowed.len() - 1
            }
            End::Cancelled => allowed.len(),
            // It may be over, stopped or lost, and nobody has looked.
            End::Terminated | End::Unknown => {
                allowed.iter().rposition(|marks| marks.started.is_some()).unwrap_or_default()
            }
        };
        lost.extend(all[..last].iter().filter_map(|marks| marks.started));
        assert!(all[(last + 1).min(all.len())..].iter().all(|marks| marks.started.is_none()), "{story:?}: {all:?}");
    }
    kills.account_for(lost);
}
