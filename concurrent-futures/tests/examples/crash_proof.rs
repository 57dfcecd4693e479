//! `examples/crash_proof`.

use crate::run::{Run, processes_with};

#[test]
fn only_the_hostile_inputs_fail() {
    let run = Run::start("crash_proof", [""; 0]);
    let marker = run.marker.clone();
    let ended = run.end();
    ended.expect_code(0);
    for (trap, ending) in [
        ("InvalidWrite", "SIGSEGV"),
        ("EndlessLoop", "the time limit"),
        ("EndlessRecursion", "SIG"),
        ("EndlessAllocation", "the memory limit"),
        ("Abort", "SIGABRT"),
        ("Exit", "exit code 3"),
        ("Panic", "a panic"),
    ] {
        let line = ended.line_with(trap);
        assert!(line.contains(ending), "{trap}: {line}");
    }
    assert!(ended.stdout.contains("The other 40 files are right"), "{ended:?}");
    assert_eq!(processes_with(&marker), [0; 0], "left behind");
}
