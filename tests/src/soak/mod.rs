//! Load tests: many tasks, many deaths, many races, and a journal that nothing of it can change.
//!
//! `cargo run --release -p tests --bin soak` lists the scenarios. Each is run on the back-ends that it is about, for as
//! long, or as often, as it is told; `tests/tests/soak.rs` runs a short form of each.

mod census;
mod crowd;
pub mod heap;
mod huge;
mod journal;
mod killer;
mod kills;
mod options;
mod races;
mod stillborn;
mod stopped;
mod storm;
mod tasks;
mod turnover;
mod watch;

pub use heap::Heap;
pub use options::{Options, USAGE};

use std::{
    fmt::{self, Debug, Display},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor, Transport};
use test_support::Random;
use watch::Watch;

/// What a scenario runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Worker processes behind shared memory.
    Ring,
    /// Worker processes behind sockets.
    Socket,
    /// Threads.
    Threads,
}

impl Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            On::Ring => "ring",
            On::Socket => "socket",
            On::Threads => "threads",
        })
    }
}

/// How much of a scenario there is: the number is chosen by who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Chosen by `--seconds`.
    Seconds,
    /// Chosen by `--count`; what is counted.
    Count(&'static str),
}

/// One kind of load.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// How it is called.
    pub name: &'static str,
    /// What happens in it.
    pub about: &'static str,
    /// What it may be run on.
    pub on: &'static [On],
    /// What there is more or less of.
    pub unit: Unit,
    /// How much of it there is, if nobody says otherwise.
    pub long: u64,
    /// How much of it there is in the short form.
    pub short: u64,
    run: fn(&mut Run),
}

const PROCESSES: &[On] = &[On::Ring, On::Socket];
const ALL: &[On] = &[On::Ring, On::Socket, On::Threads];

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "kills-with-retries",
        about: "20 workers a second are killed under small tasks that may be retried; all succeed",
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
        about: "worker after worker is taken down by its task; nothing is left in the program",
        on: PROCESSES,
        unit: Unit::Count("crashes"),
        long: 10_000,
        short: 150,
        run: turnover::crash_and_replace,
    },
    Scenario {
        name: "one-task-per-worker",
        about: "each task has a fresh worker; nothing is left in the program",
        on: PROCESSES,
        unit: Unit::Count("tasks"),
        long: 10_000,
        short: 150,
        run: turnover::one_task_per_worker,
    },
    Scenario {
        name: "all-killed",
        about: "all workers are killed at once while tasks wait, with and without retries, in pools of several widths",
        on: PROCESSES,
        unit: Unit::Count("tasks a pool"),
        long: 10_000,
        short: 1_500,
        run: crowd::all_killed,
    },
    Scenario {
        name: "killed-over-argument",
        about: "workers are killed while a huge argument arrives there; others go on, and the memory comes back",
        on: PROCESSES,
        unit: Unit::Count("MiB"),
        long: 512,
        short: 40,
        run: huge::argument,
    },
    Scenario {
        name: "killed-over-result",
        about: "workers are killed while a huge result leaves them; others go on, and the memory comes back",
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
        name: "stillborn",
        about: "workers never live to be ready: the pool is broken and says why, after few starts",
        on: PROCESSES,
        unit: Unit::Count("rounds"),
        long: 20,
        short: 1,
        run: stillborn::stillborn,
    },
    Scenario {
        name: "cancel-races-start",
        about: "tasks are cancelled in the moment of their start: they ran or were cancelled, never both, never neither",
        on: ALL,
        unit: Unit::Count("tasks"),
        long: 1_000_000,
        short: 8_000,
        run: races::cancel_races_start,
    },
    Scenario {
        name: "terminate-races-finish",
        about: "tasks are terminated in the moment of their end: one outcome, which agrees with what they did",
        on: ALL,
        unit: Unit::Count("tasks"),
        long: 1_000_000,
        short: 4_000,
        run: races::terminate_races_finish,
    },
];

/// A scenario under way: what it was told, and what it has found.
struct Run {
    on: On,
    amount: u64,
    random: Random,
    watch: Arc<Watch>,
    figures: Vec<String>,
}

impl Run {
    /// A builder of the pool that the scenario is about.
    fn builder(&self, workers: usize) -> ProcessPoolBuilder {
        let transport = if self.on == On::Socket { Transport::Socket } else { Transport::Ring };
        ProcessPoolExecutor::builder().transport(transport).max_workers(workers)
    }

    /// Builds it, and has it watched.
    fn build(&self, builder: ProcessPoolBuilder) -> Arc<ProcessPoolExecutor> {
        let pool = Arc::new(builder.build().expect("a pool"));
        self.watch.pool(&pool);
        pool
    }

    /// Notes a figure for the report.
    fn figure(&mut self, name: &str, value: impl Display) {
        self.figures.push(format!("{name} {value}"));
    }
}

/// Drops a pool that nobody else has any more, which waits for its end.
fn end<P: Debug>(pool: Arc<P>) {
    assert_eq!(Arc::strong_count(&pool), 1, "the last owner waits for the end of the pool");
    drop(pool);
}

/// Runs what was asked for, prints what came of it, and answers whether all is well.
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
    let watch = Arc::new(Watch::start(again.clone(), options.patience));
    let mut run = Run { on, amount, random: Random::new(options.seed), watch, figures: Vec::new() };
    let start = Instant::now();
    // The panic hook has printed what is wrong.
    let passes = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&mut run))).is_ok();
    println!("  {}", run.figures.join(", "));
    println!("  {} {} on {on}, {:.1?}", if passes { "PASS" } else { "FAIL" }, scenario.name, start.elapsed());
    passes
}

/// The end of a stretch of so many seconds.
fn seconds_from_now(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}
