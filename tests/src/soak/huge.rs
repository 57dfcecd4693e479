//! Workers are killed while something huge is on its way to them, or from them.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use executor_core::{Error, ErrorKind, Executor, Future, TaskOptions};
use process_pool::ProcessPoolExecutor;

use super::{
    Run,
    census::{Census, counted_kib, resident_kib},
    end, heap,
    journal::{Journal, Key},
    killer::kill,
    stopped::Stopped,
    tasks::{Errand, attempt, run_errand},
};

const WIDTH: usize = 3;

/// A task is given up when so many workers did not live to start it.
const MOST_KILLS: usize = 3;

/// How many arguments are sent until one is caught on its way as often as it should be.
const TRIES: usize = 16;

/// The tasks that have something huge; the others have the numbers from here on.
const HUGE: u32 = (MOST_KILLS * TRIES) as u32;

/// How many attempts anything has.
const ATTEMPTS: u32 = 4;

/// How many bytes more may be allocated at the end: some tables grow by doubling.
const HEAP_NOISE: usize = 64 * 1024;

/// How much more memory may be in use at the end: the allocator keeps some of what is freed, if it was asked for in
/// small pieces.
const RESIDENT_NOISE_KIB: usize = 48 * 1024;

/// In a worker: the journal. What is huge travels alone, for bytes alone are copied as they are.
static JOURNAL: OnceLock<Key> = OnceLock::new();

fn remember(journal: Key) {
    JOURNAL.get_or_init(|| journal);
}

/// The first byte is the number of the task.
fn measure(bytes: Vec<u8>) -> (usize, u64) {
    let journal = JOURNAL.get().expect("the initializer was run").open();
    let number = u32::from(bytes[0]);
    journal.start(number, attempt());
    let measured = (bytes.len(), sum(&bytes));
    journal.end(number, attempt());
    measured
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().step_by(4093).map(|byte| u64::from(*byte)).sum()
}

fn make((journal, number, length): (Key, u32, usize)) -> Vec<u8> {
    let journal = journal.open();
    journal.start(number, attempt());
    let bytes = pattern(length);
    journal.end(number, attempt());
    bytes
}

fn pattern(length: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..=250).collect();
    let mut bytes = block.repeat(length / block.len() + 1);
    bytes.truncate(length);
    bytes
}

pub(super) fn argument(run: &mut Run) {
    let length = run.amount as usize * 1024 * 1024;
    let (journal, pool, before) = start(run);
    let others = Others::start(&pool, &journal);
    let mut numbers = 0..HUGE as u8;
    let (mut sent, mut kills) = (0, 0);
    // A task that so many workers did not live to start is given up, and one that had fewer is not.
    for times in 1..=MOST_KILLS {
        run.watch.doing(format!("the worker of a huge argument is killed {times} times"));
        let caught = numbers.by_ref().take(TRIES).any(|number| {
            let victims = catch(run, &pool, &journal, number, length, times);
            (sent, kills) = (sent + 1, kills + victims);
            victims == times
        });
        assert!(caught, "{TRIES} arguments were sent, and none was caught on its way {times} times");
    }
    run.figure("workers killed", kills);
    run.figure("arguments sent", sent);
    finish(run, others, pool, journal, before);
}

/// Sends a huge argument, kills the workers that it is on its way to, so many of them, and checks what comes of it.
/// Answers how many were killed: where somebody else was faster than this thread, it has arrived before.
fn catch(run: &Run, pool: &ProcessPoolExecutor, journal: &Journal, number: u8, length: usize, times: usize) -> usize {
    let mut bytes = pattern(length);
    bytes[0] = number;
    let number = u32::from(number);
    let expected = (length, sum(&bytes));
    // What each worker has before it gets anything: those that are new begin with little.
    let mut small: HashMap<u32, usize> = HashMap::new();
    grown(pool, &mut small, length);
    let future = pool.submit(measure, bytes).expect("accepted");
    let mut victims = Vec::new();
    let mut missed = None;
    while victims.len() < times {
        let found = wait_for(|| match grown(pool, &mut small, length).filter(|pid| !victims.contains(pid)) {
            None => future.done().then_some(None),
            worker => Some(worker),
        });
        let Some(pid) = found else { break };
        if !kill_on_the_way(pool, journal, number, length, pid) {
            missed = Some(pid);
            break;
        }
        victims.push(pid);
        run.watch.sign();
    }
    match future.result(None) {
        Ok(measured) => {
            assert!(victims.len() < MOST_KILLS, "killed {} times, and all went well", victims.len());
            assert_eq!(measured, expected);
            assert_eq!(journal.starts(number), 1, "it was started in the end, and never before");
        }
        Err(error) if victims.len() == MOST_KILLS => {
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
            assert_eq!(error.worker_death().map(|death| death.pid()), victims.last().copied(), "{error}");
            assert_eq!(journal.starts(number), 0, "it never started");
        }
        Err(error) => {
            // On a very busy machine the pool may have killed the one that was stopped before it could go on.
            let died = error.worker_death().map(|death| death.pid());
            assert!(died.is_some() && died == missed, "{} workers were killed: {error}", victims.len());
        }
    }
    victims.len()
}

