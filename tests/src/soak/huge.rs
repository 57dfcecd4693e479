//! Workers are killed while they receive a huge argument or send a huge result.

use std::{
    collections::HashMap,
    process,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::Duration,
};

use executor_core::{Error, ErrorKind, Executor, Future, TaskOptions};
use process_pool::ProcessPoolExecutor;

use super::{
    Run, end,
    journal::{COUNTERS, Journal, Key},
    killer::kill,
    resources::{Resources, counted_kib, resident_kib},
    stopped::Stopped,
    tasks::{Job, attempt, run_job},
};
use costs::heap;

const WIDTH: usize = 3;

/// The pool fails a task after this many workers have died before they started it.
const MOST_KILLS: usize = 3;

/// How many arguments are sent at most until the workers of one are killed in time as often as required.
const TRIES: usize = 16;

/// The first number of the small tasks. Tasks with huge arguments have smaller numbers.
const HUGE: u32 = (MOST_KILLS * TRIES) as u32;

/// The number of attempts of every task.
const ATTEMPTS: u32 = 4;

/// The counters of the journal that list the workers that are ready: their number, and their process ids.
const READY: usize = 0;
const MOST_READY: usize = COUNTERS - 2;

/// How many more bytes may be allocated at the end, because some tables grow by doubling.
const HEAP_NOISE: usize = 64 * 1024;

/// How much more memory may be resident at the end. The allocator keeps freed memory that was allocated in small
/// pieces.
const RESIDENT_NOISE_KIB: usize = 48 * 1024;

/// In a worker: the journal. It is not part of the huge argument, because only plain bytes are copied directly.
static JOURNAL: OnceLock<Key> = OnceLock::new();

/// Notes that a worker is ready: until then it grows by what it loads.
fn remember(journal: Key) {
    let journal = JOURNAL.get_or_init(|| journal).open();
    let number = journal.counter(READY).fetch_add(1, SeqCst) as usize;
    assert!(number < MOST_READY, "more workers were started than this test needs");
    journal.counter(READY + 1 + number).store(process::id().into(), SeqCst);
}

fn is_ready(journal: &Journal, pid: u32) -> bool {
    (0..MOST_READY).any(|number| journal.counter(READY + 1 + number).load(SeqCst) == u64::from(pid))
}

/// Runs a task with a huge argument, whose first byte is the number of the task.
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
    // A task is failed after `MOST_KILLS` deaths and not before.
    for times in 1..=MOST_KILLS {
        run.watch.begin(format!("the worker of a huge argument is killed {times} times"));
        let caught = numbers.by_ref().take(TRIES).any(|number| {
            let victims = catch(run, &pool, &journal, number, length, times);
            (sent, kills) = (sent + 1, kills + victims);
            victims == times
        });
        assert!(caught, "{TRIES} arguments were sent, and the workers of none were killed in time {times} times");
    }
    run.figure("workers killed", kills);
    run.figure("arguments sent", sent);
    finish(run, others, pool, journal, before);
}

/// Sends a huge argument, kills `times` workers while they receive it, and checks the outcome.
///
/// Returns how many workers were killed in time. It is too late if the whole argument has arrived before.
fn catch(run: &Run, pool: &ProcessPoolExecutor, journal: &Journal, number: u8, length: usize, times: usize) -> usize {
    let mut bytes = pattern(length);
    bytes[0] = number;
    let number = u32::from(number);
    let expected = (length, sum(&bytes));
    // The memory of each worker before it receives the argument.
    let mut small: HashMap<u32, usize> = HashMap::new();
    grown(pool, journal, &mut small, length);
    let future = pool.submit(measure, bytes).expect("accepted");
    let mut victims = Vec::new();
    let mut missed = None;
    while victims.len() < times {
        let found = wait_for(|| match grown(pool, journal, &mut small, length).filter(|pid| !victims.contains(pid)) {
            None => future.done().then_some(None),
            worker => Some(worker),
        });
        let Some(pid) = found else { break };
        if !kill_while_receiving(pool, journal, number, length, pid) {
            missed = Some(pid);
            break;
        }
        victims.push(pid);
        run.watch.progress();
    }
    match future.result(None) {
        Ok(measured) => {
            assert!(victims.len() < MOST_KILLS, "{} workers were killed, and the task succeeded", victims.len());
            assert_eq!(measured, expected);
            assert_eq!(journal.starts(number), 1, "it was started once");
        }
        Err(error) if victims.len() == MOST_KILLS => {
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
            assert_eq!(error.worker_death().map(|death| death.pid()), victims.last().copied(), "{error}");
            assert_eq!(journal.starts(number), 0, "it never started");
        }
        Err(error) => {
            // On a very busy machine, the pool may kill a worker that this thread has stopped.
            let died = error.worker_death().map(|death| death.pid());
            assert!(died.is_some() && died == missed, "{} workers were killed: {error}", victims.len());
        }
    }
    victims.len()
}

