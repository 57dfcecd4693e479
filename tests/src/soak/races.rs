//! `cancel` races the start of a task, and `terminate` races its end.
//!
//! Each call is made at about the moment at which its result changes. The results so far determine the delay before the
//! next call.

use std::{
    collections::VecDeque,
    fmt::Debug,
    ops::Range,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use executor_core::{ErrorKind, Executor, Future, task};
use process_pool::ProcessPoolExecutor;
use test_support::Random;
use thread_pool::ThreadPoolExecutor;

use super::{
    On, Run, end,
    journal::Journal,
    tasks::{Job, be_busy, run_job},
    watchdog::Watchdog,
};

const WIDTH: usize = 2;

/// The number of threads that call.
const RACERS: u32 = 2;

/// The number of futures that are checked together.
const BATCH: usize = 512;

/// The number of tasks that are stopped in the same way, one after another.
const STREAK: usize = 64;

/// The possible numbers of tasks between the one that was just submitted and the one that is cancelled.
const LAGS: [usize; 3] = [0, 1, 5];

/// What all threads share.
struct Track<'a, P> {
    on: On,
    pool: &'a P,
    journal: &'a Journal,
    watch: &'a Watchdog,
}

/// How many tasks ended in which way.
#[derive(Clone, Copy, Debug, Default)]
struct Outcomes {
    /// Cancelled before the start.
    cancelled: u64,
    /// Stopped while they ran.
    terminated: u64,
    /// The number of those that had noted their end.
    at_the_end: u64,
    /// Ended with a result.
    done: u64,
    /// The number of those for which `terminate` returned `true`.
    done_although_terminated: u64,
    /// The number of those that found the request to stop.
    found_request: u64,
}

impl Outcomes {
    fn add(&mut self, other: Outcomes) {
        self.cancelled += other.cancelled;
        self.terminated += other.terminated;
        self.at_the_end += other.at_the_end;
        self.done += other.done;
        self.done_although_terminated += other.done_although_terminated;
        self.found_request += other.found_request;
    }
}

pub(super) fn cancel_races_start(run: &mut Run) {
    let (outcomes, violations) = on_pool(run, race_cancels, race_cancels);
    assert_eq!(violations, 0, "no task runs twice");
    assert_eq!(outcomes.cancelled + outcomes.done, run.amount);
    assert!(outcomes.cancelled > 0 && outcomes.done > 0, "{outcomes:?}: there was no race");
    run.figure("cancelled", outcomes.cancelled);
    run.figure("ran", outcomes.done);
}

pub(super) fn terminate_races_finish(run: &mut Run) {
    let (outcomes, violations) = on_pool(run, race_stops, race_stops);
    assert_eq!(violations, 0, "no task runs twice");
    assert_eq!(outcomes.cancelled + outcomes.terminated + outcomes.done, run.amount);
    assert!(outcomes.done > 0, "{outcomes:?}: there was no race");
    // This is more than `terminate` promises: in our pools no task has a result after `terminate` returned `true`.
    assert_eq!(
        outcomes.done_although_terminated, 0,
        "{outcomes:?}: `terminate` returned `true` for tasks that have a result"
    );
    if run.on == On::Threads {
        assert_eq!(outcomes.terminated, 0, "no thread can be stopped");
        assert!(outcomes.cancelled > 0, "{outcomes:?}: there was no race");
    } else {
        assert!(outcomes.terminated > 0, "{outcomes:?}: there was no race");
    }
    run.figure("cancelled", outcomes.cancelled);
    run.figure("stopped", outcomes.terminated);
    run.figure("of those after they noted their end", outcomes.at_the_end);
    run.figure("ended", outcomes.done);
    run.figure("of those that found the request to stop", outcomes.found_request);
}

