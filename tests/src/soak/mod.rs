//! Load tests: many tasks, many deaths and many races, checked against a journal that no crash can damage.
//!
//! `cargo run --release -p tests --bin soak` lists the scenarios. Each runs on some of the back-ends, for a chosen time
//! or number of tasks. `tests/tests/soak.rs` runs a short form of each.

mod all_killed;
mod huge;
mod journal;
mod killer;
mod kills;
mod never_ready;
pub mod objects;
mod options;
mod processes;
mod races;
mod resources;
mod stopped;
mod storm;
mod tasks;
mod turnover;
mod watchdog;

pub use options::{Options, USAGE};

use std::{
    fmt::{self, Debug, Display},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};
use test_support::Random;
use watchdog::Watchdog;

/// The back-end of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Worker processes, through shared memory.
    Ring,
    /// Worker processes, through sockets.
    Socket,
    /// Threads.
    Threads,
    /// Processes that share objects.
    Processes,
    /// The same, each in a pid namespace of its own.
    Namespaces,
}

impl Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            On::Ring => "ring",
            On::Socket => "socket",
            On::Threads => "threads",
            On::Processes => "processes",
            On::Namespaces => "namespaces",
        })
    }
}

/// What the length of a scenario is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Chosen by `--seconds`.
    Seconds,
    /// Chosen by `--count`. The text says what is counted.
    Count(&'static str),
}

/// One kind of load.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    /// The back-ends that it can run on.
    pub on: &'static [On],
    /// What its length is measured in.
    pub unit: Unit,
    /// Its default length.
    pub long: u64,
    /// Its length in the short form.
    pub short: u64,
    run: fn(&mut Run),
}

const PROCESSES: &[On] = &[On::Ring, On::Socket];
/// A `Process` chooses its transport itself.
const OWN: &[On] = &[On::Ring];
const SHARING: &[On] = &[On::Processes, On::Namespaces];
const ALL: &[On] = &[On::Ring, On::Socket, On::Threads];

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "kills-with-retries",
        about: "20 workers a second are killed while small tasks with retries run; all tasks succeed",
        on: PROCESSES,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: kills::with_retries,
    },
    Scenario {
        name: "kills-without-retries",
        about: "the same without retries: exactly the tasks that ran fail",
        on: PROCESSES,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: kills::without_retries,
    },
    Scenario {
        name: "crash-and-replace",
        about: "each task kills its worker; the program keeps no resources of dead workers",
        on: PROCESSES,
        unit: Unit::Count("crashes"),
        long: 10_000,
        short: 150,
        run: turnover::crash_and_replace,
    },
    Scenario {
        name: "one-task-per-worker",
        about: "each task has a new worker; the program keeps no resources of old workers",
        on: PROCESSES,
        unit: Unit::Count("tasks"),
        long: 10_000,
        short: 150,
        run: turnover::one_task_per_worker,
    },
    Scenario {
        name: "processes",
        about: "processes of their own, one after the other, end in every way; the program keeps none of their resources",
        on: OWN,
        unit: Unit::Count("processes"),
        long: 100_000,
        short: 150,
        run: processes::one_after_the_other,
    },
    Scenario {
        name: "all-killed",
        about: "all workers are killed together while tasks wait, with and without retries, in pools of several widths",
        on: PROCESSES,
        unit: Unit::Count("tasks a pool"),
        long: 10_000,
        short: 1_500,
        run: all_killed::all_killed,
    },
    Scenario {
        name: "killed-over-argument",
        about: "workers are killed while they receive a huge argument; other tasks go on, and the memory is freed",
        on: PROCESSES,
        unit: Unit::Count("MiB"),
        long: 512,
        short: 40,
        run: huge::argument,
    },
    Scenario {
        name: "killed-over-result",
        about: "workers are killed while they send a huge result; other tasks go on, and the memory is freed",
        on: PROCESSES,
        unit: Unit::Count("MiB"),
        long: 512,
        short: 40,
        run: huge::result,
    },
    Scenario {
        name: "storm",
        about: "threads submit, cancel, terminate, drop and add callbacks while workers are killed",
        on: PROCESSES,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: storm::storm,
    },
    Scenario {
        name: "never-ready",
        about: "workers die before they are ready: after a few starts the pool is broken, with the reason",
        on: PROCESSES,
        unit: Unit::Count("rounds"),
        long: 20,
        short: 1,
        run: never_ready::never_ready,
    },
    Scenario {
        name: "cancel-races-start",
        about: "tasks are cancelled as they start: each either runs or is cancelled",
        on: ALL,
        unit: Unit::Count("tasks"),
        long: 1_000_000,
        short: 8_000,
        run: races::cancel_races_start,
    },
    Scenario {
        name: "terminate-races-finish",
        about: "tasks are terminated as they end: each has one outcome, which agrees with what it did",
        on: ALL,
        unit: Unit::Count("tasks"),
        long: 1_000_000,
        short: 4_000,
        run: races::terminate_races_finish,
    },
    Scenario {
        name: "objects-queue",
        about: "producers and consumers of a queue are killed: no item comes twice, and each death costs at most one",
        on: SHARING,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: objects::queue,
    },
    Scenario {
        name: "objects-growing-queue",
        about: "the same with items of which some make the ring grow",
        on: SHARING,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: objects::growing,
    },
    Scenario {
        name: "objects-queue-of-queues",
        about: "processes are killed that put queues into queues, and take them out: none is mistaken for another",
        on: SHARING,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: objects::queues,
    },
    Scenario {
        name: "objects-lock",
        about: "holders of a lock and an array are killed: there is never more than one, and the others go on",
        on: SHARING,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: objects::lock,
    },
    Scenario {
        name: "objects-semaphore",
        about: "processes with permits are killed: the permits add up",
        on: SHARING,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: objects::semaphore,
    },
    Scenario {
        name: "objects-barrier",
        about: "parties of a barrier are killed: it is broken for the others, and goes on after a reset",
        on: SHARING,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: objects::barrier,
    },
    Scenario {
        name: "objects-chunks",
        about: "owners of chunks of a shared slice are killed: a chunk never has two owners, and is back after a death",
        on: SHARING,
        unit: Unit::Seconds,
        long: 60,
        short: 1,
        run: objects::chunks,
    },
    Scenario {
        name: "objects-take-over",
        about: "holders of a lock are killed: how soon a thread that waits has it",
        on: &[On::Ring],
        unit: Unit::Count("deaths"),
        long: 100,
        short: 3,
        run: objects::take_over,
    },
    Scenario {
        name: "objects-idle",
        about: "64 processes sleep in the `get` of a queue: how much time of the processors they use",
        on: &[On::Processes],
        unit: Unit::Seconds,
        long: 10,
        short: 1,
        run: objects::idle,
    },
];

