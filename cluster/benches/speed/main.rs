//! Measures the cluster beside the engine alone, on one machine and a server of its own.
//!
//! ```sh
//! NATS_SERVER=… cargo bench -p concurrent-futures-cluster --bench speed             # what a task costs
//! NATS_SERVER=… cargo bench -p concurrent-futures-cluster --bench speed -- growth   # how that grows
//! NATS_SERVER=… cargo bench -p concurrent-futures-cluster --bench speed -- peers    # beside others, see `peers.rs`
//! NATS_SERVER=… cargo bench -p concurrent-futures-cluster --bench speed -- part pool 3   # one row, three rounds
//! ```
//!
//! A part is `inline`, `pool` or `both`. It also says how many messages went into and out of the server for each task,
//! if `SPEED_VARZ` is the address of the server's monitoring: `NATS_SERVER` can name a script that adds `-m 8222`.
//!
//! Both sides of each ratio are measured in turns in one run, because the rates of a machine that does other things
//! change by the minute. The engine alone means: publish to a stream with a window of confirmations, pull in batches,
//! acknowledge. Client, agents and server are processes of their own; the stream is a file with one replica.

mod growth;
mod part;
mod peers;
mod processes;
mod raw;

use std::time::{Duration, Instant};

use cluster::{ClusterExecutor, Server};
use executor_core::{Error, Executor as _, Future};

use crate::processes::{Agents, Kind, cpu};

/// How often each side is measured.
const ROUNDS: usize = 5;

/// The tasks of one measurement.
const TASKS: u64 = 20_000;

/// What one measurement says.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// Tasks for each second.
    rate: f64,
    /// Microseconds of the server's processor time for each task.
    server: f64,
    /// The same of this process.
    client: f64,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["agent", url, token, kind, slots] => processes::be_agent(url, token, kind, slots),
        ["client", url, token, tasks] => processes::be_client(url, token, tasks),
        ["raw-agent", url, token] => raw::be_agent(url, token),
        ["growth"] => growth::print(),
        ["peers"] => peers::print(),
        ["part", kind, rounds] => part::print(kind, rounds),
        [] => costs(),
        _ => {
            eprintln!("usage: speed [growth | peers | part inline|pool|both ROUNDS]");
            Ok(())
        }
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn increment(n: u64) -> u64 {
    n + 1
}

/// Runs tasks, and returns what they cost.
fn tasks(cluster: &ClusterExecutor, server: u32, count: u64) -> Result<Measured, Error> {
    let before = (cpu(server), cpu(std::process::id()));
    let began = Instant::now();
    let futures = (0..count).map(|n| cluster.submit(increment, n)).collect::<Result<Vec<Future<u64>>, Error>>()?;
    for (future, n) in futures.iter().zip(0..) {
        assert_eq!(future.result(None)?, n + 1);
    }
    Ok(measured(began.elapsed(), before, server, count))
}

fn measured(took: Duration, before: (Duration, Duration), server: u32, count: u64) -> Measured {
    let each = |then: Duration, now: Duration| now.saturating_sub(then).as_secs_f64() * 1e6 / count as f64;
    Measured {
        rate: count as f64 / took.as_secs_f64(),
        server: each(before.0, cpu(server)),
        client: each(before.1, cpu(std::process::id())),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the median time of one of many that run one after the other.
fn one_by_one(count: usize, mut run: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        run()?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times))
}

/// What a task costs beside the engine alone.
fn costs() -> Result<(), Error> {
    let server = Server::start("127.0.0.1:0", "speed")?;
    println!("load {}; {ROUNDS} rounds in turns, medians; {TASKS} tasks with 8 bytes", load());
    let mut raw = raw::Client::start(&server)?;
    let mut results: [Vec<Measured>; 3] = Default::default();
    let mut lone: [Vec<f64>; 3] = Default::default();
    let mut items = Vec::new();
    for round in 0..=ROUNDS {
        let alone = raw.tasks(TASKS)?;
        let reply = one_by_one(1000, || raw.reply())?;
        let mut rows = vec![(alone, reply)];
        for kind in [Kind::Inline, Kind::Pool] {
            let agents = Agents::start(&server, kind, 1, 2)?;
            let cluster = agents.client()?;
            // What starts is not measured.
            tasks(&cluster, server.pid(), 2000)?;
            let measured = tasks(&cluster, server.pid(), TASKS)?;
            let one = one_by_one(1000, || cluster.submit(increment, 1)?.result(None).map(drop))?;
            rows.push((measured, one));
            if kind == Kind::Pool && round > 0 {
                let began = Instant::now();
                let sum = cluster.map(increment, 0..1_000_000)?.sum::<Result<u64, Error>>()?;
                assert_eq!(sum, 1_000_000 * 1_000_001 / 2);
                items.push(1.0 / began.elapsed().as_secs_f64());
            }
        }
        if round > 0 {
            for (at, (measured, one)) in rows.into_iter().enumerate() {
                results[at].push(measured);
                lone[at].push(one);
            }
        }
    }
    let names = ["the engine alone", "an agent without a pool", "an agent with 2 workers"];
    println!("| | tasks/s | ratio | server us | ratio | client us | one task, us | ratio |");
    println!("|---|---|---|---|---|---|---|---|");
    let of = |at: usize, what: fn(&Measured) -> f64| median(results[at].iter().map(what).collect());
    // Each ratio is that of one round.
    let ratio = |at: usize, what: fn(&Measured) -> f64| {
        median(results[at].iter().zip(&results[0]).map(|(one, base)| what(one) / what(base)).collect())
    };
    for (at, name) in names.into_iter().enumerate() {
        let lone_ratio = median(lone[at].iter().zip(&lone[0]).map(|(one, base)| one / base).collect());
        println!(
            "| {name} | {:.0} | {:.2} | {:.1} | {:.2} | {:.1} | {:.0} | {lone_ratio:.2} |",
            of(at, |m| m.rate),
            ratio(at, |m| m.rate),
            of(at, |m| m.server),
            ratio(at, |m| m.server),
            of(at, |m| m.client),
            median(lone[at].clone()),
        );
    }
    println!("\n`map` of a million items: {:.1} million items/s", median(items));
    println!("load {}", load());
    Ok(())
}
