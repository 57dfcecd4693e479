//! `examples/swap.rs`.

use std::{fs, path::Path};

use crate::{EXECUTORS, run::Run};

#[test]
fn every_executor_gives_the_same_result() {
    let outputs = EXECUTORS.map(|executor| {
        let ended = Run::start("swap", [executor]).end();
        ended.expect_code(0);
        ended.stdout.replace(executor, "")
    });
    assert!(outputs[0].contains("230631"), "{outputs:?}");
    assert!(outputs.iter().all(|output| *output == outputs[0]), "{outputs:?}");
}

#[test]
fn an_unknown_executor_is_an_error() {
    let ended = Run::start("swap", ["cluster"]).end();
    ended.expect_code(1);
    assert!(ended.stderr.contains("`cluster` is not an executor"), "{ended:?}");
}

#[test]
fn the_example_is_short() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/swap.rs");
    let lines = fs::read_to_string(source).expect("the example's source").lines().count();
    assert!(lines < 60, "{lines} lines");
}
