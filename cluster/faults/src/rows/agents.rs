//! Agents and their tasks that die, stop and are cut off.

use std::time::{Duration, Instant};

use executor_core::{ErrorKind, Executor, TaskOptions};
use rustix::process::{Pid, Signal, kill_process};
use test_support::{DEADLINE, wait_until};

use super::{Cluster, LONG, Run};
use crate::harness::{
    journal::{Journal, work},
    load::{Load, Summary},
    member::{Agent, AgentOptions, GRACE, Site, wait_for_agents},
    network::{self, Network},
    proxy::Proxy,
    server::Servers,
};

/// Row 5.
pub fn task_killed(run: &mut Run) {
    let cluster = run.cluster(1);
    for (case, retries) in [("one attempt", 0), ("three attempts", 2)] {
        let journal = cluster.journal(&format!("killed-{retries}"));
        let options = TaskOptions::new().retries(retries).name("victim");
        let milliseconds = if retries == 0 { 600_000 } else { 300 };
        let future =
            cluster.client.submit_with(options, work, (journal.clone(), 7, milliseconds)).expect("it is accepted");
        let executions = || Journal::read(&journal).starts.remove(&7).unwrap_or_default();
        wait_until("the task", || !executions().is_empty());
        let pid = executions()[0].pid;
        let began = Instant::now();
        kill_process(Pid::from_raw(pid.cast_signed()).expect("a pid"), Signal::KILL).expect("it is alive");
        if retries == 0 {
            let error = future.result(DEADLINE).expect_err("it was killed");
            let took = began.elapsed();
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
            let death = error.worker_death().expect("a death");
            assert_eq!((death.pid(), death.signal(), death.task()), (pid, Some(9), "victim"), "{error}");
            assert!(!death.host().is_empty(), "{error}");
            run.figure(case, format!("`WorkerDied` with host, process and signal after {} ms", took.as_millis()));
        } else {
            assert_eq!(future.result(DEADLINE).expect("it runs again"), 7);
            let attempts: Vec<u32> = executions().iter().map(|execution| execution.attempt).collect();
            assert_eq!(attempts, [1, 2]);
            run.figure(case, "the result of the second attempt");
        }
    }
}

/// Checks what becomes of a load whose agent is lost with at most this many tasks.
fn losses(summary: &Summary, retries: u32, most: usize) {
    if retries > 0 {
        return summary.all_done(retries as usize + 1);
    }
    let died = summary.errors.get("WorkerDied").copied().unwrap_or(0);
    assert_eq!(summary.results + died, summary.tasks, "{summary}: {:?}", summary.first_error);
    assert!(summary.most <= 1 && died <= most, "{summary}");
}

/// Row 6.
pub fn agent_killed(run: &mut Run) {
    for (case, retries) in [("one attempt", 0), ("three attempts", 2)] {
        let mut cluster = run.cluster(3);
        let mut load = Load::new(cluster.journal("killed"));
        load.submit(&*cluster.client, run.amount(60, 200), 50, retries);
        load.wait(20, LONG);
        let died = Instant::now();
        cluster.agents.remove(0);
        let ended = wait_for_errors(&load, retries, died);
        let summary = load.finish(LONG);
        losses(&summary, retries, 2);
        run.figure(case, format!("{ended}{summary}"));
    }
    if run.is_short {
        return;
    }
    let mut cluster = run.cluster(2);
    let mut load = Load::new(cluster.journal("all"));
    load.submit(&*cluster.client, 20, 100, 0);
    load.wait(4, LONG);
    cluster.agents.clear();
    std::thread::sleep(GRACE * 2);
    cluster.add_agent();
    let summary = load.finish(LONG);
    losses(&summary, 0, 4);
    run.figure("all agents killed, and a new one", summary);
}

/// Waits for the first task that was lost, if tasks have one attempt.
fn wait_for_errors(load: &Load, retries: u32, since: Instant) -> String {
    if retries > 0 {
        return String::new();
    }
    let first = || load.ends().iter().find(|end| end.error.is_some()).map(|end| end.at);
    wait_until("a lost task", || first().is_some() || load.ended() == load.futures().len());
    match first() {
        Some(at) => format!("first `WorkerDied` after {:.1} s; ", (at - since).as_secs_f64()),
        None => String::new(),
    }
}

