//! Servers that go down.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use cluster::Provision;
use executor_core::ErrorKind;
use test_support::{DEADLINE, wait_until};

use super::{Cluster, LONG, Run, seconds};
use crate::harness::{
    load::Load,
    member::{Site, wait_for_agents},
    network::{self, Network},
    raw::Raw,
    server::Servers,
};

/// Row 1.
pub fn restarts(run: &mut Run) {
    for (case, is_killed) in [("`kill -9`", true), ("`SIGTERM`", false)] {
        let mut cluster = run.cluster(2);
        let (tasks, times) = (run.amount(400, 5000), run.amount(1, 4));
        let mut load = Load::new(cluster.journal("restarts"));
        load.submit(&*cluster.client, tasks, 2, 0);
        let mut down = Duration::ZERO;
        for time in 0..times {
            // At any moment of the part of the load that comes next.
            let part = u64::from(tasks / (times + 1));
            let at = u64::from(time) * part + run.random.below(part);
            load.wait(at as usize, LONG);
            let began = Instant::now();
            if is_killed {
                cluster.servers.nodes[0].kill();
            } else {
                cluster.servers.nodes[0].terminate();
            }
            std::thread::sleep(Duration::from_millis(run.random.below(2000)));
            cluster.servers.nodes[0].start();
            down += began.elapsed();
        }
        let summary = load.finish(LONG);
        summary.all_done(1);
        run.figure(case, format!("{times} times, down for {:.1} s in all; {summary}", down.as_secs_f64()));
    }
}

/// Starts three servers, whose stream is on all of them, with two agents and a client.
fn three() -> Cluster {
    let servers = Servers::three(None);
    let site = Site::new(servers.urls(), "faults");
    provision(&site);
    Cluster::over(servers, site, 2)
}

fn provision(site: &Site) {
    // The nodes may still be choosing who leads.
    let mut last = None;
    wait_until("a stream on three nodes", || {
        let made = cluster::provision(&site.urls[0], Provision::new().pool(&site.pool).replicas(3));
        last = made.err();
        last.is_none()
    });
}

/// Row 2.
pub fn leader_killed(run: &mut Run) {
    let mut cluster = three();
    let tasks = run.amount(600, 3000);
    let mut load = Load::new(cluster.journal("leader"));
    load.submit(&*cluster.client, tasks, 4, 0);
    load.wait(tasks as usize / 4, LONG);
    let leader = leader(&cluster);
    cluster.servers.nodes[leader].kill();
    load.wait(tasks as usize / 2, LONG);
    cluster.servers.nodes[leader].start();
    let summary = load.finish(LONG);
    summary.all_done(1);
    run.figure("leader killed", summary);
}

fn leader(cluster: &Cluster) -> usize {
    let raw = Raw::open(&cluster.servers.urls());
    let mut leader = None;
    wait_until("a leader", || {
        leader = raw.leader(&cluster.site.pool);
        leader.is_some()
    });
    let leader = leader.expect("it was found");
    cluster.servers.nodes.iter().position(|node| node.name == leader).expect("it is one of the nodes")
}

