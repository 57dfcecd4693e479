//! `examples/untrusted`.

use crate::run::{Run, processes_with};

/// The exit code for a system that cannot keep the sandbox.
const UNSUPPORTED: i32 = 2;

#[test]
fn attacks_get_something_without_the_sandbox_and_nothing_in_it() {
    let run = Run::start("untrusted", [""; 0]);
    let marker = run.marker.clone();
    let ended = run.end();
    if ended.code() == Some(UNSUPPORTED) {
        eprintln!("not tested: {}", ended.stderr);
        return;
    }
    ended.expect_code(0);
    assert!(ended.stdout.contains("without a sandbox: got the key of this user"), "{ended:?}");
    assert!(ended.stdout.contains("without a sandbox: got the program that has the pool has ended"), "{ended:?}");
    let refused: Vec<&str> =
        ended.stdout.lines().filter(|line| line.contains("in the sandbox:    nothing: ")).collect();
    assert_eq!(refused.len(), 4, "{ended:?}");
    assert!(ended.stdout.contains("The sandbox held, and the 40 honest documents have the same results"), "{ended:?}");
    assert_eq!(processes_with(&marker), [0; 0], "left behind");
}
