//! What a sandbox costs: the start of a worker, a task, a system call. Both sides take turns in one run.
//!
//! ```sh
//! cargo run --release -p benches --features sandbox --bin sandbox
//! cargo run --release -p benches --features sandbox --bin sandbox -- 1000    # rounds, 100 without a number
//! ```
//!
//! Only the ratios are meaningful on another machine. They are those of the least figures: a measurement takes a few
//! milliseconds, and what else the machine does only adds to it.
#![allow(unsafe_code)]

use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use concurrent_futures::{Error, Executor, Layer, LayerState, ProcessPoolExecutor, Refusal, Sandbox};
use rustix::process::getppid;

/// A figure of one round, in nanoseconds.
type Figure = f64;

/// A side of the comparison.
struct Side {
    name: &'static str,
    sandbox: Option<Sandbox>,
}

/// What is measured on each side, in each round.
struct Scenario {
    name: &'static str,
    unit: &'static str,
    measure: fn(&Side, &ProcessPoolExecutor) -> Result<Figure, Error>,
}

const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "start of a worker, processor time",
        unit: "us",
        measure: |side, _| start_in_processor_time(side),
    },
    Scenario {
        name: "start of a worker, until its first result",
        unit: "us",
        measure: |side, _| start_to_first_result(side),
    },
    Scenario { name: "one task and its result", unit: "us", measure: |_, pool| one(pool) },
    Scenario { name: "a task in a burst", unit: "us", measure: |_, pool| burst(pool) },
    Scenario { name: "system call without arguments (getppid)", unit: "ns", measure: |_, pool| call(pool, 0) },
    Scenario { name: "system call by argument (madvise)", unit: "ns", measure: |_, pool| call(pool, 1) },
    Scenario { name: "system call by argument (ioctl)", unit: "ns", measure: |_, pool| call(pool, 2) },
    Scenario { name: "write of one byte to /dev/null", unit: "ns", measure: |_, pool| call(pool, 3) },
];

fn build(side: &Side) -> Result<ProcessPoolExecutor, Error> {
    let builder = ProcessPoolExecutor::builder().max_workers(1).initializer(|()| open_null(), ());
    match &side.sandbox {
        Some(sandbox) => builder.sandbox(sandbox.clone()).build(),
        None => builder.build(),
    }
}

/// Starts a pool of one worker, has one task run, and ends it. Returns the processor time of all.
fn start_in_processor_time(side: &Side) -> Result<Figure, Error> {
    let before = processor_time();
    let pool = build(side)?;
    pool.submit(|n: u64| n, 1)?.result(None)?;
    // The processor time of a process counts once it is reaped.
    drop(pool);
    Ok((processor_time() - before).as_nanos() as f64 / 1000.0)
}

/// Starts a pool of one worker, and returns the time until it has run one task.
fn start_to_first_result(side: &Side) -> Result<Figure, Error> {
    let start = Instant::now();
    let pool = build(side)?;
    pool.submit(|n: u64| n, 1)?.result(None)?;
    Ok(start.elapsed().as_nanos() as f64 / 1000.0)
}

/// Returns the processor time of this process and of its children that have ended.
fn processor_time() -> Duration {
    let time = |who| {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the call fills the structure, of which every value is valid.
        let usage = unsafe {
            libc::getrusage(who, usage.as_mut_ptr());
            usage.assume_init()
        };
        let part = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
        part(usage.ru_utime) + part(usage.ru_stime)
    };
    time(libc::RUSAGE_SELF) + time(libc::RUSAGE_CHILDREN)
}

fn one(pool: &ProcessPoolExecutor) -> Result<Figure, Error> {
    const TIMES: u32 = 100;
    let start = Instant::now();
    for n in 0..TIMES {
        black_box(pool.submit(|n: u32| n + 1, n)?.result(None)?);
    }
    Ok(start.elapsed().as_nanos() as f64 / f64::from(TIMES) / 1000.0)
}

fn burst(pool: &ProcessPoolExecutor) -> Result<Figure, Error> {
    const TASKS: u32 = 2_000;
    let start = Instant::now();
    let futures: Vec<_> = (0..TASKS).map(|n| pool.submit(|n: u32| n + 1, n)).collect::<Result<_, Error>>()?;
    for future in futures {
        black_box(future.result(None)?);
    }
    Ok(start.elapsed().as_nanos() as f64 / f64::from(TASKS) / 1000.0)
}

