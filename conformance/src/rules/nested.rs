//! Rules inside a task: it may submit to its own executor and wait for the result without a deadlock.

use executor_core::{Executor, ReturnWhen, as_completed, task, wait};

use crate::{Address, Case, Ticket};

pub(super) fn a_task_may_submit_to_its_own_executor(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    let gate = case.gate("inner");
    let submits = |(address, ticket): (Address, Ticket)| {
        // This task does not wait for the new one, which therefore runs later.
        address.executor().submit(Ticket::report, ticket).map(drop).is_ok()
    };
    assert!(case.value(&case.submit(&executor, "outer", submits, (guard.address(), gate.ticket(1)))));
    gate.wait_arrivals(1);
}

fn fibonacci((address, n): (Address, u64)) -> u64 {
    if n < 2 {
        return n;
    }
    let executor = address.executor();
    let first = executor.submit(fibonacci, (address, n - 1)).expect("it is open");
    let second = executor.submit(fibonacci, (address, n - 2)).expect("it is open");
    first.result(None).expect("it succeeds") + second.result(None).expect("it succeeds")
}

pub(super) fn tasks_that_wait_for_their_subtasks_never_use_up_the_workers(case: &Case) {
    for width in [1, 2] {
        let executor = case.executor(width);
        let guard = executor.address_guard();
        let future = case.submit(&executor, "fibonacci", fibonacci, (guard.address(), 10));
        assert_eq!(case.value(&future), 55);
    }
}

fn depth((address, left): (Address, u32)) -> u32 {
    if left == 0 {
        return 0;
    }
    1 + address.executor().submit(depth, (address, left - 1)).expect("it is open").result(None).expect("it succeeds")
}

pub(super) fn waits_may_be_deeply_nested(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    assert_eq!(case.value(&case.submit(&executor, "depth", depth, (guard.address(), 50))), 50);
}

pub(super) fn a_task_may_map_on_its_own_executor(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    let maps = |address: Address| -> u64 {
        address.executor().map(|n: u64| n * n, 0..20).expect("it is open").map(Result::unwrap).sum()
    };
    assert_eq!(case.value(&case.submit(&executor, "maps", maps, guard.address())), (0..20).map(|n| n * n).sum());
}

pub(super) fn a_task_may_wait_for_many_on_its_own_executor(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    let waits = |address: Address| {
        let executor = address.executor();
        let submit = |n| executor.submit(|n: u32| n, n).expect("it is open");
        let waited = wait((0..5).map(submit), None, ReturnWhen::AllCompleted);
        let completed = as_completed((5..10).map(submit), None).map(Result::unwrap);
        waited.done.into_iter().chain(completed).map(|future| future.result(None).expect("it succeeds")).sum::<u32>()
    };
    assert_eq!(case.value(&case.submit(&executor, "waits", waits, guard.address())), 45);
}

pub(super) fn a_task_that_waits_runs_only_the_awaited_task(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    let gate = case.gate("order");
    let outer = |(address, other, awaited): (Address, Ticket, Ticket)| {
        let executor = address.executor();
        let other = executor.submit(Ticket::report, other).expect("it is open");
        let awaited = executor.submit(Ticket::report, awaited).expect("it is open");
        let value = awaited.result(None).expect("it succeeds");
        (value, other.done())
    };
    let arguments = (guard.address(), gate.ticket(1), gate.ticket(2));
    assert_eq!(case.value(&case.submit(&executor, "outer", outer, arguments)), (2, false));
    gate.wait_arrivals(2);
    assert_eq!(gate.labels(), [2, 1]);
}

pub(super) fn a_task_that_was_run_inline_is_run_once(case: &Case) {
    let executor = case.executor(2);
    let guard = executor.address_guard();
    let gate = case.gate("inner");
    let outer = |(address, ticket): (Address, Ticket)| {
        address.executor().submit(Ticket::report, ticket).expect("it is open").result(None).expect("it succeeds")
    };
    let futures: Vec<_> =
        (0..20).map(|label| case.submit(&executor, "outer", outer, (guard.address(), gate.ticket(label)))).collect();
    for (label, future) in (0..).zip(&futures) {
        assert_eq!(case.value(future), label);
    }
    let mut labels = gate.labels();
    labels.sort_unstable();
    assert_eq!(labels, (0..20).collect::<Vec<_>>());
}

fn own_id((): ()) -> Option<String> {
    task::current().map(|context| context.id().to_string())
}

pub(super) fn a_subtask_that_runs_inline_is_the_current_task(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    let outer = |address: Address| {
        let before = task::current().map(|context| context.id());
        let inner = address.executor().submit(own_id, ()).expect("it is open");
        let id = inner.id().to_string();
        let seen = inner.result(None).expect("it succeeds");
        seen == Some(id) && task::current().map(|context| context.id()) == before
    };
    assert!(case.value(&case.submit(&executor, "outer", outer, guard.address())));
}

pub(super) fn a_panic_of_an_inline_subtask_is_the_error_of_the_subtask(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    let outer = |address: Address| {
        let inner = address.executor().submit(|n: u32| 100 / n, 0).expect("it is open");
        inner.result(None).is_err_and(|error| error.panic().is_some())
    };
    assert!(case.value(&case.submit(&executor, "outer", outer, guard.address())));
}

pub(super) fn a_task_may_wait_for_the_task_of_another_executor(case: &Case) {
    let (outer, inner) = (case.executor(1), case.executor(1));
    let guard = inner.address_guard();
    let outer_task = |address: Address| {
        address.executor().submit(|n: u32| n, 3).expect("it is open").result(None).expect("it succeeds")
    };
    assert_eq!(case.value(&case.submit(&outer, "outer", outer_task, guard.address())), 3);
}

pub(super) fn a_full_queue_accepts_tasks_of_its_own_workers(case: &Case) {
    let executor = case.executor_with(&crate::Setup::workers(1).queue_capacity(1));
    let guard = executor.address_guard();
    let outer = |address: Address| {
        let executor = address.executor();
        // The queue holds one task, and the only worker is the one that submits.
        let futures: Vec<_> = (0..5).map(|n| executor.submit(|n: u32| n, n).expect("it is open")).collect();
        futures.iter().map(|future| future.result(None).expect("it succeeds")).sum::<u32>()
    };
    assert_eq!(case.value(&case.submit(&executor, "outer", outer, guard.address())), 10);
}

pub(super) fn a_task_may_wait_for_a_map_as_a_future_on_its_own_executor(case: &Case) {
    let executor = case.executor(1);
    let guard = executor.address_guard();
    let waits = |address: Address| -> u64 {
        let map = address.executor().map(|n: u64| n * n, 0..20).expect("it is open");
        map.into_future().result(None).expect("it succeeds").into_iter().sum()
    };
    assert_eq!(case.value(&case.submit(&executor, "waits", waits, guard.address())), (0..20).map(|n| n * n).sum());
}