/// Row 7.
pub fn agent_stopped(run: &mut Run) {
    for (case, retries) in [("one attempt", 0), ("two attempts", 1)] {
        let cluster = run.cluster(3);
        let mut load = Load::new(cluster.journal("stopped"));
        load.submit(&*cluster.client, run.amount(200, 800), 20, retries);
        load.wait(20, LONG);
        cluster.agents[0].stop();
        std::thread::sleep(GRACE + Duration::from_secs(2));
        cluster.agents[0].go_on();
        // It works on: another load needs all agents.
        load.submit(&*cluster.client, 100, 20, retries);
        let summary = load.finish(LONG);
        losses(&summary, retries, 2);
        run.figure(case, summary);
    }
}

/// Row 8.
pub fn cut_off(run: &mut Run) {
    if !run.is_short {
        match network::lacking() {
            Some(why) => run.skip("a machine whose packets are lost", why),
            None => {
                for retries in [0, 2] {
                    machine_cut_off(run, retries);
                }
            }
        }
    }
    agent_behind_a_proxy(run);
    client_behind_a_proxy(run, "client cut off for 1.5 s", Duration::from_millis(1500), 0);
    if !run.is_short {
        client_behind_a_proxy(run, "client cut off for 8 s, two attempts", Duration::from_secs(8), 1);
    }
}

/// The server is on this machine's address in the network, and one of three agents on the machine that is cut off.
fn machine_cut_off(run: &mut Run, retries: u32) {
    let network = Network::new(2, &mut run.random);
    let servers = Servers::on(&network.own_address());
    let site = Site::new(servers.urls(), "faults");
    let mut cluster = Cluster::over(servers, site.clone(), 2);
    let options = AgentOptions { namespace: Some(network.namespace(0)), ..AgentOptions::default() };
    cluster.agents.push(Agent::launch(&site, &cluster.dir, &options));
    wait_for_agents(&cluster.client, 3);
    let mut load = Load::new(cluster.journal("cut"));
    load.submit(&*cluster.client, 400, 50, retries);
    load.wait(30, LONG);
    network.cut(0);
    std::thread::sleep(Duration::from_secs(8));
    network.heal(0);
    let back = Instant::now();
    wait_for_agents(&cluster.client, 3);
    let back = back.elapsed();
    let summary = load.finish(LONG);
    losses(&summary, retries, 2);
    let attempts = retries + 1;
    run.figure(
        &format!("packets of an agent's machine lost for 8 s, attempts {attempts}"),
        format!("it is back {:.1} s after the network; {summary}", back.as_secs_f64()),
    );
    drop(cluster);
}

fn agent_behind_a_proxy(run: &mut Run) {
    let mut cluster = run.cluster(1);
    let proxy = Proxy::start(&cluster.servers.nodes[0].address());
    let site = Site { urls: vec![proxy.url()], ..cluster.site.clone() };
    cluster.agents.push(Agent::launch(&site, &cluster.dir, &AgentOptions::default()));
    wait_for_agents(&cluster.client, 2);
    let mut load = Load::new(cluster.journal("proxy"));
    load.submit(&*cluster.client, run.amount(100, 300), 30, 1);
    load.wait(20, LONG);
    proxy.cut();
    std::thread::sleep(GRACE + Duration::from_secs(2));
    proxy.heal();
    load.submit(&*cluster.client, 50, 30, 1);
    let summary = load.finish(LONG);
    summary.all_done(2);
    run.figure("traffic of an agent stopped beyond the grace, two attempts", summary);
    drop(cluster);
}

fn client_behind_a_proxy(run: &mut Run, case: &str, time: Duration, retries: u32) {
    let mut cluster = run.cluster(2);
    let proxy = Proxy::start(&cluster.servers.nodes[0].address());
    cluster.client = Site { urls: vec![proxy.url()], ..cluster.site.clone() }.client();
    wait_for_agents(&cluster.client, 2);
    let mut load = Load::new(cluster.journal("client"));
    load.submit(&*cluster.client, run.amount(150, 600), 20, retries);
    load.wait(20, LONG);
    proxy.cut();
    std::thread::sleep(time);
    proxy.heal();
    let summary = load.finish(LONG);
    summary.all_done(retries as usize + 1);
    run.figure(case, summary);
    drop(cluster);
}
