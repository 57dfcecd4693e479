//! What an operator takes away.

use std::time::Instant;

use test_support::wait_until;

use super::{LONG, Run, seconds};
use crate::harness::{load::Load, raw::Raw};

/// Row 20.
pub fn deleted(run: &mut Run) {
    for case in ["consumer", "stream"] {
        let cluster = run.cluster(2);
        let raw = Raw::open(&cluster.servers.urls());
        let tasks = run.amount(300, 1500);
        let mut load = Load::new(cluster.journal(case));
        load.submit(&*cluster.client, tasks, 5, 0);
        load.wait(tasks as usize / 4, LONG);
        if case == "consumer" {
            let consumers = raw.consumers("faults");
            assert!(!consumers.is_empty(), "there is a consumer");
            consumers.iter().for_each(|consumer| raw.delete_consumer("faults", consumer));
        } else {
            raw.delete_stream("faults");
        }
        let summary = load.finish(LONG);
        summary.all_done(1);
        run.figure(&format!("{case} deleted"), summary);
    }
}

/// Row 21.
pub fn vanished(run: &mut Run) {
    let mut cluster = run.cluster(0);
    let raw = Raw::open(&cluster.servers.urls());
    let mut load = Load::new(cluster.journal("vanished"));
    load.submit(&*cluster.client, 100, 1, 0);
    wait_until("all messages", || raw.messages("faults") == Some(100));
    let deleted = (1..=100).filter(|sequence| sequence % 3 == 0 && raw.delete_message("faults", *sequence)).count();
    let began = Instant::now();
    cluster.add_agent();
    load.wait(100 - deleted, LONG);
    let rest = seconds(began);
    let summary = load.finish(LONG);
    summary.all_done(1);
    run.figure(
        "100 messages",
        format!("{deleted} deleted; the others ended after {rest}, all after {}; {summary}", seconds(began)),
    );
}
