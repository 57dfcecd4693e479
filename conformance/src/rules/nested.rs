//! Rules inside a task: it may submit to its own executor and wait for the result without a deadlock.

use executor_core::{Executor, ReturnWhen, as_completed, task, wait};

use crate::{Address, Case, Ticket};

pub(super) fn a_task_may_submit_to_its_own_executor(case: &Case) {
    let executor = case.executor(1);
    let home = executor.home();
    let gate = case.gate("inner");
    let submits = |(address, ticket): (Address, Ticket)| {
        // This task does not wait for it, so it runs after this task has ended.
        address.executor().submit(Ticket::report, ticket).map(drop).is_ok()
    };
    assert!(case.value(&case.submit(&executor, "outer", submits, (home.address(), gate.ticket(1)))));
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
        let home = executor.home();
        let future = case.submit(&executor, "fibonacci", fibonacci, (home.address(), 10));
        assert_eq!(case.value(&future), 55);
    }
}

fn depth((address, left): (Address, u32)) -> u32 {
    if left == 0 {
        return 0;
    }
    1 + address.executor().submit(depth, (address, left - 1)).expect("it is open").result(None).expect("it succeeds")
}

pub(super) fn waiting_inside_waiting_inside_waiting_works(case: &Case) {
    let executor = case.executor(1);
    let home = executor.home();
    assert_eq!(case.value(&case.submit(&executor, "depth", depth, (home.address(), 50))), 50);
}

pub(super) fn a_task_may_map_on_its_own_executor(case: &Case) {
    let executor = case.executor(1);
    let home = executor.home();
    let maps = |address: Address| -> u64 {
        address.executor().map(|n: u64| n * n, 0..20).expect("it is open").map(Result::unwrap).sum()
    };
    assert_eq!(case.value(&case.submit(&executor, "maps", maps, home.address())), (0..20).map(|n| n * n).sum());
}

pub(super) fn a_task_may_wait_for_many_on_its_own_executor(case: &Case) {
    let executor = case.executor(1);
    let home = executor.home();
    let waits = |address: Address| {
        let executor = address.executor();
        let submit = |n| executor.submit(|n: u32| n, n).expect("it is open");
        let waited = wait((0..5).map(submit), None, ReturnWhen::AllCompleted);
        let completed = as_completed((5..10).map(submit), None).map(Result::unwrap);
        waited.done.into_iter().chain(completed).map(|future| future.result(None).expect("it succeeds")).sum::<u32>()
    };
    assert_eq!(case.value(&case.submit(&executor, "waits", waits, home.address())), 45);
}

pub(super) fn a_task_that_waits_runs_the_awaited_one_and_no_other(case: &Case) {
    let executor = case.executor(1);
    let home = executor.home();
    let gate = case.gate("order");
    let outer = |(address, other, awaited): (Address, Ticket, Ticket)| {
        let executor = address.executor();
        let other = executor.submit(Ticket::report, other).expect("it is open");
        let awaited = executor.submit(Ticket::report, awaited).expect("it is open");
        let value = awaited.result(None).expect("it succeeds");
        (value, other.done())
    };
    let arguments = (home.address(), gate.ticket(1), gate.ticket(2));
    assert_eq!(case.value(&case.submit(&executor, "outer", outer, arguments)), (2, false));
    gate.wait_arrivals(2);
    assert_eq!(gate.labels(), [2, 1]);
}

pub(super) fn a_task_that_was_run_for_a_waiter_is_run_once(case: &Case) {
    let executor = case.executor(2);
    let home = executor.home();
    let gate = case.gate("inner");
    let outer = |(address, ticket): (Address, Ticket)| {
        address.executor().submit(Ticket::report, ticket).expect("it is open").result(None).expect("it succeeds")
    };
    let futures: Vec<_> =
        (0..20).map(|label| case.submit(&executor, "outer", outer, (home.address(), gate.ticket(label)))).collect();
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

pub(super) fn a_subtask_that_runs_on_the_spot_knows_itself(case: &Case) {
    let executor = case.executor(1);
    let home = executor.home();
    let outer = |address: Address| {
        let before = task::current().map(|context| context.id());
        let inner = address.executor().submit(own_id, ()).expect("it is open");
        let id = inner.id().to_string();
        let seen = inner.result(None).expect("it succeeds");
        seen == Some(id) && task::current().map(|context| context.id()) == before
    };
    assert!(case.value(&case.submit(&executor, "outer", outer, home.address())));
}

pub(super) fn a_panic_on_the_spot_is_the_error_of_the_subtask(case: &Case) {
    let executor = case.executor(1);
    let home = executor.home();
    let outer = |address: Address| {
        let inner = address.executor().submit(|n: u32| 100 / n, 0).expect("it is open");
        inner.result(None).is_err_and(|error| error.panic().is_some())
    };
    assert!(case.value(&case.submit(&executor, "outer", outer, home.address())));
}

pub(super) fn a_task_may_wait_for_the_task_of_another_executor(case: &Case) {
    let (outer, inner) = (case.executor(1), case.executor(1));
    let home = inner.home();
    let asks = |address: Address| {
        address.executor().submit(|n: u32| n, 3).expect("it is open").result(None).expect("it succeeds")
    };
    assert_eq!(case.value(&case.submit(&outer, "asks", asks, home.address())), 3);
}

pub(super) fn a_full_queue_lets_its_own_tasks_in(case: &Case) {
    let executor = case.executor_with(&crate::Setup::workers(1).queue_capacity(1));
    let home = executor.home();
    let outer = |address: Address| {
        let executor = address.executor();
        // These are more than the queue can hold, and the only worker is the one that submits.
        let futures: Vec<_> = (0..5).map(|n| executor.submit(|n: u32| n, n).expect("it is open")).collect();
        futures.iter().map(|future| future.result(None).expect("it succeeds")).sum::<u32>()
    };
    assert_eq!(case.value(&case.submit(&executor, "outer", outer, home.address())), 10);
}