/// Kills a worker if it is still receiving the argument. Returns `true` if it was killed.
fn kill_while_receiving(pool: &ProcessPoolExecutor, journal: &Journal, number: u32, length: usize, pid: u32) -> bool {
    let Some(worker) = Stopped::stop(pool, pid) else { return false };
    // A worker keeps an argument until its task has ended. So a worker that has all of it has noted a start, or uses
    // more memory than the argument has. The start alone is not enough, because for the pool a task starts before its
    // function runs.
    let is_receiving = journal.starts(number) == 0 && counted_kib(pid).is_some_and(|kib| kib < length / 1024);
    if is_receiving {
        return worker.kill();
    }
    worker.go_on();
    false
}

/// Returns a worker that has received a quarter of the argument since the first call of this function after it was
/// ready.
fn grown(pool: &ProcessPoolExecutor, journal: &Journal, small: &mut HashMap<u32, usize>, length: usize) -> Option<u32> {
    pool.worker_pids().into_iter().filter(|pid| is_ready(journal, *pid)).find(|pid| {
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
        run.watch.begin(format!("the worker of a huge result is killed {times} times, with {retries} retries"));
        let options = TaskOptions::new().retries(retries);
        let live = heap::live_bytes();
        let future = pool.submit_with(options, make, (journal.key(), number, length)).expect("accepted");
        for kill_number in 1..=times {
            // The task has ended in the worker, and a part of the result has arrived.
            let pid = wait_for(|| journal.marks(number, kill_number).ended);
            wait_for(|| (heap::live_bytes() > live + length / 8).then_some(()));
            assert!(kill(&pool, pid), "{pid} is a worker");
            killed += 1;
            if kill_number <= retries {
                // The partial result of the first attempt is freed before the second begins.
                wait_for(|| journal.marks(number, kill_number + 1).started);
            }
            run.watch.progress();
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

fn start(run: &mut Run) -> (Journal, Arc<ProcessPoolExecutor>, Resources) {
    let before = Resources::now();
    let journal = Journal::new(1_000_000, ATTEMPTS);
    let pool = run.build(run.builder(WIDTH).initializer(remember, journal.key()));
    (journal, pool, before)
}

/// Checks that all other tasks succeeded and that the memory is freed.
fn finish(run: &mut Run, others: Others, pool: Arc<ProcessPoolExecutor>, journal: Journal, before: Resources) {
    let tasks = others.stop();
    end(pool);
    assert_eq!(journal.violations(), 0);
    drop(journal);
    run.watch.begin("waiting for the memory to be freed");
    let mut after = Resources::now();
    while after.heap > before.heap + HEAP_NOISE || after.resident_kib > before.resident_kib + RESIDENT_NOISE_KIB {
        thread::park_timeout(Duration::from_millis(5));
        after = Resources::now();
    }
    assert_eq!(after.countable(), before.countable(), "{before}, then {after}");
    run.figure("other tasks", tasks);
    run.figure("before", before);
    run.figure("after", after);
}

/// Waits until `find` returns a value. There is no deadline here, because the watchdog has one.
fn wait_for<T>(mut find: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = find() {
            return found;
        }
        thread::park_timeout(Duration::from_micros(100));
    }
}

/// A thread that runs small tasks all the time.
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
            // ORDERING: the flag publishes no other data.
            while !seen.load(Relaxed) {
                let options = TaskOptions::new().retries(ATTEMPTS - 1);
                let future = pool.submit_with(options, run_job, Job { journal, number, micros: 500 });
                let result = future.and_then(|future: Future<(u32, u32)>| future.result(None));
                let (returned, _) = result.unwrap_or_else(|error: Error| panic!("another task failed: {error}"));
                assert_eq!(returned, number);
                number += 1;
            }
            number - HUGE
        });
        Others { stop, thread }
    }

    fn stop(self) -> u32 {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("all other tasks succeed")
    }
}