/// Kills a worker if the argument is still on its way there. False: it was not killed here, for the argument has
/// arrived.
fn kill_on_the_way(pool: &ProcessPoolExecutor, journal: &Journal, number: u32, length: usize, pid: u32) -> bool {
    let Some(worker) = Stopped::stop(pool, pid) else { return false };
    // A worker keeps an argument until its task has ended, so one that has all of it has noted a start or has more
    // memory in use than this. The start alone does not tell: to the pool the task has started a while before its first
    // line is run.
    let is_on_the_way = journal.starts(number) == 0 && counted_kib(pid).is_some_and(|kib| kib < length / 1024);
    if is_on_the_way {
        return worker.kill();
    }
    worker.go_on();
    false
}

/// A worker that has a quarter of the argument by now, and had not when it was seen first.
fn grown(pool: &ProcessPoolExecutor, small: &mut HashMap<u32, usize>, length: usize) -> Option<u32> {
    pool.worker_pids().into_iter().find(|pid| {
        let kib = resident_kib(&pid.to_string());
        kib > *small.entry(*pid).or_insert(kib) + length / 4 / 1024
    })
}

pub(super) fn result(run: &mut Run) {
    let length = run.amount as usize * 1024 * 1024;
    let (journal, pool, before) = start(run);
    let others = Others::start(&pool, &journal);
    let expected = pattern(length);
    let mut killed = 0;
    for (number, retries, times) in [(0, 0, 0), (1, 0, 1), (2, 1, 1), (3, 2, 2), (4, 1, 2)] {
        run.watch.doing(format!("the worker of a huge result is killed {times} times, with {retries} retries"));
        let options = TaskOptions::new().retries(retries);
        let live = heap::live_bytes();
        let future = pool.submit_with(options, make, (journal.key(), number, length)).expect("accepted");
        for kill_number in 1..=times {
            // It has come to its end there, and a part of the result is here.
            let pid = wait_for(|| journal.marks(number, kill_number).ended);
            wait_for(|| (heap::live_bytes() > live + length / 8).then_some(()));
            assert!(kill(&pool, pid), "{pid} is a worker");
            killed += 1;
            if kill_number <= retries {
                // What has come of the first attempt is thrown away, before the second begins.
                wait_for(|| journal.marks(number, kill_number + 1).started);
            }
            run.watch.sign();
        }
        check_result(&future, times > retries, &expected);
        let attempts = times.min(retries) + 1;
        assert_eq!(journal.starts(number), attempts as usize);
    }
    drop(expected);
    run.figure("workers killed", killed);
    finish(run, others, pool, journal, before);
}

fn check_result(future: &Future<Vec<u8>>, dies: bool, expected: &[u8]) {
    match future.result(None) {
        Ok(bytes) => assert!(!dies && bytes == expected, "{} bytes came back", bytes.len()),
        Err(error) => assert!(dies && error.kind() == ErrorKind::WorkerDied, "{error}"),
    }
}

fn start(run: &mut Run) -> (Journal, Arc<ProcessPoolExecutor>, Census) {
    let before = Census::now();
    let journal = Journal::new(1_000_000, ATTEMPTS);
    let pool = run.build(run.builder(WIDTH).initializer(remember, journal.key()));
    (journal, pool, before)
}

/// Everything else has gone well, and nothing huge is left.
fn finish(run: &mut Run, others: Others, pool: Arc<ProcessPoolExecutor>, journal: Journal, before: Census) {
    let tasks = others.stop();
    end(pool);
    assert_eq!(journal.misdeeds(), 0);
    drop(journal);
    run.watch.doing("waiting for the memory to come back");
    let mut after = Census::now();
    while after.heap > before.heap + HEAP_NOISE || after.resident_kib > before.resident_kib + RESIDENT_NOISE_KIB {
        thread::park_timeout(Duration::from_millis(5));
        after = Census::now();
    }
    assert_eq!(after.countable(), before.countable(), "{before}, then {after}");
    run.figure("other tasks", tasks);
    run.figure("before", before);
    run.figure("after", after);
}

/// Waits for something that the watchdog gives up on.
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        thread::park_timeout(Duration::from_micros(100));
    }
}

/// Small tasks that go on all the time.
struct Others {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<u32>,
}

impl Others {
    fn start(pool: &Arc<ProcessPoolExecutor>, journal: &Journal) -> Others {
        let stop = Arc::new(AtomicBool::new(false));
        let (pool, journal, seen) = (pool.clone(), journal.key(), stop.clone());
        let thread = thread::spawn(move || {
            let mut number = HUGE;
            // ORDERING: the flag stands for itself.
            while !seen.load(Relaxed) {
                let options = TaskOptions::new().retries(ATTEMPTS - 1);
                let future = pool.submit_with(options, run_errand, Errand { journal, number, micros: 500 });
                let answer = future.and_then(|future: Future<(u32, u32)>| future.result(None));
                let (answered, _) = answer.unwrap_or_else(|error: Error| panic!("another task failed: {error}"));
                assert_eq!(answered, number);
                number += 1;
            }
            number - HUGE
        });
        Others { stop, thread }
    }

    fn stop(self) -> u32 {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("all other tasks go well")
    }
}
