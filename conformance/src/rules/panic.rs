//! Rules about tasks that panic, and about tasks that kill their worker.

use std::{panic::panic_any, process};

use executor_core::{Error, ErrorKind, Executor, TaskOptions, task};
use serde::{Deserialize, Serialize};

use crate::{Case, Ticket};

fn panics(number: u32) -> u32 {
    panic!("number {number} is invalid");
}

pub(super) fn cf_121_cf_145_a_panic_is_the_error_of_its_task(case: &Case) {
    let executor = case.executor(1);
    let error = case.failure(&case.submit(&executor, "panics", panics, 7));
    assert_eq!(error.kind(), ErrorKind::Panicked);
    let panic = error.panic().expect("the error has the panic");
    assert_eq!(panic.message(), "number 7 is invalid");
    assert!(error.to_string().contains("number 7 is invalid"), "{error}");
    assert!(error.worker_death().is_none());
}

pub(super) fn cf_055_a_panic_has_its_location(case: &Case) {
    let executor = case.executor(1);
    let error = case.failure(&case.submit(&executor, "panics", panics, 7));
    let location = error.panic().and_then(|panic| panic.location()).expect("the panic has a location");
    assert!(location.contains("panic.rs:"), "{location}");
}

pub(super) fn a_panic_of_any_payload_is_an_error(case: &Case) {
    let executor = case.executor(1);
    let kinds: [fn(&Case, &crate::Subject) -> Error; 3] = [
        |case, executor| case.failure(&case.submit(executor, "number", |n: u8| -> u8 { panic_any(n) }, 1)),
        |case, executor| {
            case.failure(&case.submit(executor, "string", |s: String| -> u8 { panic_any(s) }, "s".to_string()))
        },
        |case, executor| case.failure(&case.submit(executor, "empty", |()| -> u8 { panic!() }, ())),
    ];
    for kind in kinds {
        let error = kind(case, &executor);
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(error.panic().is_some());
    }
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
}

pub(super) fn a_worker_survives_the_panic_of_a_task(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("workers");
    case.value(&case.submit(&executor, "before", Ticket::report, gate.ticket(0)));
    for round in 0..5 {
        let error = case.failure(&case.submit(&executor, "panics", panics, round));
        assert!(error.to_string().contains(&format!("number {round} ")), "{error}");
    }
    case.value(&case.submit(&executor, "after", Ticket::report, gate.ticket(1)));
    assert_eq!(gate.workers().len(), 1, "the worker was replaced");
}

pub(super) fn cf_053_each_future_has_an_error_of_its_own(case: &Case) {
    let executor = case.executor(2);
    let futures: Vec<_> = (0..3).map(|n| case.submit(&executor, "panics", panics, n)).collect();
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(case.failure(future).panic().expect("it panicked").message(), format!("number {n} is invalid"));
    }
}

/// A value that panics when it is dropped, if its field is true.
#[derive(Serialize, Deserialize)]
struct PanicsOnDrop(bool);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        assert!(!self.0 || std::thread::panicking(), "a value of the conformance suite panics in drop on purpose");
    }
}

pub(super) fn an_argument_that_panics_when_dropped_fails_only_its_task(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "drops its argument", |_: PanicsOnDrop| 1u8, PanicsOnDrop(true));
    let error = case.failure(&future);
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 2)), 2);
}

pub(super) fn a_result_that_panics_when_dropped_affects_nothing_else(case: &Case) {
    let executor = case.executor(1);
    drop(case.submit(&executor, "result that is not taken", |()| PanicsOnDrop(true), ()));
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 2)), 2);
}

fn die(how: u8) {
    match how {
        0 => process::abort(),
        1 => process::exit(99),
        _ => panic!("there is no way {how} to die"),
    }
}

pub(super) fn cf_052_cf_119_cf_120_a_crash_costs_the_task_that_crashes(case: &Case) {
    let executor = case.executor(1);
    for how in [0, 1] {
        let (gate, queued) = (case.gate("before the crash"), case.gate("after the crash"));
        let blocker = case.submit(&executor, "before the crash", Ticket::pass, gate.ticket(0));
        let crash = case.submit(&executor, "crash", die, how);
        let after: Vec<_> = (0..3)
            .map(|label| case.submit(&executor, "after the crash", Ticket::report, queued.ticket(label)))
            .collect();
        gate.open();
        case.value(&blocker);
        let error = case.failure(&crash);
        assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
        for (label, future) in (0..).zip(&after) {
            assert_eq!(case.value(future), label);
        }
    }
    assert_eq!(case.value(&case.submit(&executor, "after the crashes", |n: u8| n, 1)), 1);
}

pub(super) fn cf_056_a_death_has_its_cause_and_its_task(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("pid");
    case.value(&case.submit(&executor, "pid", Ticket::report, gate.ticket(0)));
    let (pid, _) = gate.arrivals()[0].worker;
    let options = TaskOptions::new().name("leaves early");
    let future = executor.submit_with(options, print_and_exit, 99).expect("it is open");
    let error = case.failure(&case.track("leaves early", future));
    let death = error.worker_death().expect("the error has the death");
    assert_eq!((death.exit_code(), death.signal(), death.task()), (Some(99), None, "leaves early"));
    assert_eq!(death.pid(), pid);
    assert!(death.stderr_tail().contains("the last line of this task"), "{:?}", death.stderr_tail());
    assert!(error.to_string().contains("99") && error.to_string().contains("leaves early"), "{error}");

    let error = case.failure(&case.submit(&executor, "abort", die, 0));
    let death = error.worker_death().expect("the error has the death");
    assert!(death.exit_code().is_none() && death.signal().is_some(), "{death:?}");
}

fn print_and_exit(code: i32) {
    eprintln!("the last line of this task");
    process::exit(code);
}

pub(super) fn a_crash_does_not_affect_a_task_on_another_worker(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("other worker");
    let running = case.submit(&executor, "other worker", Ticket::pass, gate.ticket(5));
    gate.wait_arrivals(1);
    for _ in 0..3 {
        assert_eq!(case.failure(&case.submit(&executor, "crash", die, 0)).kind(), ErrorKind::WorkerDied);
    }
    assert!(running.running());
    gate.open();
    assert_eq!(case.value(&running), 5);
}

fn die_twice(ticket: Ticket) -> u32 {
    ticket.report();
    let attempt = task::current().map_or(0, |context| context.attempt());
    if attempt < 3 {
        process::abort();
    }
    attempt
}

pub(super) fn a_task_is_retried_after_a_death_as_often_as_allowed(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("attempts");
    let future = executor.submit_with(TaskOptions::new().retries(2), die_twice, gate.ticket(0)).expect("it is open");
    assert_eq!(case.value(&case.track("two retries", future)), 3);
    assert_eq!(gate.labels(), [0, 0, 0]);
    let future = executor.submit_with(TaskOptions::new().retries(1), die_twice, gate.ticket(1)).expect("it is open");
    assert_eq!(case.failure(&case.track("one retry", future)).kind(), ErrorKind::WorkerDied);
    assert_eq!(gate.labels(), [0, 0, 0, 1, 1]);
}

pub(super) fn a_panic_is_not_retried(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("attempts");
    let options = TaskOptions::new().retries(5);
    let future = executor.submit_with(options, report_and_panic, gate.ticket(0)).expect("it is open");
    assert_eq!(case.failure(&case.track("panics", future)).kind(), ErrorKind::Panicked);
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
    assert_eq!(gate.labels(), [0]);
}

fn report_and_panic(ticket: Ticket) {
    ticket.report();
    panic!("once is enough");
}
