//! `examples/panics.rs`. `ci/targets/musl` also runs it in a program that does not unwind.

use crate::run::Run;

#[test]
fn a_panic_fails_its_own_task() {
    let ended = Run::start("panics", [""; 0]).end();
    ended.expect_code(0);
    for number in 0..6 {
        let line = if number % 2 == 0 { format!("half of {number} is") } else { format!("{number} has no half") };
        assert!(ended.stdout.contains(&line), "{ended:?}");
    }
    assert!(ended.stdout.contains("the pool goes on: half of 84 is 42"), "{ended:?}");
}