/// A running scenario: its parameters and its results.
struct Run {
    on: On,
    amount: u64,
    random: Random,
    watch: Arc<Watchdog>,
    figures: Vec<String>,
}

impl Run {
    /// Returns a builder for a pool with the transport of this run.
    fn builder(&self, workers: usize) -> ProcessPoolBuilder {
        let transport = if self.on == On::Socket { Transport::Socket } else { Transport::Ring };
        ProcessPoolExecutor::builder().transport(transport).max_workers(workers)
    }

    /// Builds a pool and registers it with the watchdog.
    fn build(&self, builder: ProcessPoolBuilder) -> Arc<ProcessPoolExecutor> {
        let pool = Arc::new(builder.build().expect("a pool"));
        self.watch.pool(&pool);
        pool
    }

    /// Adds a figure to the report.
    fn figure(&mut self, name: &str, value: impl Display) {
        self.figures.push(format!("{name} {value}"));
    }
}

/// Drops the last reference to a pool, which waits until the pool has ended.
fn end<P: Debug>(pool: Arc<P>) {
    assert_eq!(Arc::strong_count(&pool), 1, "another owner would keep the pool alive");
    drop(pool);
}

/// Runs the chosen scenarios and prints their results. Returns `true` if all pass.
pub fn run(options: &Options) -> bool {
    let mut failed = Vec::new();
    for scenario in &options.scenarios {
        for on in scenario.on.iter().filter(|on| options.on.is_none_or(|only| only == **on)) {
            if !run_one(scenario, *on, options) {
                failed.push(format!("{} on {on}", scenario.name));
            }
        }
    }
    if !failed.is_empty() {
        println!("FAILED: {}", failed.join(", "));
    }
    failed.is_empty()
}

fn run_one(scenario: &Scenario, on: On, options: &Options) -> bool {
    let amount = options.amount(scenario);
    let (option, what) = match scenario.unit {
        Unit::Seconds => ("--seconds", "seconds"),
        Unit::Count(what) => ("--count", what),
    };
    let again = format!("{} --on {on} {option} {amount} --seed {}", scenario.name, options.seed);
    println!("{}: {amount} {what} (soak {again})", scenario.name);
    let watch = Arc::new(Watchdog::start(again.clone(), options.hang_after));
    let mut run = Run { on, amount, random: Random::new(options.seed), watch, figures: Vec::new() };
    let start = Instant::now();
    // The panic hook has printed the reason of a failure.
    let passes = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&mut run))).is_ok();
    println!("  {}", run.figures.join(", "));
    println!("  {} {} on {on}, {:.1?}", if passes { "PASS" } else { "FAIL" }, scenario.name, start.elapsed());
    passes
}

/// Returns the moment in this many seconds.
fn seconds_from_now(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}
