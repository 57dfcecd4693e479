//! Runs random sequences of calls on every back-end, and compares the outcomes with plain function calls.
//!
//! A failure prints its seed. `CONFORMANCE_SEED=<seed>` runs that script again on every back-end.

use std::{sync::mpsc, time::SystemTime};

use conformance::{Harness, Setup};
use executor_core::{
    Backend, ErrorKind, Executor, Future, MapOptions, ReturnWhen, Shutdown, TaskOptions, as_completed, wait,
};
use process_pool::Transport;
use serde::{Deserialize, Serialize};
use test_support::{DEADLINE, Random};
use tests::harness::{Inline, Processes, Rayon, Threads};

/// The number of scripts if no seed is given.
const SCRIPTS: u64 = 60;

/// The number of steps of a script.
const STEPS: usize = 40;

/// The work of a task. Its outcome does not depend on the back-end.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Job {
    Square(u64),
    Panic(u64),
    Repeat(String, usize),
    Sum(Vec<u64>),
    Spin(u32),
}

/// The value of a job, or the message of its panic.
type Outcome = Result<String, String>;

fn perform(job: Job) -> String {
    match job {
        Job::Square(n) => n.wrapping_mul(n).to_string(),
        Job::Panic(n) => panic!("job {n} panics"),
        Job::Repeat(text, times) => text.repeat(times),
        Job::Sum(numbers) => numbers.iter().fold(0u64, |sum, n| sum.wrapping_add(*n)).to_string(),
        Job::Spin(rounds) => (0..rounds).fold(1u32, |n, _| std::hint::black_box(n.wrapping_mul(31))).to_string(),
    }
}

/// Returns the outcome of a plain function call.
fn expected(job: &Job) -> Outcome {
    match job {
        Job::Panic(n) => Err(format!("job {n} panics")),
        other => Ok(perform(other.clone())),
    }
}

fn random_job(random: &mut Random) -> Job {
    match random.below(5) {
        0 => Job::Square(random.next()),
        1 => Job::Panic(random.below(1000)),
        2 => Job::Repeat("ab".to_string(), random.index(2000)),
        3 => Job::Sum((0..random.below(50)).collect()),
        _ => Job::Spin(random.below(20_000) as u32),
    }
}

/// A submitted task that was not checked yet.
struct Submitted {
    job: Job,
    future: Future<String>,
    /// Whether `cancel` has returned `true`.
    cancelled: bool,
    /// Gets a message for each call of the callback.
    called: mpsc::Receiver<bool>,
}

impl Submitted {
    fn new(job: Job, future: Future<String>) -> Submitted {
        let (sender, called) = mpsc::channel();
        future.add_done_callback(move |future| {
            let _ = sender.send(future.done());
        });
        Submitted { job, future, cancelled: false, called }
    }

    /// Compares the outcome with that of a plain call. If `may_be_cancelled` is true, a shutdown may have cancelled the
    /// task.
    fn check(self, may_be_cancelled: bool) {
        let Submitted { job, future, cancelled, called } = self;
        match future.result(DEADLINE) {
            Ok(value) => {
                assert!(!cancelled, "{job:?} ran although `cancel` returned `true`");
                assert_eq!(Ok(value), expected(&job));
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                assert!(cancelled || may_be_cancelled, "{job:?} is cancelled without a cancel");
                assert!(future.cancelled());
            }
            Err(error) => {
                assert!(!cancelled, "{job:?} ran although `cancel` returned `true`: {error}");
                let panic = error.panic().unwrap_or_else(|| panic!("{job:?} failed: {error}"));
                assert_eq!(Err(panic.message().to_string()), expected(&job));
            }
        }
        assert_eq!(called.recv_timeout(DEADLINE), Ok(true), "{job:?}: its callback was not called");
        drop(future);
        assert_eq!(
            called.recv_timeout(DEADLINE),
            Err(mpsc::RecvTimeoutError::Disconnected),
            "{job:?}: it was called twice"
        );
    }
}

fn check_item(job: &Job, item: Result<String, executor_core::Error>) {
    let outcome =
        item.map_err(|error| error.panic().map_or_else(|| error.to_string(), |panic| panic.message().to_string()));
    assert_eq!(outcome, expected(job));
}

