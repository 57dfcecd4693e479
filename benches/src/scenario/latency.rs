//! The latency of tasks while the workers have half of the work that they can do.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use test_support::Random;

use super::{Scenario, WIDTH};
use crate::{
    Job, Outcome,
    contender::{
        Contender, Role,
        processes::{Ring, Socket},
        threads::Submit,
    },
    driver::{Driver, Side, Table, Target},
    work::Spin,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "latency",
    title: "latency under half load",
    about: "Tasks of about a hundred microseconds arrive at random times, twice as far apart as two workers need for them. \
            The latency of a task is the time from its submission to its end as the program learns of it. The figure is the \
            99th percentile divided by the median. Bare threads take the tasks from a channel.",
    plot: None,
    run,
};

/// The tasks of one turn.
const TASKS: usize = 2_000;
/// The rounds of a task of about a hundred microseconds.
const ROUNDS: u64 = 67_000;
/// The mean time between two tasks.
const INTERVAL: Duration = Duration::from_micros(100);

const BARE: &str = "bare threads";

fn run(driver: &mut Driver) -> Outcome<()> {
    let table = Table::new("latency under half load", "99th percentile / median")
        .side(bare())
        .sides([side::<Submit>(), side::<Ring>(), side::<Socket>()])?
        .target(Target::times(Submit::NAME, 1.5, BARE))
        .target(Target::times(Ring::NAME, 1.5, BARE));
    driver.compare(table)
}

/// The latencies that are known, which every ended task adds to.
type Latencies = Arc<Mutex<Vec<Duration>>>;

fn note(latencies: &Latencies, latency: Duration) {
    latencies.lock().unwrap_or_else(PoisonError::into_inner).push(latency);
}

fn side<C: Contender<Handle<u64> = concurrent_futures::Future<u64>>>() -> Outcome<Side> {
    let pool = C::build(WIDTH)?;
    Ok(Side::new(C::NAME, C::ROLE, move || {
        let latencies = Latencies::default();
        let mut handles = Vec::with_capacity(TASKS);
        arrivals(|| {
            let start = Instant::now();
            let handle = pool.submit::<Spin>(ROUNDS);
            let latencies = latencies.clone();
            handle.add_done_callback(move |_| note(&latencies, start.elapsed()));
            handles.push(handle);
        });
        for handle in handles {
            C::collect::<u64>(handle);
        }
        spread(latencies)
    }))
}

fn bare() -> Side {
    Side::new(BARE, Role::Floor, || {
        let latencies = Latencies::default();
        let (sender, receiver) = mpsc::channel::<Instant>();
        let receiver = Mutex::new(receiver);
        thread::scope(|scope| {
            for _ in 0..WIDTH {
                scope.spawn(|| {
                    loop {
                        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok(start) = next else { return };
                        Spin::run(ROUNDS);
                        note(&latencies, start.elapsed());
                    }
                });
            }
            arrivals(|| sender.send(Instant::now()).expect("the threads receive"));
            drop(sender);
        });
        spread(latencies)
    })
}

/// Calls `arrive` at random times, which are the same in every turn.
fn arrivals(mut arrive: impl FnMut()) {
    let mut random = Random::new(1);
    let mut next = Instant::now();
    for _ in 0..TASKS {
        // The time between independent events.
        let share = (random.index(1 << 20) as f64 + 1.0) / (1 << 20) as f64;
        next += INTERVAL.mul_f64(-share.ln());
        thread::sleep(next.saturating_duration_since(Instant::now()));
        arrive();
    }
}

fn spread(latencies: Latencies) -> f64 {
    // A callback may still run after the result was taken.
    let mut latencies = loop {
        let taken = std::mem::take(&mut *latencies.lock().unwrap_or_else(PoisonError::into_inner));
        if taken.len() == TASKS {
            break taken;
        }
        latencies.lock().unwrap_or_else(PoisonError::into_inner).extend(taken);
        thread::sleep(Duration::from_millis(1));
    };
    latencies.sort_unstable();
    let at = |share: f64| latencies[(share * (TASKS - 1) as f64) as usize].as_secs_f64();
    at(0.99) / at(0.5)
}