type Race<P> = fn(&Track<'_, P>, Range<u32>, Random) -> Outcomes;

/// Runs the threads, each with its share of the tasks, and checks the journal when the pool has ended.
fn on_pool(run: &mut Run, processes: Race<ProcessPoolExecutor>, threads: Race<ThreadPoolExecutor>) -> (Outcomes, u64) {
    match run.on {
        On::Threads => {
            let pool = Arc::new(ThreadPoolExecutor::new(WIDTH).expect("a pool"));
            run.watch.pool(&pool);
            go(run, pool, threads)
        }
        _ => {
            let pool = run.build(run.builder(WIDTH));
            go(run, pool, processes)
        }
    }
}

fn go<P: Executor + Debug + 'static>(run: &mut Run, pool: Arc<P>, race: Race<P>) -> (Outcomes, u64) {
    let tasks = u32::try_from(run.amount).expect("some millions are enough");
    let journal = Journal::new(tasks, 1);
    let mut outcomes = Outcomes::default();
    let track = Track { on: run.on, pool: &*pool, journal: &journal, watch: &run.watch };
    let shares: Vec<_> = (0..RACERS).map(|racer| tasks / RACERS * racer..tasks / RACERS * (racer + 1)).collect();
    thread::scope(|scope| {
        let racers: Vec<_> = shares
            .into_iter()
            .map(|mut share| {
                if share.end + RACERS > tasks {
                    share.end = tasks;
                }
                let (track, random) = (&track, run.random.fork());
                scope.spawn(move || race(track, share, random))
            })
            .collect();
        racers.into_iter().for_each(|racer| outcomes.add(racer.join().expect("the thread does not panic")));
    });
    end(pool);
    // No task can start any more.
    let started = (0..tasks).filter(|task| journal.starts(*task) > 0).count() as u64;
    assert!(
        outcomes.done <= started && started <= outcomes.done + outcomes.terminated,
        "{outcomes:?}, {started} started"
    );
    (outcomes, journal.violations())
}

/// A delay that is adjusted until a call has each of its two results often.
struct Aim {
    nanos: f64,
    up: f64,
    down: f64,
}

impl Aim {
    /// Returns a delay that is adjusted until it is too short for this share of the calls.
    fn new(short: f64) -> Aim {
        // At this share, the steps up and down cancel out.
        let step = 0.25_f64;
        Aim { nanos: 2_000.0, up: 1.0 + step * (1.0 - short), down: 1.0 - step * short }
    }

    /// Returns a random delay near this one.
    fn draw(&self, random: &mut Random) -> Duration {
        Duration::from_nanos((self.nanos * (0.5 + random.below(1000) as f64 / 1000.0)) as u64)
    }

    fn note(&mut self, was_short: bool) {
        self.nanos = (self.nanos * if was_short { self.up } else { self.down }).clamp(20.0, 200_000.0);
    }
}

fn wait_for(time: Duration) {
    let start = Instant::now();
    loop {
        let elapsed = start.elapsed();
        if elapsed >= time {
            return;
        }
        // During a longer wait, another thread may use this core.
        if elapsed > Duration::from_micros(10) { thread::yield_now() } else { std::hint::spin_loop() }
    }
}

fn race_cancels<P: Executor>(track: &Track<'_, P>, tasks: Range<u32>, mut random: Random) -> Outcomes {
    let mut aims = LAGS.map(|_| Aim::new(0.5));
    let mut outcomes = Outcomes::default();
    let mut tasks = tasks.peekable();
    while tasks.peek().is_some() {
        let lag = random.index(LAGS.len());
        let aim = &mut aims[lag];
        let mut open: VecDeque<(u32, Future<(u32, u32)>)> = VecDeque::new();
        let mut called = Vec::new();
        for number in tasks.by_ref().take(BATCH) {
            let job = Job { journal: track.journal.key(), number, micros: 0 };
            open.push_back((number, track.pool.submit(run_job, job).expect("accepted")));
            let oldest = if open.len() > LAGS[lag] { open.pop_front() } else { None };
            if let Some((number, future)) = oldest {
                wait_for(aim.draw(&mut random));
                let cancelled = future.cancel();
                aim.note(cancelled);
                called.push((number, future, cancelled));
            }
        }
        called.extend(open.into_iter().map(|(number, future)| {
            let cancelled = future.cancel();
            (number, future, cancelled)
        }));
        for (number, future, cancelled) in called {
            if check_cancel(track, number, &future, cancelled) {
                outcomes.cancelled += 1;
            } else {
                outcomes.done += 1;
            }
        }
        track.watch.progress();
    }
    outcomes
}

/// Checks with the future and the journal that the task either ran or was cancelled.
fn check_cancel<P>(track: &Track<'_, P>, number: u32, future: &Future<(u32, u32)>, cancelled: bool) -> bool {
    let result = future.result(None);
    let marks = track.journal.marks(number, 1);
    let seen = (future.cancelled(), marks.started.is_some(), marks.ended.is_some());
    match result {
        Ok(value) => {
            assert_eq!((value, cancelled), ((number, 1), false), "task {number} has a result");
            assert_eq!(seen, (false, true, true), "task {number} has a result: {marks:?}");
        }
        Err(error) => {
            assert_eq!((error.kind(), cancelled), (ErrorKind::Cancelled, true), "task {number}: {error}");
            assert_eq!(seen, (true, false, false), "task {number} was cancelled: {marks:?}");
        }
    }
    cancelled
}

