//! Tasks that die by themselves.

use std::time::Duration;

use executor_core::{Error, Executor, MapOptions, TaskOptions};
use process_pool::ProcessPoolExecutor;
use test_support::DEADLINE;

use super::Run;
use crate::harness::member::{Agent, AgentOptions, Site, wait_for_agents};

/// What the memory of a task may have.
const MEMORY: u64 = 512 << 20;

const DEATHS: [&str; 6] = ["panic", "abort", "exit", "overflow", "memory", "time"];

fn die(way: String) -> u32 {
    match way.as_str() {
        "panic" => panic!("the task panics"),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(7),
        "overflow" => overflow(1) as u32,
        "memory" => {
            let mut kept: Vec<Vec<u8>> = Vec::new();
            loop {
                kept.push(vec![1; 16 << 20]);
            }
        }
        "time" => loop {
            std::thread::park();
        },
        _ => 42,
    }
}

#[allow(unconditional_recursion, reason = "it is the fault")]
fn overflow(depth: u64) -> u64 {
    std::hint::black_box(&[depth; 64]);
    overflow(depth + 1) + std::hint::black_box(1)
}

/// What an error says, but for the machine.
#[derive(Debug, PartialEq)]
struct Shown(String, Option<(Option<i32>, Option<i32>)>, bool);

fn shown(error: &Error) -> Shown {
    let death = error.worker_death().map(|death| (death.signal(), death.exit_code()));
    Shown(format!("{:?}", error.kind()), death, error.panic().is_some())
}

fn play(executor: &impl Executor, way: &str) -> (Shown, Option<String>) {
    let limit = if way == "time" { Duration::from_millis(500) } else { DEADLINE };
    let options = TaskOptions::new().name("victim").time_limit(limit);
    let future = executor.submit_with(options, die, way.to_string()).expect("it is accepted");
    let error = future.result(DEADLINE).expect_err("it dies");
    let host = error.worker_death().map(|death| death.host().to_string());
    (shown(&error), host)
}

/// Row 17.
pub fn deaths(run: &mut Run) {
    let mut cluster = run.cluster(0);
    let options = AgentOptions { memory_limit: Some(MEMORY), ..AgentOptions::default() };
    let site: &Site = &cluster.site;
    cluster.agents.push(Agent::start_with(site, &cluster.dir, &options));
    wait_for_agents(&cluster.client, 1);
    let local = ProcessPoolExecutor::builder().max_workers(2).memory_limit(MEMORY).build().expect("a pool");
    for way in DEATHS {
        let (there, host) = play(&*cluster.client, way);
        let (here, _) = play(&local, way);
        assert_eq!(there, here, "{way}");
        if there.1.is_some() {
            assert!(host.is_some_and(|host| !host.is_empty()), "{way}: no host");
        }
        run.figure(way, format!("`{}`, as in a local pool", there.0));
        if matches!(way, "time") {
            continue;
        }
        let inputs = (0..6).map(move |n| if n == 3 { way.to_string() } else { String::new() });
        let map = cluster.client.map_with(MapOptions::new().chunksize(6), die, inputs).expect("it is accepted");
        let results: Vec<_> = map.collect();
        let failed: Vec<usize> = (0..6).filter(|n| results[*n].is_err()).collect();
        assert_eq!(failed, [3], "{way} in a chunk: {results:?}");
    }
    run.figure("in a chunk of 6 of a `map`", "the one item fails alone");
    assert_eq!(cluster.client.submit(die, String::new()).expect("open").result(DEADLINE).expect("it lives"), 42);
}
