//! A map as one future, and a map that is read with time-outs.

use std::{thread, time::Duration};

use executor_core::{ErrorKind, Executor, InlineExecutor, MapOptions, Shutdown};

use crate::support::{Journal, Manual, NO_WAIT, Remote, action, block_on, concurrently, kind, panics};

fn one_by_one() -> MapOptions {
    MapOptions::new().chunksize(1)
}

fn not_three(n: u64) -> u64 {
    assert_ne!(n, 3, "a three");
    n * n
}

#[test]
fn a_map_as_a_future_has_all_results_in_the_order_of_the_inputs() {
    for options in [one_by_one(), MapOptions::new().chunksize(4), MapOptions::new(), MapOptions::new().buffersize(3)] {
        let executor = InlineExecutor::new();
        let map = executor.map_with(options, |n: u64| n * n, 0..10u64).expect("accepted");
        let squares: Vec<u64> = (0..10).map(|n| n * n).collect();
        assert_eq!(map.into_future().result(NO_WAIT).expect("all are done"), squares);
    }
}

#[test]
fn a_map_as_a_future_is_done_when_the_last_call_is() {
    let manual = Manual::new();
    let future = manual.map_with(one_by_one(), |n: u64| n, 0..3u64).expect("accepted").into_future();
    let journal = Journal::new();
    let (seen, order) = (journal.clone(), [1, 2, 0]);
    future.add_result_callback(move |all| seen.add(all.expect("no call fails").clone()));
    let mut tasks: Vec<_> = (0..3).map(|_| Some(manual.take())).collect();
    for index in order {
        assert!(!future.done() && journal.entries().is_empty());
        tasks[index].take().expect("once").run();
    }
    assert_eq!(journal.entries(), [[0, 1, 2]]);
    assert_eq!(block_on(future).expect("the callback has left it"), [0, 1, 2]);
    assert_eq!(manual.left_queue(), 0, "the back-end was not notified about a task that it never had");
}

#[test]
fn an_empty_map_as_a_future_is_done_immediately() {
    let future = Manual::new().map(|n: u64| n, []).expect("accepted").into_future();
    assert!(future.result(NO_WAIT).expect("nothing is open").is_empty());
}

#[test]
fn a_map_as_a_future_fails_with_the_first_failure_and_cancels_the_rest() {
    for chunksize in [1, 2] {
        let manual = Manual::new();
        let options = MapOptions::new().chunksize(chunksize);
        let future = manual.map_with(options, not_three, [0, 3, 1, 2]).expect("accepted").into_future();
        let mut tasks: Vec<_> = (0..manual.len()).map(|_| manual.take()).collect();
        tasks.remove(if chunksize == 1 { 1 } else { 0 }).run();
        assert_eq!(kind(&future), ErrorKind::Panicked);
        assert!(!tasks.is_empty() && tasks.iter().all(executor_core::Task::is_done), "the rest is cancelled");
    }
}

#[test]
fn cancelling_a_map_as_a_future_cancels_what_has_not_started() {
    let manual = Manual::new();
    let future = manual.map_with(one_by_one(), |n: u64| n, 0..3u64).expect("accepted").into_future();
    let (started, one, other) = (manual.take(), manual.take(), manual.take());
    assert!(started.begin());
    assert!(future.cancel() && future.cancelled());
    assert!(one.is_done() && other.is_done() && !started.is_done());
    assert_eq!(kind(&future), ErrorKind::Cancelled);
    drop(started);
    assert!(future.terminate(Duration::ZERO), "it was cancelled");
}

#[test]
fn dropping_a_map_as_a_future_cancels_nothing() {
    let manual = Manual::new();
    drop(manual.map_with(one_by_one(), |n: u64| n, 0..3u64).expect("accepted").into_future());
    let tasks: Vec<_> = (0..3).map(|_| manual.take()).collect();
    assert!(!tasks.iter().any(executor_core::Task::is_done));
}

#[test]
fn a_worker_that_waits_for_a_map_as_a_future_runs_its_calls_inline() {
    for options in [one_by_one(), one_by_one().unordered()] {
        let manual = Manual::new();
        let future = manual.map_with(options, |n: u64| n + 1, 0..4u64).expect("accepted").into_future();
        assert_eq!(manual.as_worker(|| future.result(None)).expect("run inline"), [1, 2, 3, 4]);
        assert_eq!(manual.left_queue(), 4, "only the calls have left the queue");
    }
}