/// Row 3.
pub fn majority_down(run: &mut Run) {
    let servers = Servers::three(None);
    let site = Site::new(servers.urls(), "faults");
    provision(&site);
    let patience = Duration::from_secs(6);
    let mut cluster = Cluster::over(servers, site, 2);
    cluster.client = cluster.site.builder().unavailable_after(patience).build().into();
    wait_for_agents(&cluster.client, 2);
    let mut load = Load::new(cluster.journal("majority"));
    load.submit(&*cluster.client, 20, 2, 0);
    load.wait(20, LONG);
    let began = Instant::now();
    cluster.servers.nodes[0].kill();
    cluster.servers.nodes[1].kill();
    let mut accepted = 0;
    let error = loop {
        match load.submit_one(&*cluster.client, 2, 0) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(began.elapsed() < DEADLINE, "it goes on accepting tasks without a queue that stores them");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let refused_after = began.elapsed();
    assert!(refused_after >= patience, "it has waited {refused_after:?} only");
    cluster.servers.nodes[0].start();
    cluster.servers.nodes[1].start();
    let back = Instant::now();
    wait_until("the queue to accept tasks", || load.submit_one(&*cluster.client, 2, 0).is_ok());
    let summary = load.finish(LONG);
    summary.all_done(1);
    let refused = refused_after.as_secs_f64();
    run.figure(
        "two of three killed",
        format!("{accepted} tasks accepted, then `Unavailable` after {refused:.1} s; all done {} after the restart; {summary}", seconds(back)),
    );
}

/// Row 4.
pub fn rolling_restart(run: &mut Run) {
    let mut cluster = three();
    let mut load = Load::new(cluster.journal("rolling"));
    let times = run.amount(1, 3) as usize;
    let began = Instant::now();
    for node in 0..times {
        // There is something to do all the time.
        let before = load.futures().len();
        load.submit(&*cluster.client, 2000, 4, 0);
        load.wait(before + 50, LONG);
        cluster.servers.nodes[node].end_as_lame_duck();
        cluster.servers.nodes[node].start();
        load.wait(before + 2000, LONG);
        let all_there = || cluster.servers.nodes.iter().all(|node| node.is_healthy());
        wait_until("three nodes that are up to date", all_there);
    }
    let longest = longest_pause(&load);
    let summary = load.finish(LONG);
    summary.all_done(1);
    run.figure(
        "each node in turn",
        format!(
            "{times} restarts in {}; longest pause while tasks were there {:.2} s; {summary}",
            seconds(began),
            longest.as_secs_f64()
        ),
    );
}

/// Returns the longest time between two ends within one batch of 2000 tasks.
fn longest_pause(load: &Load) -> Duration {
    let ends = load.ends();
    let pauses = ends.windows(2).filter(|pair| pair[0].task / 2000 == pair[1].task / 2000);
    pauses.map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
}

/// Row 9.
pub fn minority(run: &mut Run) {
    if let Some(why) = network::lacking() {
        return run.skip("a network that splits", why);
    }
    let network = Network::new(3, &mut run.random);
    let servers = Servers::three(Some(&network));
    // An agent whose connection goes to that server notices its end after six seconds. The default grace is longer.
    let grace = Some(Duration::from_secs(10));
    let site = Site { grace, ..Site::new(servers.urls(), "faults") };
    provision(&site);
    let cluster = Cluster::over(servers, site, 2);
    let tasks = run.amount(300, 1500);
    let mut load = Load::new(cluster.journal("minority"));
    load.submit(&*cluster.client, tasks, 4, 0);
    load.wait(tasks as usize / 2, LONG);
    let leader = leader(&cluster);
    network.cut(leader);
    let cut = Instant::now();
    // These need a new leader.
    load.submit(&*cluster.client, tasks, 4, 0);
    // From inside of the part that was cut off.
    let mut probe = Command::new("ip");
    probe.args(["netns", "exec", &network.namespace(leader)]).arg(std::env::current_exe().expect("a path"));
    let url = cluster.servers.nodes[leader].url();
    probe.args(["--role", "probe", "--pool", &cluster.site.pool, "--url", &url]);
    let said = probe.output().expect("it can be started");
    let said = String::from_utf8_lossy(&said.stdout).trim().to_string();
    assert!(said.starts_with("refused"), "the minority says {said:?}");
    load.wait(2 * tasks as usize, LONG);
    let done = seconds(cut);
    network.heal(leader);
    let summary = load.finish(LONG);
    summary.all_done(1);
    run.figure(
        "leader cut off, with the default grace of 10 s",
        format!("a write to it is {said}; all done {done} after the cut, and before it ended; {summary}"),
    );
    drop(cluster);
}
