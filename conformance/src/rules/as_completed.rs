//! Rules of `as_completed`: each future is yielded once, when it is done, and a time-out reports how many are left.

use std::{collections::HashMap, time::Duration};

use executor_core::{ErrorKind, Executor, Future, as_completed};

use super::{
    awaited::{CountingWaker, block_on, poll},
    wait::Tasks,
};
use crate::{Case, Counter, Probe};

pub(super) fn cf_086_each_future_is_yielded_once(case: &Case) {
    let tasks = Tasks::new(case);
    let (succeeded, failed) = (tasks.succeeded(1), tasks.failed());
    let held = [tasks.held(2), tasks.held(3)];
    let futures: Vec<_> = held.into_iter().chain([succeeded, failed, tasks.cancelled()]).collect();
    let mut given: Vec<_> = futures.iter().map(Future::id).collect();
    let mut iterator = as_completed(futures, case.event_timeout());
    let mut yielded: Vec<_> = iterator.by_ref().take(3).map(|future| future.expect("it is done").id()).collect();
    tasks.open();
    yielded.extend(iterator.by_ref().map(|future| future.expect("it completes").id()));
    assert!(iterator.next().is_none());
    given.sort_unstable();
    yielded.sort_unstable();
    assert_eq!(yielded, given);
}

pub(super) fn futures_are_yielded_in_the_order_of_completion(case: &Case) {
    let tasks = Tasks::new(case);
    let futures = [tasks.held(1), tasks.held(2)];
    let done = tasks.cancelled();
    let mut iterator = as_completed(futures.into_iter().chain([done]), case.event_timeout());
    assert!(iterator.next().expect("there are three").expect("it is done").cancelled());
    tasks.release(2);
    assert_eq!(case.value(&iterator.next().expect("two are left").expect("it completes")), 2);
    tasks.release(1);
    assert_eq!(case.value(&iterator.next().expect("one is left").expect("it completes")), 1);
    assert!(iterator.next().is_none());
}

pub(super) fn cf_087_done_futures_are_yielded_before_the_time_out(case: &Case) {
    let tasks = Tasks::new(case);
    let mut left = vec![tasks.succeeded(1), tasks.failed(), tasks.held(2)];
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        let mut iterator = as_completed(left, timeout);
        for _ in 0..2 {
            assert!(iterator.next().expect("there are three").expect("it is done already").done());
        }
        let error = iterator.next().expect("a time-out").expect_err("the third is held");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(iterator.next().is_none());
        left = vec![tasks.succeeded(1), tasks.failed(), tasks.held(if timeout.is_zero() { 3 } else { 4 })];
        tasks.release(if timeout.is_zero() { 2 } else { 3 });
    }
}

pub(super) fn cf_088_the_input_may_submit_tasks(case: &Case) {
    let executor = case.executor(1);
    let futures = (0..5u32).map(|n| executor.submit(|n: u32| n, n).expect("it is open"));
    let mut values: Vec<_> =
        as_completed(futures, case.event_timeout()).map(|future| case.value(&future.expect("it completes"))).collect();
    values.sort_unstable();
    assert_eq!(values, [0, 1, 2, 3, 4]);
}

pub(super) fn cf_089_no_yielded_future_is_kept(case: &Case) {
    let executor = case.executor(1);
    let counter = Counter::new();
    let futures: Vec<_> = (0..3)
        .map(|_| {
            let future = executor.submit(|probe: Probe| probe, counter.probe()).expect("it is open");
            assert!(future.exception(case.event_timeout()).expect("it is done in time").is_none());
            future
        })
        .collect();
    let mut iterator = as_completed(futures, None);
    for left in (0..3).rev() {
        drop(iterator.next().expect("there are three").expect("it is done"));
        counter.wait_alive(left, case.event_timeout());
    }
}

pub(super) fn cf_090_the_time_out_has_the_number_of_unfinished_futures(case: &Case) {
    let tasks = Tasks::new(case);
    let futures = [tasks.succeeded(1), tasks.held(2), tasks.failed(), tasks.held(3)];
    let error = as_completed(futures, Duration::ZERO).last().expect("a time-out").expect_err("two are held");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("2 (of 4) futures unfinished"), "{error}");
}

pub(super) fn a_time_out_cancels_nothing(case: &Case) {
    let executor = case.executor(1);
    let gate = case.gate("held");
    let tickets = [gate.ticket(1), gate.ticket(2)];
    let futures = tickets.map(|ticket| executor.submit(crate::Ticket::pass, ticket).expect("it is open"));
    gate.wait_arrivals(1);
    assert!(as_completed(futures, Duration::ZERO).next().expect("a time-out").is_err());
    gate.open();
    executor.shutdown(executor_core::Shutdown::Drain);
    assert_eq!(gate.labels(), [1, 2]);
}

pub(super) fn one_call_accepts_futures_of_several_executors(case: &Case) {
    let (left, right) = (case.executor(1), case.executor(1));
    let futures = (0..10u32).map(|n| {
        let executor = if n % 2 == 0 { &left } else { &right };
        executor.submit(|n: u32| n, n).expect("it is open")
    });
    let sum: u32 =
        as_completed(futures, case.event_timeout()).map(|future| case.value(&future.expect("it completes"))).sum();
    assert_eq!(sum, 45);
}

pub(super) fn as_completed_accepts_shared_futures_and_the_keys_of_a_map(case: &Case) {
    let executor = case.executor(2);
    let submit = |n: u32| executor.submit(|n: u32| n + 1, n).expect("it is open");
    let shared: Vec<_> = (0..5).map(|n| submit(n).shared()).collect();
    let completed = as_completed(shared, case.event_timeout());
    let sum: u32 = completed.map(|future| future.expect("it completes").result(None).expect("a value")).sum();
    assert_eq!(sum, 15);
    let inputs: HashMap<_, _> = (0..5u32).map(|n| (submit(n), n)).collect();
    for future in as_completed(inputs.keys(), case.event_timeout()) {
        let future = future.expect("it completes");
        assert_eq!(case.value(future), inputs[future] + 1);
    }
}

pub(super) fn as_completed_accepts_references_and_yields_them(case: &Case) {
    let executor = case.executor(2);
    let futures: Vec<_> = (0..5u32).map(|n| executor.submit(|n: u32| n, n).expect("it is open")).collect();
    let mut yielded: Vec<_> =
        as_completed(&futures, case.event_timeout()).map(|future| future.expect("it completes").id()).collect();
    yielded.sort_unstable();
    assert_eq!(yielded, futures.iter().map(executor_core::Future::id).collect::<Vec<_>>());
    assert_eq!(futures.iter().map(|future| case.value(future)).sum::<u32>(), 10);
}

pub(super) fn a_stream_yields_futures_in_the_order_of_completion(case: &Case) {
    let tasks = Tasks::new(case);
    let futures = [tasks.held(1), tasks.held(2)];
    let done = tasks.cancelled();
    let mut stream = as_completed(futures.into_iter().chain([done]), None).into_stream();
    assert!(block_on(case, stream.next()).expect("there are three").expect("it is done").cancelled());
    for label in [2, 1] {
        let waker = CountingWaker::new();
        let mut next = std::pin::pin!(stream.next());
        assert!(poll(next.as_mut(), &waker).is_pending());
        tasks.release(label);
        waker.wait(case);
        let future = block_on(case, next).expect("one is left").expect("it completes");
        assert_eq!(case.value(&future), label);
    }
    assert!(block_on(case, stream.next()).is_none());
}
