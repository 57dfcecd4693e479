//! Queues and stores that are full.

use std::time::Duration;

use cluster::Provision;
use executor_core::{ErrorKind, Executor};
use test_support::{DEADLINE, wait_until};

use super::{Cluster, LONG, Run};
use crate::harness::{
    load::Load,
    member::{Agent, Client, Site},
    raw::Raw,
    server::Servers,
};

/// Row 19.
pub fn full(run: &mut Run) {
    own_queue(run);
    stream(run);
    store(run);
    large_values(run);
}

/// The bound that the client has itself.
fn own_queue(run: &mut Run) {
    let mut cluster = run.cluster(0);
    cluster.client = cluster.site.builder().queue_capacity(10).build().into();
    let client = &cluster.client;
    let futures: Vec<_> = (0..10).map(|n: u32| client.try_submit(|n| n, n).expect("there is room")).collect();
    let error = client.try_submit(|n: u32| n, 10).expect_err("it is full");
    assert_eq!(error.kind(), ErrorKind::QueueFull, "{error}");
    let agent = Agent::start(&cluster.site, &cluster.dir);
    // This one waits for room.
    assert_eq!(client.submit(|n: u32| n, 11).expect("there is room at last").result(DEADLINE).expect("a result"), 11);
    for (n, future) in futures.iter().enumerate() {
        assert_eq!(future.result(DEADLINE).expect("a result") as usize, n);
    }
    run.figure("`queue_capacity` of 10", "`QueueFull`; `submit` waits until an agent takes tasks");
    drop(agent);
}

/// The bound of the stream.
fn stream(run: &mut Run) {
    let servers = Servers::single(&mut run.random, "");
    let site = Site::new(servers.urls(), "faults");
    cluster::provision(&site.urls[0], Provision::new().pool("faults").capacity(50)).expect("an administrator may");
    let mut cluster = Cluster::over(servers, site, 0);
    let other = cluster.site.client();
    let (mut one, mut two) = (Load::new(cluster.journal("one")), Load::new(cluster.journal("two")));
    one.submit(&*cluster.client, 200, 1, 0);
    two.submit(&*other, 200, 1, 0);
    cluster.add_agent();
    let (one, two) = (one.finish(LONG), two.finish(LONG));
    one.all_done(1);
    two.all_done(1);
    run.figure("a stream for 50 tasks, two clients of 200", format!("{one}; and {two}"));
    drop(other);
}

/// The bound of the whole store of the engine.
fn store(run: &mut Run) {
    let store = "jetstream { store_dir: STORE, max_file_store: 4MB, max_memory_store: 1MB }\n";
    let servers = Servers::single_with_store(&mut run.random, store);
    let site = Site::new(servers.urls(), "faults");
    let mut cluster = Cluster::over(servers, site, 0);
    let client: &Client = &cluster.client;
    let tasks: Vec<_> = (0..100u8)
        .map(|n| client.submit(|bytes: Vec<u8>| bytes[0], vec![n; 100_000]).expect("it is accepted"))
        .collect();
    // The engine has refused most of them by now.
    std::thread::sleep(Duration::from_millis(500));
    cluster.add_agent();
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(task.result(LONG).expect("it runs when there is room") as usize, n);
    }
    run.figure("a store of 4 MB, 100 tasks of 100 kB", "all run when there is room");
    drop(cluster);
}

/// The bound of the store, for values that do not fit into messages.
fn large_values(run: &mut Run) {
    let store = "jetstream { store_dir: STORE, max_file_store: 12MB, max_memory_store: 1MB }\n";
    let servers = Servers::single_with_store(&mut run.random, store);
    let site = Site::new(servers.urls(), "faults");
    let mut cluster = Cluster::over(servers, site, 0);
    let client: &Client = &cluster.client;
    let count = run.amount(12, 40) as u8;
    let tasks: Vec<_> = (0..count)
        .map(|n| client.submit(|bytes: Vec<u8>| bytes[1_999_999], vec![n; 2_000_000]).expect("it is accepted"))
        .collect();
    cluster.add_agent();
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(task.result(LONG).expect("it runs when there is room") as usize, n);
    }
    let raw = Raw::open(&cluster.servers.urls());
    wait_until("an empty store", || raw.large_values("faults", "default") == Some(0));
    run.figure(
        &format!("a store of 12 MB, {count} tasks with arguments of 2 MB"),
        "all run when there is room; nothing is left",
    );
    drop(cluster);
}
