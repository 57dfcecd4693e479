//! Idle pools.

use std::{thread, time::Duration};

use super::Scenario;
use crate::{
    Outcome,
    contender::{
        Contender, Role, each_on_processes, each_on_threads,
        processes::{Ring, Socket},
        threads::Submit,
    },
    driver::{Driver, Side, Table, Target, probe::Probe},
    machine::cpu,
    work::{AddOne, Blocked},
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "idle",
    title: "idle pools",
    about: "A pool runs as many tasks as it has workers, and then gets no more. Two seconds later the processor time of \
            its threads and processes is counted by the scheduler for ten seconds (three in the short form). Each pool is in \
            a program of its own, and all run at the same time.",
    plot: None,
    run,
};

/// The limit for an idle pool: a ten thousandth of one processor.
const NEGLIGIBLE: f64 = 1_000.0;
/// The time until all workers have started and fallen asleep.
const WARM_UP: Duration = Duration::from_secs(2);

const WIDTHS: [usize; 3] = [2, 8, 64];

/// A process that is not idle, to show that the measurement detects it.
const CONTROL: &str = "a process that wakes every 10 ms";

fn run(driver: &mut Driver) -> Outcome<()> {
    let watch = driver.settings().watch;
    let mut table = Table::new("idle for 10 s", "us of processor time");
    for width in WIDTHS {
        table = table.sides(each_on_threads!(side(width, watch)))?.sides(each_on_processes!(side(width, watch)))?;
    }
    let mut probe = Probe::start(&["idle", CONTROL, "1", &watch.as_secs_f64().to_string()])?;
    table = table.side(Side::new(CONTROL, Role::Floor, move || probe.figure()).once());
    for name in [Submit::NAME, Ring::NAME, Socket::NAME] {
        for width in WIDTHS {
            table = table.target(Target::cost(label(name, width), NEGLIGIBLE, "1 ms"));
        }
    }
    driver.compare(table)
}

fn label(name: &str, width: usize) -> String {
    format!("{name}, {width} workers")
}

fn side<C: Contender>(width: usize, watch: Duration) -> Outcome<Side> {
    let mut probe = Probe::start(&["idle", C::NAME, &width.to_string(), &watch.as_secs_f64().to_string()])?;
    Ok(Side::new(label(C::NAME, width), C::ROLE, move || probe.figure()).once())
}

/// Measures a contender in this process. Returns microseconds in ten seconds.
pub(super) fn probe(name: &str, width: usize, seconds: f64) -> Outcome<f64> {
    if name == CONTROL {
        return control(seconds);
    }
    let probes = each_on_threads!(named()).into_iter().chain(each_on_processes!(named()));
    let (_, watch) = probes.into_iter().find(|(known, _)| *known == name).ok_or("no such contender")?;
    watch(width, seconds)
}

type Watch = fn(usize, f64) -> Outcome<f64>;

fn named<C: Contender>() -> (&'static str, Watch) {
    (C::NAME, watch::<C>)
}

fn watch<C: Contender>(width: usize, seconds: f64) -> Outcome<f64> {
    let pool = C::build(width)?;
    let handles: Vec<_> = (0..width as u64).map(|n| pool.submit::<AddOne>(n)).collect();
    let sum: u64 = handles.into_iter().map(C::collect).sum();
    assert_eq!(sum, (1..=width as u64).sum::<u64>());
    Ok(watched(Duration::from_secs_f64(seconds)))
}

/// Measures a worker of our pool that wakes repeatedly, in another process like all workers.
fn control(seconds: f64) -> Outcome<f64> {
    let pool = Ring::build(1)?;
    let gate = tempfile::NamedTempFile::new()?;
    let path = gate.path().to_str().ok_or("the name of the directory for temporary files is not text")?;
    let awake = pool.submit::<Blocked>(path.to_string());
    let used = watched(Duration::from_secs_f64(seconds));
    gate.close()?;
    assert_eq!(Ring::collect(awake), 0);
    Ok(used)
}

/// Returns the microseconds of processor time that all but this thread use in ten seconds, measured for a shorter time.
pub(super) fn watched(time: Duration) -> f64 {
    thread::sleep(WARM_UP);
    let before = cpu::used();
    thread::sleep(time);
    let used = cpu::used().saturating_sub(before);
    used.as_secs_f64() * 1e6 * 10.0 / time.as_secs_f64()
}
