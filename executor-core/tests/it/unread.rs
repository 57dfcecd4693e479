//! Panics of the items of a map that no one reads. Each case runs in its own process, which starts this test binary
//! again.

use std::{env, process::Command};

use executor_core::{Executor, InlineExecutor, MapOptions};

use crate::support::Remote;

/// The environment variable that tells the child its case.
const CASE: &str = "EXECUTOR_CORE_UNREAD_CASE";

/// Panics for all numbers but zero.
fn boom(n: u64) -> u64 {
    assert!(n == 0, "boom {n}");
    n
}

/// The program. It does nothing unless the tests below have started it.
#[test]
fn child() {
    let Ok(case) = env::var(CASE) else { return };
    let options = || MapOptions::new().chunksize(4);
    let inline = InlineExecutor::new();
    let remote = Remote::default();
    match &*case {
        "dropped" => drop(inline.map_with(options(), boom, 0..4u64).expect("accepted")),
        "partly read" => {
            let mut map = inline.map_with(options(), boom, 0..4u64).expect("accepted");
            assert!(map.next().expect("an item").is_ok() && map.next().expect("an item").is_err());
        }
        "collected" => {
            let results = inline.map_with(options(), boom, 0..3u64).expect("accepted");
            assert!(results.collect::<Result<Vec<u64>, _>>().is_err());
        }
        "dropped packed" => {
            let map = remote.map_with(options(), boom, 0..4u64).expect("accepted");
            remote.complete_all();
            drop(map);
        }
        "read" => assert_eq!(inline.map_with(options(), boom, 0..4u64).expect("accepted").count(), 4),
        "read packed" => {
            let map = remote.map_with(options(), boom, 0..4u64).expect("accepted");
            remote.complete_all();
            assert_eq!(map.count(), 4);
        }
        "future" => {
            let future = inline.map_with(options(), boom, 0..2u64).expect("accepted").into_future();
            assert!(future.result(None).is_err());
        }
        "cancelled" => drop(remote.map_with(options(), boom, 0..4u64).expect("accepted")),
        other => panic!("no case is called {other}"),
    }
}

/// Returns the lines that the child prints about panics.
fn prints(case: &str) -> Vec<String> {
    let mut child = Command::new(env::current_exe().expect("a path"));
    child.args(["--exact", "unread::child", "--nocapture", "--test-threads=1"]).env(CASE, case);
    let output = child.env_remove("RUST_BACKTRACE").output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{case}: {stderr}");
    stderr.lines().filter(|line| line.contains("boom") || line.contains("no one has read")).map(String::from).collect()
}

#[test]
fn the_panics_of_a_chunk_that_no_one_reads_are_printed_once() {
    let cases = [
        ("dropped", "boom 1", 2),
        ("partly read", "boom 2", 1),
        ("collected", "boom 2", 0),
        ("dropped packed", "boom 1", 2),
    ];
    for (case, first, more) in cases {
        let lines = prints(case);
        assert_eq!(lines.len(), 2, "{case}: {lines:?}");
        assert!(lines[0].contains(first) && lines[0].contains("unread.rs:"), "{case}: {lines:?}");
        let names_others = lines[1].contains(&format!("nor of {more} more"));
        assert!(names_others == (more > 0), "{case}: {lines:?}");
    }
}

#[test]
fn the_panics_of_a_chunk_that_were_read_or_never_happened_are_not_printed() {
    for case in ["read", "read packed", "future", "cancelled"] {
        assert_eq!(prints(case), Vec::<String>::new(), "{case}");
    }
}