/// The calls that a worker times, by their index.
const CALLS: [fn(u32) -> u64; 4] = [own_parent, advise, request, write_null];

/// Has a worker time a call.
fn call(pool: &ProcessPoolExecutor, which: usize) -> Result<Figure, Error> {
    const TIMES: u32 = 10_000;
    let nanoseconds = pool.submit(|(which, times): (usize, u32)| CALLS[which](times), (which, TIMES))?.result(None)?;
    Ok(nanoseconds as f64 / f64::from(TIMES))
}

fn timed(times: u32, mut call: impl FnMut()) -> u64 {
    let start = Instant::now();
    (0..times).for_each(|_| call());
    start.elapsed().as_nanos() as u64
}

fn own_parent(times: u32) -> u64 {
    timed(times, || {
        black_box(getppid());
    })
}

fn advise(times: u32) -> u64 {
    timed(times, || {
        // SAFETY: advice on no memory changes nothing.
        black_box(unsafe { libc::madvise(std::ptr::null_mut(), 0, libc::MADV_DONTNEED) });
    })
}

fn request(times: u32) -> u64 {
    let mut unread: libc::c_int = 0;
    timed(times, || {
        // SAFETY: the request writes one integer, and `unread` has the space for it.
        black_box(unsafe { libc::ioctl(0, libc::FIONREAD, &raw mut unread) });
    })
}

/// The null device, which the initializer opens while it may.
static NULL: std::sync::OnceLock<fs::File> = std::sync::OnceLock::new();

fn open_null() {
    if let Ok(file) = fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = NULL.set(file);
    }
}

fn write_null(times: u32) -> u64 {
    use std::io::Write as _;
    let Some(mut file) = NULL.get() else { return 0 };
    timed(times, || {
        black_box(file.write(b"x").is_ok());
    })
}

fn least(figures: &[Figure]) -> Figure {
    figures.iter().copied().min_by(f64::total_cmp).unwrap_or(Figure::NAN)
}

fn median(figures: &mut [Figure]) -> Figure {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_string()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown processor".into(), |(_, model)| model.to_string())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(100), |rounds| rounds.parse())?;
    let compute = Sandbox::compute();
    let mut sides = vec![
        Side { name: "no sandbox", sandbox: None },
        Side { name: "compute()", sandbox: Some(compute.clone()) },
        Side { name: "compute(), kill", sandbox: Some(compute.clone().on_refusal(Refusal::Kill)) },
    ];
    if compute.clone().read("/usr").check().is_ok() {
        sides.push(Side { name: "compute().read(\"/usr\")", sandbox: Some(compute.clone().read("/usr")) });
    }
    let status = compute.check()?;
    let in_force: Vec<String> = Layer::ALL
        .iter()
        .filter(|layer| *status.layer(**layer) == LayerState::InForce)
        .map(ToString::to_string)
        .collect();
    println!("{}, load {}, {rounds} rounds; in force: {}", processor(), load(), in_force.join(", "));
    let pools: Vec<ProcessPoolExecutor> = sides.iter().map(build).collect::<Result<_, Error>>()?;
    let mut figures = vec![vec![Vec::new(); sides.len()]; SCENARIOS.len()];
    // The first round warms up.
    for round in 0..=rounds {
        for (scenario, figures) in SCENARIOS.iter().zip(&mut figures) {
            for turn in 0..sides.len() {
                let at = (turn + round) % sides.len();
                let figure = (scenario.measure)(&sides[at], &pools[at])?;
                if round > 0 {
                    figures[at].push(figure);
                }
            }
        }
    }
    println!("| | {} |", sides.iter().map(|side| side.name).collect::<Vec<_>>().join(" | "));
    println!("|---{}|", "|---".repeat(sides.len()));
    for (scenario, figures) in SCENARIOS.iter().zip(&mut figures) {
        let base = least(&figures[0]);
        let cells = figures.iter_mut().enumerate().map(|(at, figures)| {
            let (least, median) = (least(figures), median(figures));
            let ratio = if at == 0 { String::new() } else { format!(", {:.2} times", least / base) };
            format!("{least:.2} {}{ratio} (median {median:.2})", scenario.unit)
        });
        println!("| {} | {} |", scenario.name, cells.collect::<Vec<_>>().join(" | "));
    }
    println!("the least figures, and medians; load at the end {}", load());
    Ok(())
}