fn play(executor: &dyn Backend, random: &mut Random) {
    let mut open: Vec<Submitted> = Vec::new();
    for _ in 0..STEPS {
        let any = |random: &mut Random, open: &Vec<Submitted>| random.index(open.len().max(1));
        match random.below(10) {
            0..=3 => {
                let job = random_job(random);
                let options = TaskOptions::new().priority(random.below(3) as i32);
                let future = executor.submit_with(options, perform, job.clone()).expect("it is open");
                open.push(Submitted::new(job, future));
            }
            4 if !open.is_empty() => {
                let index = any(random, &open);
                let cancelled = open[index].future.cancel();
                assert!(cancelled || !open[index].cancelled, "`cancel` returned `true` before and now `false`");
                open[index].cancelled = cancelled;
            }
            5 if !open.is_empty() => {
                let index = any(random, &open);
                open.swap_remove(index).check(false);
            }
            6 => {
                let jobs: Vec<_> = (0..random.below(12)).map(|_| random_job(random)).collect();
                let mut options = MapOptions::new();
                if random.below(2) == 0 {
                    options = options.chunksize(1 + random.index(5));
                }
                if random.below(2) == 0 {
                    options = options.buffersize(1 + random.index(6));
                }
                let map = executor.map_with(options, perform, jobs.clone()).expect("it is open");
                let results: Vec<_> = map.collect();
                assert_eq!(results.len(), jobs.len());
                jobs.iter().zip(results).for_each(|(job, item)| check_item(job, item));
            }
            7 => {
                let inputs: Vec<_> = (0..random.below(8)).map(|_| random_job(random)).collect();
                let read = random.index(4);
                let map = executor.map(perform, inputs.clone()).expect("it is open");
                // The map is read in part and dropped, so the other jobs may run or not.
                inputs.iter().zip(map).take(read).for_each(|(job, item)| check_item(job, item));
            }
            8 => {
                let when = [ReturnWhen::AllCompleted, ReturnWhen::FirstCompleted, ReturnWhen::FirstException];
                let when = when[random.index(3)];
                let ids: Vec<_> = open.iter().map(|submitted| submitted.future.id()).collect();
                let mut rest = Vec::new();
                let futures: Vec<_> = open
                    .drain(..)
                    .map(|Submitted { job, future, cancelled, called }| {
                        rest.push((job, cancelled, called));
                        future
                    })
                    .collect();
                let waited = wait(futures, DEADLINE, when);
                assert!(when != ReturnWhen::AllCompleted || waited.not_done.is_empty());
                assert!(ids.is_empty() || !waited.done.is_empty());
                let mut futures: Vec<_> = waited.done.into_iter().chain(waited.not_done).collect();
                for (id, (job, cancelled, called)) in ids.into_iter().zip(rest) {
                    let index =
                        futures.iter().position(|future| future.id() == id).expect("`wait` returns every future");
                    open.push(Submitted { job, future: futures.swap_remove(index), cancelled, called });
                }
            }
            _ => {
                let jobs: Vec<_> = (0..random.below(6)).map(|_| random_job(random)).collect();
                let submit = |job: &Job| executor.submit(perform, job.clone()).expect("it is open");
                let futures: Vec<_> = jobs.iter().map(submit).collect();
                let ids: Vec<_> = futures.iter().map(Future::id).collect();
                for future in as_completed(futures, DEADLINE) {
                    let future = future.expect("it gets done in time");
                    let index = ids.iter().position(|id| *id == future.id()).expect("it is one of them");
                    check_item(&jobs[index], future.result(None));
                }
            }
        }
    }
    let mode = random.choose(&[Shutdown::Drain, Shutdown::CancelPending]);
    executor.shutdown(mode);
    for submitted in open {
        assert!(submitted.future.done(), "{mode:?} left {:?} open", submitted.future);
        submitted.check(mode == Shutdown::CancelPending);
    }
}

fn scripts(harness: &dyn Harness) {
    let given = std::env::var("CONFORMANCE_SEED").ok().map(|text| text.parse().expect("CONFORMANCE_SEED is a number"));
    let seeds = match given {
        Some(seed) => seed..seed + 1,
        None => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
            let first = now.as_nanos() as u64 >> 8;
            first..first + SCRIPTS
        }
    };
    for seed in seeds {
        // The test harness prints this only if the test fails.
        println!("CONFORMANCE_SEED={seed} on {}", harness.name());
        let mut random = Random::new(seed);
        let workers = 1 + random.index(3);
        let executor = harness.executor(&Setup::workers(workers)).expect("it can be made");
        play(&*executor, &mut random);
    }
}

#[test]
fn inline_agrees_with_plain_calls() {
    scripts(&Inline);
}

#[test]
fn threads_agree_with_plain_calls() {
    scripts(&Threads);
}

#[test]
fn rayon_agrees_with_plain_calls() {
    scripts(&Rayon);
}

#[test]
fn processes_on_rings_agree_with_plain_calls() {
    scripts(&Processes(Transport::Ring));
}

#[test]
fn processes_on_sockets_agree_with_plain_calls() {
    scripts(&Processes(Transport::Socket));
}
