//! Rules of futures: their state, their value, which is returned once, and their error, which is returned every time.

use std::time::Duration;

use executor_core::{ErrorKind, Executor, TaskOptions};

use super::submit::Awkward;
use crate::{Case, Ticket};

pub(super) fn a_value_is_moved_out_once(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "text", |n: usize| "x".repeat(n), 3);
    assert_eq!(case.value(&future), "xxx");
    for _ in 0..2 {
        assert_eq!(future.result(None).expect_err("it was moved out").kind(), ErrorKind::InvalidState);
    }
    assert!(future.done() && !future.cancelled() && !future.running());
    assert!(!future.cancel(), "it has ended, so it cannot be cancelled");
}

pub(super) fn cf_016_a_waiting_thread_gets_the_value(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let future = case.submit(&executor, "held", Ticket::pass, gate.ticket(42));
    gate.wait_arrivals(1);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| future.result(case.event_timeout()));
        gate.open();
        assert_eq!(waiter.join().expect("it does not panic").expect("the task succeeds"), 42);
    });
}

pub(super) fn cf_015_a_wait_that_times_out_does_not_affect_the_task(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(1));
    let pending = case.submit(&executor, "pending", Ticket::pass, gate.ticket(2));
    gate.wait_arrivals(1);
    for future in [&running, &pending] {
        for timeout in [Duration::ZERO, Duration::from_millis(1)] {
            assert_eq!(future.result(timeout).expect_err("it is held").kind(), ErrorKind::Timeout);
            assert_eq!(future.exception(timeout).expect_err("it is held").kind(), ErrorKind::Timeout);
            assert!(!future.done());
        }
    }
    gate.open();
    assert_eq!((case.value(&running), case.value(&pending)), (1, 2));
}

pub(super) fn a_time_out_of_any_length_is_allowed(case: &Case) {
    let executor = case.executor(1);
    for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let future = case.submit(&executor, "quick", |n: u8| n, 5);
        future.exception(case.event_timeout()).expect("it is done in time");
        assert_eq!(future.result(timeout).expect("it is done already"), 5);
    }
    let future = case.submit(&executor, "waited for", |n: u8| n, 6);
    assert_eq!(future.result(Duration::MAX).expect("it succeeds"), 6);
}

pub(super) fn cf_013_cf_014_the_state_is_exact(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("states");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(1));
    let pending = case.submit(&executor, "pending", Ticket::pass, gate.ticket(2));
    gate.wait_arrivals(1);
    assert!(running.running() && !running.done() && !running.cancelled());
    assert!(!pending.running() && !pending.done() && !pending.cancelled());
    gate.release(1);
    gate.wait_for_label(2);
    assert!(pending.running() && !pending.done());
    gate.open();
    case.value(&running);
    case.value(&pending);
    assert!(pending.done() && !pending.running() && !pending.cancelled());
}

pub(super) fn a_success_has_no_exception_and_keeps_its_value(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "text", |n: usize| "x".repeat(n), 3);
    for _ in 0..3 {
        assert!(future.exception(case.event_timeout()).expect("it is done in time").is_none());
    }
    assert_eq!(case.value(&future), "xxx");
}

pub(super) fn an_error_is_returned_any_number_of_times(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "fails", |n: u64| 100 / n, 0);
    let first = case.failure(&future);
    for _ in 0..3 {
        let again = case.failure(&future);
        assert_eq!((again.kind(), again.to_string()), (first.kind(), first.to_string()));
        let exception = future.exception(None).expect("it is done").expect("it failed");
        assert_eq!(exception.kind(), first.kind());
    }
    assert!(!future.cancel() && !future.cancelled(), "a failed task is not cancelled");
}

pub(super) fn an_error_that_a_function_returns_is_a_value(case: &Case) {
    let executor = case.executor(1);
    let divide = |(a, b): (u64, u64)| a.checked_div(b).ok_or_else(|| format!("{a} / {b}"));
    assert_eq!(case.value(&case.submit(&executor, "fails", divide, (1, 0))), Err("1 / 0".to_string()));
    assert_eq!(case.value(&case.submit(&executor, "succeeds", divide, (6, 3))), Ok(2));
}

