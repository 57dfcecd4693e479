//! Panics that no one reads. Each case runs in its own process, which starts this test binary again.

use std::{env, process::Command};

use executor_core::{Executor, InlineExecutor, MapOptions, wait};
use thread_pool::ThreadPoolExecutor;

/// The environment variable that tells the child its case.
const CASE: &str = "THREAD_POOL_UNREAD_CASE";

/// The program. It does nothing unless the tests below have started it.
#[test]
fn child() {
    let Ok(case) = env::var(CASE) else { return };
    let pool = ThreadPoolExecutor::new(2).unwrap();
    let boom = |(): ()| -> u64 { panic!("boom") };
    match &*case {
        "dropped before" => drop(pool.submit(boom, ()).unwrap()),
        "dropped after" => {
            let future = pool.submit(boom, ()).unwrap();
            drop(wait([future], None, executor_core::ReturnWhen::AllCompleted));
        }
        "inline" => drop(InlineExecutor::new().submit(boom, ()).unwrap()),
        "closure" => drop(pool.spawn(move || boom(())).unwrap()),
        "shared" => drop(pool.submit(boom, ()).unwrap().shared().clone()),
        "map" => {
            let map = pool.map_with(MapOptions::new().chunksize(3), |n: u64| -> u64 { panic!("boom {n}") }, 0..3u64);
            assert!(pool.wait_idle());
            drop(map.unwrap());
        }
        "result" => assert!(pool.submit(boom, ()).unwrap().result(None).is_err()),
        "exception" => assert!(pool.submit(boom, ()).unwrap().exception(None).unwrap().is_some()),
        "callback" => {
            let future = pool.submit(boom, ()).unwrap();
            future.add_done_callback(|future| assert!(future.exception(None).unwrap().is_some()));
            drop(future);
        }
        "scope" => pool.scope(|scope| {
            let read = scope.spawn(move || boom(()));
            assert!(read.result(None).is_err());
        }),
        "caught" => {
            let caught_before = |(): ()| -> u64 {
                let caught = std::panic::catch_unwind(|| panic!("caught"));
                assert!(caught.is_err());
                panic!("boom")
            };
            drop(pool.submit(caught_before, ()).unwrap());
        }
        other => panic!("no case is called {other}"),
    }
    // Dropping the pool waits for its tasks, and joins the threads that hold them.
}

/// Returns how often the child prints the panic.
fn prints(case: &str) -> usize {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "unread::child", "--nocapture", "--test-threads=1"]).env(CASE, case);
    let output = child.env_remove("RUST_BACKTRACE").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {stderr}");
    let lines: Vec<&str> = stderr.lines().filter(|line| line.contains("boom")).collect();
    for line in &lines {
        let has_place = line.contains("unread.rs:") && line.contains("unread::child::{{closure}}` panicked");
        assert!(case == "caught" || has_place, "{case}: {line}");
    }
    lines.len()
}

#[test]
fn a_panic_of_a_future_that_is_dropped_unread_is_printed_once() {
    for case in ["dropped before", "dropped after", "inline", "closure", "shared", "map"] {
        assert_eq!(prints(case), 1, "{case}");
    }
}

#[test]
fn a_panic_that_was_read_is_not_printed() {
    for case in ["result", "exception", "callback", "scope"] {
        assert_eq!(prints(case), 0, "{case}");
    }
}

#[test]
fn a_panic_that_the_hook_has_printed_is_not_printed_again() {
    assert_eq!(prints("caught"), 1);
}
