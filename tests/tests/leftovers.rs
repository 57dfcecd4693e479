//! Nothing is left behind by any rule on any of our back-ends: no child, no thread, no descriptor, no file.
//!
//! One test in a binary of its own, because what is left behind can only be counted where nothing else runs.

use std::{collections::BTreeSet, fs, sync::Arc, time::Duration};

use conformance::{Harness, Leftovers, Limits, Outcome, RULES, run};
use executor_core::Executor;
use process_pool::{ProcessPoolExecutor, Transport};
use tests::harness::{Inline, Processes, Rayon, Threads};

/// How long what has ended may take to vanish.
const PATIENCE: Duration = Duration::from_secs(20);

/// The names in the directories where programs leave files and shared memory.
fn files() -> BTreeSet<String> {
    let directories = [std::env::temp_dir(), "/dev/shm".into()];
    let entries = directories.iter().filter_map(|path| fs::read_dir(path).ok()).flatten().flatten();
    entries.map(|entry| entry.path().display().to_string()).filter(|path| !is_anothers(path)).collect()
}

/// Whether a file says by its name that it is another process's: tests of other binaries may run at the same time.
fn is_anothers(path: &str) -> bool {
    !path.contains(&std::process::id().to_string())
}

/// Fails if anything is there that was not there before.
fn check(before: &Leftovers, files_before: &BTreeSet<String>, what: &str) {
    if let Err(left) = before.wait_gone(PATIENCE) {
        panic!("{what} left behind: {left}");
    }
    let new: Vec<_> = files().difference(files_before).cloned().collect();
    assert!(new.is_empty(), "{what} left files behind: {new:?}");
}

/// A pool whose initializer fails is built, asked and dropped.
fn fails_to_start(transport: Transport) {
    let builder = ProcessPoolExecutor::builder().max_workers(2).transport(transport);
    let Ok(pool) = builder.initializer(|_: u8| -> () { panic!("no licence found") }, 0).build() else { return };
    if let Ok(future) = pool.submit(|n: u8| n, 1) {
        assert!(future.result(PATIENCE).is_err());
    }
}

#[test]
fn cf_113_cf_114_no_rule_leaves_anything_behind() {
    // What is made once and kept: the standard library's, the pools', rayon's.
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
            let (before, files_before) = (Leftovers::now(), files());
            let name = harness().name().to_string();
            // Whether it is kept is for the suites to say; here it only has to end.
            if let Outcome::Hung(report) = run(rule, harness(), Limits::from_env()) {
                panic!("{report}");
            }
            check(&before, &files_before, &format!("{rule:?} on {name}"));
        }
    }
    for transport in [Transport::Ring, Transport::Socket] {
        let (before, files_before) = (Leftovers::now(), files());
        fails_to_start(transport);
        check(&before, &files_before, "a pool whose initializer fails");
    }
}
