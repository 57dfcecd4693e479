//! The rules on `ProcessPoolExecutor` with `Transport::Ring`, in a sandbox.

use conformance::{Gate, Ticket};
use executor_core::{ErrorKind, Executor as _};
use process_pool::{ProcessPoolExecutor, Sandbox, Transport};
use test_support::DEADLINE;
use tests::harness::Contained;

conformance::suite!(Contained(Transport::Ring));

/// Without this, a rule would pass because its tasks had not come to their gates.
#[test]
fn a_task_that_may_not_come_to_its_gate_fails() {
    let pool = match ProcessPoolExecutor::builder().max_workers(1).sandbox(Sandbox::compute()).build() {
        Err(error) if error.kind() == ErrorKind::Unsupported => return eprintln!("not tested: {error}"),
        pool => pool.expect("it can be built"),
    };
    let gate = Gate::new("out of reach", DEADLINE);
    let task = pool.submit(Ticket::report, gate.ticket(0)).expect("it is open");
    let error = task.result(DEADLINE).expect_err("it cannot connect");
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.to_string().contains("task 0 cannot reach its gate"), "{error}");
    assert_eq!(gate.labels(), [0; 0]);
}

// What the workers of these tests write looks as if the tests crashed.
test_support::quiet_workers!();
