//! Rules of guards, tokens, joins and races: they stop the tasks that are not wanted any more.

use std::{
    future::IntoFuture,
    thread,
    time::{Duration, Instant},
};

use executor_core::{CancellationToken, ErrorKind, Executor, Shutdown, race, task, try_join_all};

use super::awaited::block_on;
use crate::{Case, Gate, Subject, Ticket, Tracked};

/// Waits until it is released, and returns whether it is asked to stop. The request may still be on its way from
/// another machine, so it waits for that too, but not for ever.
fn pass_and_check_cancelled(ticket: Ticket) -> bool {
    ticket.pass();
    let until = Instant::now() + Duration::from_secs(10);
    let is_asked = || task::current().is_some_and(|context| context.is_cancelled());
    while !is_asked() && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
    is_asked()
}

/// Returns an executor whose one worker is blocked.
fn blocked(case: &Case) -> (Subject, Gate, Tracked<u32>) {
    let executor = case.executor(1);
    let gate = case.gate("blocker");
    let blocker = case.submit(&executor, "blocker", Ticket::pass, gate.ticket(0));
    gate.wait_arrivals(1);
    (executor, gate, blocker)
}

pub(super) fn a_dropped_guard_cancels_a_pending_task(case: &Case) {
    let (executor, gate, blocker) = blocked(case);
    let submit = |label| executor.submit(Ticket::report, gate.ticket(label)).expect("it is open");
    drop(submit(1).cancel_on_drop());
    drop(submit(2).terminate_on_drop(case.event_timeout()));
    let kept = case.track("kept", submit(3).cancel_on_drop().keep());
    let mut guard = submit(4).cancel_on_drop();
    gate.open();
    case.value(&blocker);
    case.value(&kept);
    assert_eq!(block_on(case, &mut guard).expect("it succeeds"), 4);
    drop(guard);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0, 3, 4]);
}

pub(super) fn a_dropped_guard_asks_a_running_task_to_stop(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = executor.submit(pass_and_check_cancelled, gate.ticket(0)).expect("it is open").shared();
    let token = CancellationToken::new();
    gate.wait_arrivals(1);
    token.attach(&running);
    token.cancel();
    assert!(running.running(), "it goes on");
    let guarded = executor.submit(pass_and_check_cancelled, gate.ticket(1)).expect("it is open");
    let (sender, receiver) = std::sync::mpsc::channel();
    guarded.add_result_callback(move |stopped| {
        let _ = sender.send(stopped.copied().ok());
    });
    gate.release(0);
    gate.wait_for_label(1);
    drop(guarded.cancel_on_drop());
    gate.open();
    assert!(running.result(case.event_timeout()).expect("it succeeds"), "it could not see the request");
    let stopped = receiver.recv_timeout(case.event_timeout()).expect("it is called");
    assert_eq!(stopped, Some(true), "it could not see the request");
}

pub(super) fn a_dropped_guard_terminates_a_running_task(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("running");
    let running = executor.submit(Ticket::pass, gate.ticket(0)).expect("it is open").shared();
    gate.wait_arrivals(1);
    let guard = executor.submit(Ticket::pass, gate.ticket(1)).expect("it is open").terminate_on_drop(Duration::ZERO);
    gate.release(0);
    gate.wait_for_label(1);
    drop(guard);
    gate.wait_gone(1);
    assert_eq!(running.result(case.event_timeout()).expect("it succeeds"), 0);
    assert_eq!(case.value(&case.submit(&executor, "after", |n: u8| n, 1)), 1);
}

pub(super) fn a_token_stops_all_of_its_tasks(case: &Case) {
    let (executor, gate, blocker) = blocked(case);
    let token = CancellationToken::new();
    let futures: Vec<_> = (1..4)
        .map(|label| case.submit(&executor, format!("task {label}"), Ticket::report, gate.ticket(label)))
        .collect();
    token.attach(&*futures[0]);
    token.attach(&*futures[2]);
    token.cancel();
    assert!(token.is_cancelled() && futures[0].cancelled() && futures[2].cancelled());
    gate.open();
    case.value(&blocker);
    assert_eq!(case.value(&futures[1]), 2);
    let late = case.submit(&executor, "late", |n: u8| n, 1);
    token.attach(&*late);
    assert!(late.exception(case.event_timeout()).is_ok_and(|error| error.is_none()) || late.cancelled());
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0, 2]);
}

pub(super) fn a_join_has_all_results_or_the_first_error_and_stops_the_others(case: &Case) {
    let executor = case.executor(1);
    let submit = |n: u64| executor.submit(|n: u64| 100 / n, n).expect("it is open");
    let all = case.track("all", try_join_all([submit(1), submit(2), submit(5)]));
    assert_eq!(case.value(&all), [100, 50, 20]);
    assert_eq!(block_on(case, try_join_all([submit(4), submit(10)]).into_future()).expect("both succeed"), [25, 10]);

    let failing = case.track("failing", try_join_all([submit(1), submit(0), submit(2)]));
    assert_eq!(case.failure(&failing).kind(), ErrorKind::Panicked);
}

pub(super) fn a_join_that_fails_stops_the_others(case: &Case) {
    let (executor, gate, blocker) = blocked(case);
    let pending = executor.submit(Ticket::report, gate.ticket(1)).expect("it is open");
    let failing = executor.submit(Ticket::report, gate.ticket(2)).expect("it is open").shared();
    let all = case.track("all", try_join_all([pending.shared(), failing.clone()]));
    assert!(failing.cancel());
    assert_eq!(case.failure(&all).kind(), ErrorKind::Cancelled);
    let mixed =
        case.track("mixed", try_join_all([executor.submit(Ticket::report, gate.ticket(3)).expect("it is open")]));
    assert!(mixed.cancel());
    gate.open();
    case.value(&blocker);
    executor.shutdown(Shutdown::Drain);
    assert_eq!(gate.labels(), [0]);
}

pub(super) fn a_race_has_the_first_value_and_stops_the_others(case: &Case) {
    let executor = case.executor(2);
    let gate = case.gate("slow");
    let slow = executor.submit(Ticket::pass, gate.ticket(0)).expect("it is open");
    gate.wait_arrivals(1);
    let quick = executor.submit(|n: u32| n + 1, 6).expect("it is open");
    let failing = executor.submit(|n: u32| 1 / n, 0).expect("it is open");
    let first = case.track("first", race([slow, failing, quick]));
    assert_eq!(case.value(&first), 7);
    gate.open();
    let failing = [0, 0].map(|n| executor.submit(|n: u32| 1 / n, n).expect("it is open"));
    assert_eq!(case.failure(&case.track("failing", race(failing))).kind(), ErrorKind::Panicked);
}

pub(super) fn joins_and_races_may_be_waited_for_inside_a_task(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    fn joins(address: crate::Address) -> u64 {
        let executor = address.executor();
        let submit = |n: u64| executor.submit(|n: u64| n + 1, n).expect("it is open");
        let all = try_join_all((0..3).map(submit)).result(None).expect("all succeed");
        all.iter().sum::<u64>() + race([submit(6)]).result(None).expect("it succeeds")
    }
    assert_eq!(case.value(&case.submit(&executor, "joins", joins, guard.address())), 13);
}