#[test]
fn replies_of_a_map_as_a_future_are_decoded_where_they_complete() {
    let remote = Remote::default();
    let options = MapOptions::new().chunksize(3);
    let future = remote.map_with(options.clone(), |n: u64| n * 2, 0..7u64).expect("accepted").into_future();
    remote.complete_all();
    assert_eq!(future.result(NO_WAIT).expect("all are done"), [0, 2, 4, 6, 8, 10, 12]);
    let future = remote.map_with(options, not_three, [1, 3, 1]).expect("accepted").into_future();
    remote.complete_all();
    assert_eq!(kind(&future), ErrorKind::Panicked);
}

#[test]
fn results_that_the_iterator_has_yielded_are_not_in_the_future() {
    for chunksize in [1, 3] {
        let options = MapOptions::new().chunksize(chunksize);
        let mut map = InlineExecutor::new().map_with(options, |n: u64| n, 0..4u64).expect("accepted");
        assert_eq!(map.next().expect("a result").expect("a value"), 0);
        assert_eq!(map.into_future().result(NO_WAIT).expect("the rest"), [1, 2, 3]);
    }
}

#[test]
fn the_rest_of_a_bounded_input_is_submitted_or_its_error_is_that_of_the_future() {
    let executor = InlineExecutor::new();
    let options = MapOptions::new().buffersize(2);
    let map = executor.map_with(options.clone(), |n: u64| n, 0..9u64).expect("accepted");
    executor.shutdown(Shutdown::Drain);
    assert_eq!(kind(&map.into_future()), ErrorKind::ShutDown);
    let input = (0..9u64).inspect(|n| assert!(*n < 5, "the input panics"));
    let executor = InlineExecutor::new();
    let map = executor.map_with(options, |n: u64| n, input).expect("accepted");
    assert!(panics(|| drop(map.into_future())));
}

#[test]
fn a_map_as_a_future_ends_in_one_way_however_its_calls_race() {
    for round in 0..200 {
        let manual = Manual::new();
        let future = manual.map_with(one_by_one(), |n: u64| n, 0..3u64).expect("accepted").into_future();
        let tasks: Vec<_> = (0..3).map(|_| manual.take()).collect();
        let mut actions: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for task in tasks {
            actions.push(action(|| task.run()));
        }
        if round % 2 == 0 {
            actions.push(action(|| _ = future.cancel()));
        }
        actions.push(action(|| drop(manual.as_worker(|| future.exception(None)))));
        concurrently(actions);
        match future.result(NO_WAIT) {
            Ok(all) => assert_eq!(all, [0, 1, 2]),
            Err(error) => assert_eq!((error.kind(), round % 2), (ErrorKind::Cancelled, 0)),
        }
    }
}

#[test]
fn a_time_out_for_the_next_result_leaves_it_in_the_map() {
    for options in [one_by_one(), one_by_one().unordered(), one_by_one().timeout(Duration::MAX)] {
        let manual = Manual::new();
        let mut map = manual.map_with(options, |n: u64| n, 0..2u64).expect("accepted");
        for timeout in [NO_WAIT, Duration::from_micros(50)] {
            let error = map.next_timeout(timeout).expect("an item").expect_err("nothing is done");
            assert_eq!(error.kind(), ErrorKind::Timeout);
        }
        let (first, second) = (manual.take(), manual.take());
        assert!(!first.is_done() && !second.is_done(), "a time-out cancels nothing");
        first.run();
        assert_eq!(map.next_timeout(NO_WAIT).expect("an item").expect("a value"), 0);
        thread::scope(|scope| {
            let waits = scope.spawn(|| map.next_timeout(Duration::MAX).expect("an item").expect("a value"));
            second.run();
            assert_eq!(waits.join().expect("ends"), 1);
        });
        assert!(map.next_timeout(NO_WAIT).is_none());
    }
}

#[test]
fn the_time_out_of_the_map_ends_it_even_if_the_wait_may_last_longer() {
    let manual = Manual::new();
    let mut map = manual.map_with(one_by_one().timeout(NO_WAIT), |n: u64| n, 0..2u64).expect("accepted");
    assert_eq!(map.next_timeout(Duration::MAX).expect("an item").expect_err("too late").kind(), ErrorKind::Timeout);
    assert!(map.next_timeout(Duration::MAX).is_none() && manual.take().is_done());
}
