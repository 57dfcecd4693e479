//! How what a task costs grows.

use std::time::Instant;

use cluster::Server;
use executor_core::{Error, Executor as _, Future};

use crate::{
    TASKS, load,
    processes::{Agents, Kind, clients},
    raw, tasks,
};

fn length(bytes: Vec<u8>) -> u64 {
    bytes.len() as u64
}

pub fn print() -> Result<(), Error> {
    let server = Server::start("127.0.0.1:0", "speed")?;
    let mut raw = raw::Client::start(&server)?;
    println!("load {}; each ratio is to the engine alone, measured just before", load());
    println!("\n| agents | tasks/s | ratio | server us |\n|---|---|---|---|");
    for count in [1, 2, 4, 8, 16] {
        let agents = Agents::start(&server, Kind::Inline, count, 2)?;
        let cluster = agents.client()?;
        tasks(&cluster, server.pid(), 2000)?;
        let base = raw.tasks(TASKS)?;
        let measured = tasks(&cluster, server.pid(), TASKS)?;
        println!("| {count} | {:.0} | {:.2} | {:.1} |", measured.rate, measured.rate / base.rate, measured.server);
    }
    println!("\n| clients | tasks/s | ratio |\n|---|---|---|");
    for count in [1, 2, 4, 8] {
        let agents = Agents::start(&server, Kind::Inline, 2, 2)?;
        drop(agents.client()?);
        let base = raw.tasks(TASKS)?;
        let rate = TASKS as f64 / clients(&server, count, TASKS / count as u64)?;
        println!("| {count} | {rate:.0} | {:.2} |", rate / base.rate);
    }
    println!("\n| tasks queued together | tasks/s | ratio | server us | client us |\n|---|---|---|---|---|");
    {
        let agents = Agents::start(&server, Kind::Inline, 2, 2)?;
        let cluster = agents.client()?;
        tasks(&cluster, server.pid(), 2000)?;
        for count in [10, 100, 1000, 10_000, 100_000, 1_000_000] {
            let base = raw.tasks(TASKS)?;
            let measured = tasks(&cluster, server.pid(), count)?;
            println!(
                "| {count} | {:.0} | {:.2} | {:.1} | {:.1} |",
                measured.rate,
                measured.rate / base.rate,
                measured.server,
                measured.client
            );
        }
    }
    println!("\n| bytes of the argument | tasks/s | MB/s |\n|---|---|---|");
    let agents = Agents::start(&server, Kind::Pool, 1, 2)?;
    let cluster = agents.client()?;
    for size in [8, 1 << 10, 64 << 10, 256 << 10, 1 << 20, 8 << 20, 64 << 20] {
        let count = ((128 << 20) / size).clamp(4, 5000);
        let began = Instant::now();
        // Different ones, because equal ones are stored once.
        let submit = |n: usize| {
            let mut bytes = vec![1u8; size];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            cluster.submit(length, bytes)
        };
        let futures = (0..count).map(submit).collect::<Result<Vec<Future<u64>>, Error>>()?;
        for future in &futures {
            assert_eq!(future.result(None)?, size as u64);
        }
        let rate = count as f64 / began.elapsed().as_secs_f64();
        println!("| {size} | {rate:.1} | {:.1} |", rate * size as f64 / 1e6);
    }
    println!("\nload {}", load());
    Ok(())
}
