//! A new build of the program that takes the place of an old one, under load.

use rustix::process::Signal;
use test_support::wait_until;

use super::{LONG, Run, builds::other_build};
use crate::harness::{
    journal::Journal,
    load::Load,
    member::{Agent, AgentOptions, ClientProcess},
    raw::Raw,
};

/// How many machines there are.
const MACHINES: usize = 3;

/// Row 24. On each machine an agent of the new build starts, and then the one of the old build gets `SIGTERM`; the last
/// one when the old client is done. This process is the old client.
pub fn new_build(run: &mut Run) {
    let mut cluster = run.cluster(MACHINES);
    let raw = Raw::open(&cluster.servers.urls());
    let options = AgentOptions { program: Some(other_build()), ..AgentOptions::default() };
    let tasks = run.amount(80, 1500);
    let mut load = Load::new(cluster.journal("old"));
    // Tasks that may run again have no reason to do so either.
    load.submit(&*cluster.client, tasks, 20, 0);
    load.submit(&*cluster.client, tasks, 20, 2);
    let mut new_agents = Vec::new();
    let mut new_clients = Vec::new();
    let mut drained = 0;
    for machine in 1..=MACHINES {
        new_agents.push(Agent::start_with(&cluster.site, &cluster.dir, &options));
        let journal = cluster.journal(&format!("new-{machine}"));
        let client = (options.program.as_deref(), &cluster.site, &cluster.dir);
        let client = ClientProcess::start_program(client, &journal, tasks, 20, 0);
        // It runs tasks while the old agent leaves.
        wait_until("tasks of the new build", || Journal::read(&journal).executions() > 0);
        new_clients.push((client, journal));
        let is_last = machine == MACHINES;
        if is_last {
            load.wait(load.futures().len(), LONG);
        } else {
            load.submit(&*cluster.client, tasks, 20, 0);
            load.wait(10 * machine, LONG);
        }
        let mut old = cluster.agents.remove(0);
        let before = load.ended();
        old.process.signal_alone(Signal::TERM);
        let status = old.process.wait(LONG);
        assert!(status.success(), "an agent that was told to end has ended with {status}: {}", old.process.says());
        drained += usize::from(before < load.futures().len());
    }
    let path = cluster.journal("old");
    let summary = load.finish(LONG);
    summary.all_done(1);
    assert_eq!(summary.executions, summary.tasks, "{summary}");
    all_ended(&path);
    run.figure(&format!("the old build; {drained} of {MACHINES} agents were told to end while it had tasks"), summary);
    let count = new_clients.len();
    let mut executions = 0;
    for (client, path) in new_clients {
        let (results, errors, first) = client.wait(LONG);
        assert_eq!((results, errors), (tasks as usize, 0), "{first}");
        let journal = Journal::read(&path);
        assert_eq!((journal.executions(), journal.most()), (tasks as usize, 1), "a task is missing or ran again");
        executions += journal.executions();
        all_ended(&path);
    }
    wait_until("an empty stream", || raw.messages("faults") == Some(0));
    run.figure(
        &format!("{count} clients of the new build meanwhile"),
        format!("{executions} tasks, results and executions; the stream is empty"),
    );
}

/// Checks that every execution has ended.
fn all_ended(path: &str) {
    let journal = Journal::read(path);
    assert_eq!(journal.starts, journal.ends, "a task was interrupted");
}
