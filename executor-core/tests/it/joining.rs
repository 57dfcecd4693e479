//! `try_join_all` and `race`.

use std::time::Duration;

use executor_core::{
    AsFuture, Error, ErrorKind, Executor, Future, InlineExecutor, Promise, ReturnWhen, promise, race, try_join_all,
    wait,
};

use crate::support::{Drops, Manual, NO_WAIT, Remote, action, block_on, concurrently, kind};

fn promises(count: usize) -> (Vec<Promise<u64>>, Vec<Future<u64>>) {
    (0..count).map(|_| promise()).unzip()
}

fn other(message: &str) -> Error {
    Error::new(ErrorKind::Other, message)
}

#[test]
fn all_results_come_in_the_order_of_the_input() {
    let (promises, futures) = promises(3);
    let all = try_join_all(futures);
    for number in [2, 0, 1] {
        assert!(!all.done());
        promises[number].set_result(number as u64).expect("pending");
    }
    assert_eq!(all.result(NO_WAIT).expect("all succeeded"), [0, 1, 2]);
    assert!(try_join_all(Vec::<Future<u64>>::new()).result(NO_WAIT).expect("nothing failed").is_empty());
}

#[test]
fn the_first_failure_stops_the_others() {
    let (promises, futures) = promises(4);
    assert!(promises[3].set_running_or_notify_cancel());
    let all = try_join_all(futures);
    promises[2].set_result(2).expect("pending");
    promises[1].set_exception(other("the reason")).expect("pending");
    assert_eq!(all.result(NO_WAIT).expect_err("one has failed").to_string(), "the reason");
    assert!(!promises[0].set_running_or_notify_cancel(), "it was cancelled");
    promises[3].set_result(3).expect("it goes on");
}

#[test]
fn a_cancelled_member_is_a_failure() {
    let (promises, futures) = promises(2);
    let kept = futures.into_iter().map(Future::shared).collect::<Vec<_>>();
    let all = try_join_all(kept.clone());
    assert!(kept[1].cancel());
    assert_eq!(kind(&all), ErrorKind::Cancelled);
    assert!(kept[0].cancelled());
    drop(promises);
}

#[test]
fn cancelling_a_join_or_a_race_stops_its_tasks_and_dropping_it_does_not() {
    type End = fn(Vec<Future<u64>>) -> bool;
    let ends: [End; 4] = [
        |futures| try_join_all(futures).cancel(),
        |futures| race(futures).cancel(),
        |futures| {
            drop(try_join_all(futures));
            false
        },
        |futures| {
            drop(race(futures).cancel_on_drop());
            true
        },
    ];
    for end in ends {
        let (promises, futures) = promises(3);
        let stopped = end(futures);
        assert!(promises.iter().all(|promise| promise.set_running_or_notify_cancel() != stopped));
    }
}

#[test]
fn shared_futures_are_cloned_and_can_be_waited_for_afterwards() {
    let (promises, futures) = promises(2);
    let shared = futures.into_iter().map(Future::shared).collect::<Vec<_>>();
    let (all, first) = (try_join_all(shared.clone()), race(shared.clone()));
    promises[1].set_result(7).expect("pending");
    assert_eq!(first.result(NO_WAIT).expect("the first success"), 7);
    assert_eq!(kind(&all), ErrorKind::Cancelled, "the race has cancelled the other task");
    let waited = wait(&shared, NO_WAIT, ReturnWhen::AllCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
    assert_eq!(shared[1].outcome(None).expect("a value"), 7);
}

#[test]
fn a_race_has_the_first_success_or_an_error() {
    let (promises, futures) = promises(3);
    let first = race(futures);
    promises[0].set_exception(other("lost")).expect("pending");
    assert!(!first.done());
    promises[2].set_result(2).expect("pending");
    assert_eq!(first.result(NO_WAIT).expect("the first success"), 2);
    assert!(!promises[1].set_running_or_notify_cancel(), "it was cancelled");

    let (promises, futures) = self::promises(2);
    let first = race(futures);
    promises.iter().for_each(|promise| promise.set_exception(other("lost")).expect("pending"));
    assert_eq!(first.result(NO_WAIT).expect_err("all have failed").to_string(), "lost");
    assert_eq!(kind(&race(Vec::<Future<u64>>::new())), ErrorKind::InvalidArgument);
}

#[test]
fn both_can_be_awaited_and_sleep_until_they_are_done() {
    for _ in 0..100 {
        let (promises, futures) = promises(2);
        let (all, first) = (try_join_all(futures), InlineExecutor::new().submit(|n: u64| n, 3).expect("accepted"));
        let values = concurrently(vec![
            action(|| block_on(all).expect("all succeed").iter().sum::<u64>()),
            action(|| promises[0].set_result(1).map(|()| 1).expect("pending")),
            action(|| promises[1].set_result(2).map(|()| 2).expect("pending")),
            action(|| block_on(race([first])).expect("it succeeds")),
        ]);
        assert_eq!(values, [3, 1, 2, 3]);
    }
}

#[test]
fn a_worker_that_waits_runs_the_tasks_that_have_not_started() {
    let manual = Manual::new();
    let submit = |n: u64| manual.submit(|n: u64| 10 / n, n).expect("accepted");
    let all = try_join_all([submit(1), submit(2)]);
    assert_eq!(manual.as_worker(|| all.result(None)).expect("both succeed"), [10, 5]);
    // The first task fails, so the second one does not run.
    let (failing, second) = (submit(0), submit(5).shared());
    let failed = manual.as_worker(|| try_join_all([failing.shared(), second.clone()]).result(None));
    assert_eq!(failed.expect_err("one fails").kind(), ErrorKind::Panicked);
    assert!(second.cancelled());
    let first = race([submit(0), submit(5)]);
    assert_eq!(manual.as_worker(|| first.result(None)).expect("one succeeds"), 2);
}

#[test]
fn replies_of_other_processes_are_decoded() {
    let remote = Remote::default();
    let submit = |n: u64| remote.submit(|n: u64| 10 / n, n).expect("accepted");
    let all = try_join_all([submit(1), submit(5)]);
    remote.complete_all();
    assert_eq!(all.result(NO_WAIT).expect("both succeed"), [10, 2]);
    let first = race([submit(0), submit(5)]);
    remote.complete_all();
    assert_eq!(first.result(NO_WAIT).expect("one succeeds"), 2);
    let all = try_join_all([submit(0), submit(1)]);
    remote.complete_all();
    assert_eq!(kind(&all), ErrorKind::Panicked);
}

#[test]
fn every_value_is_dropped_once() {
    let drops = Drops::default();
    let value = || InlineExecutor::new().submit(|()| (), ()).map(|_| drops.counted()).expect("accepted");
    let given = |count: usize| {
        (0..count).map(|_| {
            let (promise, future) = promise();
            promise.set_result(value()).expect("pending");
            future
        })
    };
    drop(try_join_all(given(3)));
    assert_eq!(drops.count(), 3);
    assert_eq!(try_join_all(given(3)).result(None).map(|values| values.len()).expect("all succeeded"), 3);
    assert_eq!(drops.count(), 6);
    drop(race(given(3)).result(Duration::ZERO));
    assert_eq!(drops.count(), 9);
}
