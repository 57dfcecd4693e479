//! Rules of `cancel` and `terminate`: a task either runs or is cancelled.

use std::time::Duration;

use executor_core::{ErrorKind, Executor, ReturnWhen, Shutdown, as_completed, task, wait};

use crate::{Case, Ticket};

pub(super) fn cf_011_cf_012_a_pending_task_is_cancelled_and_never_runs(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("ran");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", Ticket::report, gate.ticket(1));
    let after = case.submit(&executor, "after", Ticket::report, gate.ticket(2));
    assert!(pending.cancel());
    assert!(pending.cancelled() && pending.done() && !pending.running());
    assert_eq!(case.failure(&pending).kind(), ErrorKind::Cancelled);
    assert_eq!(pending.exception(None).expect_err("it was cancelled").kind(), ErrorKind::Cancelled);
    assert!(pending.cancel(), "a second cancel of a cancelled task returns true");
    gate.open();
    case.value(&blocker);
    case.value(&after);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0, 2]);
}

pub(super) fn a_running_task_is_not_cancelled(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(3));
    gate.wait_arrivals(1);
    assert!(!running.cancel());
    assert!(running.running() && !running.cancelled() && !running.done());
    gate.open();
    assert_eq!(case.value(&running), 3);
    assert!(!running.cancelled());
}

pub(super) fn a_finished_task_is_not_cancelled(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "quick", |n: u8| n, 3);
    future.exception(case.event_timeout()).expect("it is done in time");
    assert!(!future.cancel());
    assert!(!future.cancelled());
    assert_eq!(case.value(&future), 3);
}

pub(super) fn cf_017_a_waiting_thread_is_woken_by_a_cancel(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("blocker");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", Ticket::report, gate.ticket(1));
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| pending.result(case.event_timeout()))).collect();
        assert!(pending.cancel());
        for waiter in waiters {
            let error = waiter.join().expect("it does not panic").expect_err("it was cancelled");
            assert_eq!(error.kind(), ErrorKind::Cancelled);
        }
    });
    gate.open();
    case.value(&blocker);
}

pub(super) fn a_cancelled_task_is_done_immediately_for_every_waiter(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("blocker");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let futures: Vec<_> = (1..3)
        .map(|label| case.submit(&executor, "pending", Ticket::report, gate.ticket(label)).into_future())
        .collect();
    for future in &futures {
        assert!(future.cancel());
    }
    // The worker is held, so only `cancel` can have completed the futures.
    let waited = wait(futures, case.event_timeout(), ReturnWhen::AllCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
    for future in as_completed(waited.done, case.event_timeout()) {
        assert!(future.expect("it is done").cancelled());
    }
    gate.open();
    case.value(&blocker);
}

pub(super) fn exactly_one_of_ran_and_cancelled_is_true(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("ran");
    for round in 0..4 {
        let labels = round * 30..(round + 1) * 30;
        let futures: Vec<_> = labels
            .clone()
            .map(|label| case.submit(&executor, format!("raced {label}"), Ticket::report, gate.ticket(label)))
            .collect();
        let cancelled: Vec<bool> = futures.iter().rev().map(|future| future.cancel()).collect();
        for ((label, future), cancelled) in labels.rev().zip(futures.iter().rev()).zip(cancelled) {
            match future.result(case.event_timeout()) {
                Ok(value) => {
                    assert_eq!((value, cancelled), (label, false), "task {label} ran after `cancel` returned true")
                }
                Err(error) => assert_eq!((error.kind(), cancelled), (ErrorKind::Cancelled, true), "{error}"),
            }
            assert_eq!(future.cancelled(), cancelled);
            assert_eq!(gate.labels().contains(&label), !cancelled, "task {label}");
        }
    }
}

pub(super) fn dropping_a_future_does_not_cancel_its_task(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("ran");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    for label in 1..4 {
        drop(case.submit(&executor, "dropped", Ticket::report, gate.ticket(label)));
    }
    gate.open();
    case.value(&blocker);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0, 1, 2, 3]);
}

pub(super) fn cf_097_submitting_cancelling_and_shutting_down_in_a_row_ends(case: &Case) {
    for _ in 0..10 {
        let executor = case.executor(1);
        let future = case.submit(&executor, "cancelled immediately", |n: u8| n, 1);
        let cancelled = future.cancel();
        executor.shutdown(Shutdown::Drain);
        assert_eq!(future.cancelled(), cancelled);
        assert_eq!(future.result(Duration::ZERO).is_err(), cancelled);
    }
}

pub(super) fn terminate_cancels_a_pending_task(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("ran");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    let pending = case.submit(&executor, "pending", Ticket::report, gate.ticket(1));
    assert!(pending.terminate(case.event_timeout()));
    assert!(pending.cancelled());
    assert_eq!(case.failure(&pending).kind(), ErrorKind::Cancelled);
    gate.open();
    case.value(&blocker);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0]);
}

pub(super) fn cf_073_terminate_stops_a_running_task_and_frees_its_worker(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    for grace in [Duration::ZERO, case.event_timeout()] {
        let label = gate.arrivals().len() as u32;
        let running = case.submit(&executor, "running", Ticket::pass, gate.ticket(label));
        gate.wait_for_label(label);
        assert!(running.terminate(grace));
        let error = case.failure(&running);
        assert_eq!(error.kind(), ErrorKind::Terminated, "{error}");
        assert!(running.done() && !running.running() && !running.cancelled());
        gate.wait_gone(label);
    }
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
}

pub(super) fn terminate_of_one_task_does_not_affect_others(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("running");
    let futures: Vec<_> =
        (0..4).map(|label| case.submit(&executor, format!("task {label}"), Ticket::pass, gate.ticket(label))).collect();
    gate.wait_for_label(0);
    gate.wait_for_label(1);
    assert!(futures[0].terminate(Duration::ZERO));
    case.failure(&futures[0]);
    gate.open();
    for (label, future) in (1..).zip(&futures[1..]) {
        assert_eq!(case.value(future), label);
    }
}

fn pass_and_check_cancelled(ticket: Ticket) -> bool {
    ticket.pass();
    task::current().is_some_and(|context| context.is_cancelled())
}

pub(super) fn terminate_that_cannot_stop_a_task_requests_a_stop(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = case.submit(&executor, "running", pass_and_check_cancelled, gate.ticket(0));
    gate.wait_arrivals(1);
    assert!(!running.terminate(Duration::ZERO), "it cannot stop the task, so it returns false");
    assert!(running.running());
    gate.open();
    assert!(case.value(&running), "the task could not see the request to stop");
}

pub(super) fn terminate_of_a_finished_task_returns_false(case: &Case) {
    let executor = case.executor(1);
    let future = case.submit(&executor, "quick", |n: u8| n, 3);
    future.exception(case.event_timeout()).expect("it is done in time");
    assert!(!future.terminate(Duration::ZERO));
    assert_eq!(case.value(&future), 3);
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
}
