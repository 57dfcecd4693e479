//! No rule leaks a child, thread, descriptor or file on any back-end.
//!
//! This binary has a single test, because resources can only be counted while nothing else runs.

use std::{collections::BTreeSet, fs, sync::Arc, time::Duration};

use conformance::{Harness, Limits, Outcome, RULES, ResourceSnapshot, run};
use executor_core::Executor;
use process_pool::{ProcessPoolExecutor, Transport};
use tests::harness::{Inline, Processes, Rayon, Threads};

/// How long the kernel may take to remove ended processes and threads.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the names in the directories for temporary files and shared memory.
fn files() -> BTreeSet<String> {
    let directories = [std::env::temp_dir(), "/dev/shm".into()];
    let entries = directories.iter().filter_map(|path| fs::read_dir(path).ok()).flatten().flatten();
    entries.map(|entry| entry.path().display().to_string()).filter(|path| !belongs_to_another(path)).collect()
}

/// Returns `true` if the name of a file lacks the id of this process. Other tests may run at the same time.
fn belongs_to_another(path: &str) -> bool {
    !path.contains(&std::process::id().to_string())
}

/// Fails if anything exists that did not exist before.
fn check(before: &ResourceSnapshot, files_before: &BTreeSet<String>, what: &str) {
    if let Err(left) = before.wait_gone(TIMEOUT) {
        panic!("{what} leaked: {left}");
    }
    let new: Vec<_> = files().difference(files_before).cloned().collect();
    assert!(new.is_empty(), "{what} leaked files: {new:?}");
}

/// Builds, uses and drops a pool whose initializer fails.
fn fails_to_start(transport: Transport) {
    let builder = ProcessPoolExecutor::builder().max_workers(2).transport(transport);
    let Ok(pool) = builder.initializer(|_: u8| -> () { panic!("no licence found") }, 0).build() else { return };
    if let Ok(future) = pool.submit(|n: u8| n, 1) {
        assert!(future.result(TIMEOUT).is_err());
    }
}

#[test]
fn cf_113_cf_114_no_rule_leaks_resources() {
    // These rules make the standard library, the pools and rayon allocate what they keep until the process ends.
    let warm = ["submit::cf_023", "callback::cf_004", "panic::cf_121"];
    let harnesses: [fn() -> Arc<dyn Harness>; 5] = [
        || Arc::new(Inline),
        || Arc::new(Threads),
        || Arc::new(Rayon),
        || Arc::new(Processes(Transport::Ring)),
        || Arc::new(Processes(Transport::Socket)),
    ];
    for harness in harnesses {
        for rule in RULES {
            let name = format!("{}::{}", rule.group, rule.name);
            if warm.iter().any(|warm| name.starts_with(warm)) {
                let _ = run(rule, harness(), Limits::from_env());
            }
        }
        for rule in RULES {
            let (before, files_before) = (ResourceSnapshot::now(), files());
            let name = harness().name().to_string();
            // The suites check the outcome. Here a rule must only end.
            if let Outcome::Hung(report) = run(rule, harness(), Limits::from_env()) {
                panic!("{report}");
            }
            check(&before, &files_before, &format!("{rule:?} on {name}"));
        }
    }
    for transport in [Transport::Ring, Transport::Socket] {
        let (before, files_before) = (ResourceSnapshot::now(), files());
        fails_to_start(transport);
        check(&before, &files_before, "a pool whose initializer fails");
    }
}

// What the workers of these tests write looks as if the tests crashed.
test_support::quiet_workers!();