/// Runs a job. Returns its number and whether it found a request to stop.
fn run_stoppable(job: Job) -> (u32, bool) {
    let journal = job.journal.open();
    journal.start(job.number, 1);
    be_busy(job.micros);
    let stop_requested = task::current().is_some_and(|context| context.is_cancelled());
    journal.end(job.number, 1);
    (job.number, stop_requested)
}

fn race_stops<P: Executor>(track: &Track<'_, P>, tasks: Range<u32>, mut random: Random) -> Outcomes {
    // A stop ends a worker process, so most tasks of processes must end by themselves. A thread is never stopped.
    let mut after_submit = Aim::new(if track.on == On::Threads { 0.5 } else { 0.06 });
    let mut after_start = AfterStart { length: Aim::new(0.96), delay: Aim::new(0.04) };
    let mut outcomes = Outcomes::default();
    let mut tasks = tasks.peekable();
    while tasks.peek().is_some() {
        let numbers: Vec<u32> = tasks.by_ref().take(STREAK).collect();
        if random.one_in(2) {
            stop_after_submit(track, &numbers, &mut random, &mut after_submit, &mut outcomes);
        } else {
            after_start.stop(track, &numbers, &mut random, &mut outcomes);
        }
        track.watch.progress();
    }
    outcomes
}

/// Submits each task, and stops it after a delay.
fn stop_after_submit<P: Executor>(
    track: &Track<'_, P>,
    numbers: &[u32],
    random: &mut Random,
    delay: &mut Aim,
    outcomes: &mut Outcomes,
) {
    for number in numbers {
        let future = submit_stoppable(track, *number, random.below(4) as u32);
        wait_for(delay.draw(random));
        let stopped = future.terminate(Duration::ZERO);
        delay.note(stopped);
        check_stop(track, *number, &future, stopped, outcomes);
    }
}

/// Stops tasks between their start and their end.
struct AfterStart {
    /// The length of a task. It is adjusted on rings, where shared memory decides whether a task has ended.
    length: Aim,
    /// The delay after the start. It is adjusted on other back-ends.
    delay: Aim,
}

impl AfterStart {
    /// Submits many tasks, and stops each as soon as it has started.
    fn stop<P: Executor>(
        &mut self,
        track: &Track<'_, P>,
        numbers: &[u32],
        random: &mut Random,
        outcomes: &mut Outcomes,
    ) {
        let adjusts_length = track.on == On::Ring;
        let mut length =
            || if adjusts_length { self.length.draw(random).as_micros() as u32 } else { random.below(4) as u32 };
        let futures: Vec<_> = numbers.iter().map(|number| submit_stoppable(track, *number, length())).collect();
        for (number, future) in numbers.iter().zip(&futures) {
            let mut checks = 0_u32;
            while track.journal.marks(*number, 1).started.is_none() {
                checks += 1;
                if checks % 256 == 0 { thread::yield_now() } else { std::hint::spin_loop() }
            }
            if !adjusts_length {
                wait_for(self.delay.draw(random));
            }
            let stopped = future.terminate(Duration::ZERO);
            if adjusts_length {
                self.length.note(!stopped);
            } else {
                self.delay.note(stopped);
            }
            check_stop(track, *number, future, stopped, outcomes);
        }
    }
}

fn submit_stoppable<P: Executor>(track: &Track<'_, P>, number: u32, micros: u32) -> Future<(u32, bool)> {
    let job = Job { journal: track.journal.key(), number, micros };
    track.pool.submit(run_stoppable, job).expect("accepted")
}

fn check_stop<P>(
    track: &Track<'_, P>,
    number: u32,
    future: &Future<(u32, bool)>,
    stopped: bool,
    outcomes: &mut Outcomes,
) {
    let result = future.result(None);
    let marks = track.journal.marks(number, 1);
    let (started, ended) = (marks.started.is_some(), marks.ended.is_some());
    match result {
        Ok((task, found_request)) => {
            assert_eq!((task, started, ended), (number, true, true), "task {number} has a result: {marks:?}");
            outcomes.done += 1;
            outcomes.done_although_terminated += u64::from(stopped);
            outcomes.found_request += u64::from(found_request);
        }
        Err(error) => match error.kind() {
            ErrorKind::Cancelled => {
                assert_eq!((stopped, started), (true, false), "task {number} was cancelled: {marks:?}");
                assert!(future.cancelled(), "task {number} was cancelled");
                outcomes.cancelled += 1;
            }
            ErrorKind::Terminated => {
                assert!(
                    stopped && !future.cancelled(),
                    "task {number} was stopped, and `terminate` returned {stopped}"
                );
                outcomes.terminated += 1;
                outcomes.at_the_end += u64::from(ended);
            }
            _ => panic!("task {number}: {error}"),
        },
    }
}