pub(super) fn a_shared_future_returns_its_value_to_every_thread(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let shared = case.submit(&executor, "held", Ticket::pass, gate.ticket(7)).into_future().shared();
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let shared = shared.clone();
                scope.spawn(move || (0..3).map(|_| shared.result(case.event_timeout())).collect::<Result<Vec<_>, _>>())
            })
            .collect();
        gate.open();
        for waiter in waiters {
            assert_eq!(waiter.join().expect("it does not panic").expect("the task succeeds"), [7, 7, 7]);
        }
    });
    assert_eq!(shared.result(None).expect("it still has its value"), 7);
}

pub(super) fn cf_009_debug_shows_the_state(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("states");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(1));
    let pending = case.submit(&executor, "pending", Ticket::pass, gate.ticket(2));
    gate.wait_arrivals(1);
    let shows = |future: &dyn std::fmt::Debug, state: &str| {
        let shown = format!("{future:?}");
        assert!(shown.contains(state), "{shown} does not say {state}");
    };
    shows(&running, "running");
    shows(&pending, "pending");
    assert!(pending.cancel());
    shows(&pending, "cancelled");
    gate.open();
    case.value(&running);
    shows(&running, "finished");
    let failed = case.submit(&executor, "fails", |n: u64| 100 / n, 0);
    case.failure(&failed);
    shows(&failed, "failed");
}

pub(super) fn cf_022_a_done_future_stays_done_for_every_reader(case: &Case) {
    let executor = case.executor(2);
    for round in 0..20u64 {
        let future = case.submit(&executor, "raced", |n: u64| n, round);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut done = false;
                        while !done {
                            done = future.done();
                            // These are read after `done`, so they see the same state or a later one.
                            assert!(!(done && future.running()), "done and running");
                            assert!(!(done && future.cancelled()), "it was not cancelled");
                            let exception = future.exception(Duration::ZERO);
                            assert!(!done || matches!(exception, Ok(None)), "done without a value: {exception:?}");
                            std::thread::yield_now();
                        }
                    })
                })
                .collect();
            future.exception(case.event_timeout()).expect("it is done in time");
            for reader in readers {
                reader.join().expect("it saw only valid states");
            }
        });
        assert_eq!(case.value(&future), round);
    }
}

pub(super) fn cf_124_a_result_that_cannot_be_encoded_fails_its_own_task_only(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("workers");
    case.value(&case.submit(&executor, "before", Ticket::report, gate.ticket(0)));
    let error = case.failure(&case.submit(&executor, "not encodable", |()| Awkward::NotEncodable, ()));
    assert_eq!(error.kind(), ErrorKind::Encode, "{error}");
    let error = case.failure(&case.submit(&executor, "panics", |()| Awkward::PanicsInEncode, ()));
    assert!(matches!(error.kind(), ErrorKind::Encode | ErrorKind::Panicked), "{error}");
    case.value(&case.submit(&executor, "after", Ticket::report, gate.ticket(1)));
    assert_eq!(gate.workers().len(), 1, "the worker was replaced");
}

pub(super) fn cf_125_cf_126_a_result_that_cannot_be_decoded_fails_its_own_future_only(case: &Case) {
    let executor = case.executor(1);
    let before = case.submit(&executor, "before", |n: u8| n, 1);
    let error = case.failure(&case.submit(&executor, "not decodable", |()| Awkward::NotDecodable, ()));
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    let error = case.failure(&case.submit(&executor, "panics", |()| Awkward::PanicsInDecode, ()));
    assert!(matches!(error.kind(), ErrorKind::Decode | ErrorKind::Panicked), "{error}");
    let after = case.submit(&executor, "after", |n: u8| n, 2);
    assert_eq!((case.value(&before), case.value(&after)), (1, 2));
}

pub(super) fn a_time_limit_stops_the_task_and_frees_its_worker(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("limited");
    let options = TaskOptions::new().name("too long").time_limit(Duration::from_millis(50));
    let future = executor.submit_with(options, Ticket::pass, gate.ticket(1)).expect("it is open");
    let error = case.failure(&case.track("too long", future));
    assert_eq!(error.kind(), ErrorKind::TimeLimit);
    assert!(error.to_string().contains("too long"), "the message does not name the task: {error}");
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
}
