//! Clients that die, and that are away.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use test_support::wait_until;

use super::{LONG, Run, seconds};
use crate::harness::{
    journal::Journal,
    member::{ClientProcess, Site},
    proxy::Proxy,
    raw::Raw,
};

/// Row 10.
pub fn killed(run: &mut Run) {
    let cluster = run.cluster(1);
    let journal = cluster.journal("killed");
    let mut client = ClientProcess::start(&cluster.site, &cluster.dir, &journal, 200, 100, 0);
    wait_until("some tasks", || Journal::read(&journal).executions() >= 10);
    client.kill();
    let before = Journal::read(&journal).executions();
    let began = Instant::now();
    let raw = Raw::open(&cluster.servers.urls());
    wait_until("an empty stream", || raw.messages("faults") == Some(0));
    let empty = seconds(began);
    let has_ended = || {
        let journal = Journal::read(&journal);
        journal.starts.len() == journal.ends.len()
    };
    wait_until("the end of what runs", has_ended);
    let after = Journal::read(&journal);
    // What two slots ran, and what had been granted.
    assert!(after.executions() <= before + 4, "{before} and then {} executions", after.executions());
    assert_eq!(after.most(), 1);
    run.figure(
        "200 tasks, killed",
        format!("{before} executions before, {} after; the stream is empty after {empty}", after.executions() - before),
    );
}

/// Row 11.
pub fn away(run: &mut Run) {
    let time = Duration::from_secs(run.amount(5, 60).into());
    let tasks = run.amount(300, 3000);
    {
        let cluster = run.cluster(2);
        let journal = cluster.journal("stopped");
        let client = ClientProcess::start(&cluster.site, &cluster.dir, &journal, tasks, 10, 0);
        wait_until("some tasks", || Journal::read(&journal).executions() >= 30);
        client.process.signal(Signal::STOP);
        std::thread::sleep(time);
        client.process.signal(Signal::CONT);
        check(run, &format!("stopped for {time:?}"), client, &journal, tasks);
    }
    let cluster = run.cluster(2);
    let proxy = Proxy::start(&cluster.servers.nodes[0].address());
    let site = Site { urls: vec![proxy.url()], ..cluster.site.clone() };
    let journal = cluster.journal("offline");
    let client = ClientProcess::start(&site, &cluster.dir, &journal, tasks, 10, 0);
    wait_until("some tasks", || Journal::read(&journal).executions() >= 30);
    // It learns that it is offline, so it does not take the silence for a loss.
    proxy.refuse();
    std::thread::sleep(time);
    proxy.accept();
    check(run, &format!("offline for {time:?}"), client, &journal, tasks);
}

fn check(run: &mut Run, case: &str, client: ClientProcess, path: &str, tasks: u32) {
    let (results, errors, first) = client.wait(LONG);
    let journal = Journal::read(path);
    let (executions, most) = (journal.executions(), journal.most());
    assert_eq!((results, errors), (tasks as usize, 0), "{first}");
    assert!(most <= 1, "a task ran {most} times");
    run.figure(case, format!("{tasks} tasks, {results} results; {executions} executions, of one task at most {most}"));
}
