//! Two builds of a program in one pool.

use std::{path::PathBuf, time::Duration};

use executor_core::{ErrorKind, Executor};
use test_support::DEADLINE;

use super::{LONG, Run};
use crate::harness::{
    load::Load,
    member::{Agent, AgentOptions, wait_for_agents},
};

/// Returns this program in another build.
pub(super) fn other_build() -> PathBuf {
    let other = std::env::current_exe().expect("a path").with_file_name("other-build");
    assert!(other.exists(), "the other build is missing: build the package `cluster-faults` as a whole");
    other
}

/// Row 18.
pub fn two_builds(run: &mut Run) {
    let mut cluster = run.cluster(0);
    let options = AgentOptions { program: Some(other_build()), ..AgentOptions::default() };
    cluster.agents.push(Agent::start_with(&cluster.site, &cluster.dir, &options));
    wait_for_agents(&cluster.client, 1);
    let builds: Vec<String> = cluster.client.workers().iter().map(|worker| worker.build().to_string()).collect();
    let impatient: crate::harness::member::Client =
        cluster.site.builder().start_timeout(Duration::from_secs(2)).build().into();
    let error = impatient.submit(|n: u32| n, 1).and_then(|future| future.result(DEADLINE)).expect_err("no agent");
    assert_eq!(error.kind(), ErrorKind::NoWorkers, "{error}");
    // The beginning of a build tells it from others.
    assert!(error.to_string().contains(&builds[0][..16]), "{error} does not name {builds:?}");
    run.figure("agents of another build alone", "`NoWorkers`, which lists their build and their machine");
    drop(impatient);
    let mut load = Load::new(cluster.journal("builds"));
    load.submit(&*cluster.client, 20, 1, 0);
    cluster.add_agent();
    load.submit(&*cluster.client, 80, 1, 0);
    let summary = load.finish(LONG);
    summary.all_done(1);
    let done: Vec<_> = cluster.client.workers().iter().map(|worker| worker.build().to_string()).collect();
    assert!(done.len() == 2 && done[0] != done[1], "{done:?}");
    run.figure("and an agent of the own build", summary);
}
