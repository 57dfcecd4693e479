//! `result` with a time-out, `wait` and `as_completed`.

use std::{thread, time::Duration};

use executor_core::{
    AsCompleted, Error, ErrorKind, Executor, Future, InlineExecutor, Promise, ReturnWhen, Waited, as_completed,
    promise, wait,
};

use crate::support::{NO_WAIT, Remote, action, concurrently};

fn promises(count: usize) -> (Vec<Promise<u64>>, Vec<Future<u64>>) {
    (0..count).map(|_| promise()).unzip()
}

fn ids(futures: &[Future<u64>]) -> Vec<executor_core::TaskId> {
    futures.iter().map(Future::id).collect()
}

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn a_time_out_ends_the_wait_and_does_not_affect_the_task() {
    let (promise, future) = promise::<u64>();
    for timeout in [NO_WAIT, MOMENT] {
        let error = future.result(timeout).expect_err("it is pending");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(future.exception(timeout).expect_err("it is pending").kind(), ErrorKind::Timeout);
    }
    assert!(promise.set_running_or_notify_cancel());
    promise.set_result(1).expect("running");
    assert_eq!(future.result(NO_WAIT).expect("a value"), 1);
}

#[test]
fn the_longest_time_out_never_expires() {
    for _ in 0..100 {
        let (promise, future) = promise::<u64>();
        let values = concurrently(vec![
            action(|| future.result(Duration::MAX).expect("a value")),
            action(|| promise.set_result(2).map(|()| 2).expect("pending")),
        ]);
        assert_eq!(values, [2, 2]);
    }
    let done = InlineExecutor::new().submit(|n: u64| n, 1).expect("accepted");
    let waited = wait([done], Duration::MAX, ReturnWhen::AllCompleted);
    assert_eq!(waited.done.len(), 1);
    assert_eq!(as_completed(waited.done, Duration::MAX).count(), 1);
}

#[test]
fn waiting_for_nothing_returns_immediately() {
    let waited = wait(Vec::<Future<u64>>::new(), None, ReturnWhen::AllCompleted);
    assert!(waited.done.is_empty() && waited.not_done.is_empty());
    assert!(as_completed(Vec::<Future<u64>>::new(), None).next().is_none());
}

#[test]
fn wait_returns_every_future_once_in_the_given_order() {
    let (promises, futures) = promises(6);
    let given = ids(&futures);
    for index in [4, 1] {
        promises[index].set_result(0).expect("pending");
    }
    let waited = wait(futures, NO_WAIT, ReturnWhen::AllCompleted);
    assert_eq!(ids(&waited.done), [given[1], given[4]]);
    assert_eq!(ids(&waited.not_done), [given[0], given[2], given[3], given[5]]);
}

#[test]
fn first_completed_returns_for_a_cancelled_future() {
    let (_promises, futures) = promises(2);
    assert!(futures[1].cancel());
    let waited = wait(futures, None, ReturnWhen::FirstCompleted);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
}

#[test]
fn first_exception_returns_for_a_failure_and_not_for_a_cancel() {
    let (promises, futures) = promises(3);
    assert!(futures[0].cancel());
    promises[1].set_result(1).expect("pending");
    let waited = wait(futures, NO_WAIT, ReturnWhen::FirstException);
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 1));
    let all = waited.done.into_iter().chain(waited.not_done).collect::<Vec<_>>();
    let (_open, never) = promise::<u64>();
    promises[2].set_exception(Error::new(ErrorKind::Other, "no")).expect("pending");
    let waited = wait(all.into_iter().chain([never]), None, ReturnWhen::FirstException);
    assert_eq!((waited.done.len(), waited.not_done.len()), (3, 1));
}

#[test]
fn first_exception_returns_for_a_failure_that_is_not_yet_decoded() {
    let remote = Remote::default();
    let future = remote.submit(|_: u64| -> u64 { panic!("no") }, 1).expect("accepted");
    remote.complete_all();
    let (_open, never) = promise::<u64>();
    let waited = wait([never, future], None, ReturnWhen::FirstException);
    assert_eq!(waited.done.len(), 1);
}

#[test]
fn without_a_failure_first_exception_waits_for_all() {
    let (promises, futures) = promises(3);
    let waited = thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(futures, None, ReturnWhen::FirstException));
        promises.iter().for_each(|promise| promise.set_result(1).expect("pending"));
        waiting.join().expect("ends")
    });
    assert_eq!(waited.done.len(), 3);
}

#[test]
fn as_completed_yields_futures_in_the_order_of_completion() {
    let (promises, futures) = promises(4);
    let given = ids(&futures);
    promises[2].set_result(0).expect("pending");
    let mut completed = as_completed(futures, None);
    let mut order = vec![completed.next().expect("one is done").expect("no time-out").id()];
    for index in [3, 0, 1] {
        promises[index].set_result(0).expect("pending");
        order.push(completed.next().expect("one more").expect("no time-out").id());
    }
    assert_eq!(order, [given[2], given[3], given[0], given[1]]);
    assert!(completed.next().is_none());
    assert!(completed.next().is_none());
}

#[test]
fn as_completed_yields_done_futures_then_one_time_out() {
    let (promises, futures) = promises(3);
    promises[1].set_result(0).expect("pending");
    let mut completed = as_completed(futures, NO_WAIT);
    assert!(completed.next().expect("one is done").is_ok());
    let error = completed.next().expect("a time-out").expect_err("a time-out");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Timeout, "2 (of 3) futures unfinished"));
    assert!(completed.next().is_none());
    assert!(promises[0].set_running_or_notify_cancel(), "a time-out cancels nothing");
}

#[test]
fn as_completed_may_continue_in_another_thread() {
    let (promises, futures) = promises(2);
    let mut completed = as_completed(futures, None);
    promises[0].set_result(0).expect("pending");
    assert!(completed.next().expect("one").is_ok());
    thread::scope(|scope| {
        let waiting = scope.spawn(move || completed.next().expect("the other").is_ok());
        promises[1].set_result(0).expect("pending");
        assert!(waiting.join().expect("ends"));
    });
}

#[test]
fn as_completed_does_not_keep_yielded_futures() {
    let drops = crate::support::Drops::default();
    let (promises, futures): (Vec<_>, Vec<_>) = (0..2).map(|_| promise()).unzip();
    promises[0].set_result(Some(drops.counted())).expect("pending");
    let mut completed = as_completed(futures, None);
    drop(completed.next().expect("one").expect("done").result(None).expect("a value"));
    assert_eq!(drops.count(), 1);
    drop(promises);
    assert!(completed.next().expect("the other").expect("completed").result(None).is_err());
}

#[test]
fn one_wait_takes_futures_of_several_back_ends() {
    let remote = Remote::default();
    let (promise, one) = promise::<u64>();
    let two = remote.submit(|n: u64| n, 2).expect("accepted");
    let three = InlineExecutor::new().submit(|n: u64| n, 3).expect("accepted");
    promise.set_result(1).expect("pending");
    remote.complete_all();
    let waited = wait([one, two, three], None, ReturnWhen::AllCompleted);
    let sum: u64 = waited.done.iter().map(|future| future.result(NO_WAIT).expect("a value")).sum();
    assert_eq!(sum, 6);
}

#[test]
fn wait_and_as_completed_accept_references_and_return_them() {
    let (promises, futures) = promises(3);
    promises[1].set_result(7).expect("pending");
    let waited: Waited<u64, &Future<u64>> = wait(&futures, NO_WAIT, ReturnWhen::AllCompleted);
    assert_eq!((waited.done[0].id(), waited.not_done.len()), (futures[1].id(), 2));
    promises[2].set_result(8).expect("pending");
    let boxed: Vec<Box<&Future<u64>>> = waited.not_done.into_iter().map(Box::new).collect();
    let mut completed: AsCompleted<u64, Box<&Future<u64>>> = as_completed(boxed, NO_WAIT);
    assert_eq!(completed.next().expect("one is done").expect("no time-out").id(), futures[2].id());
    assert_eq!(completed.next().expect("a time-out").expect_err("one is pending").kind(), ErrorKind::Timeout);
    drop(completed);
    assert_eq!(futures[1].result(NO_WAIT).expect("it is still there"), 7);
}

#[test]
fn types_without_the_second_parameter_are_those_of_futures() {
    fn take_apart<T>(waited: Waited<T>) -> (Vec<Future<T>>, Vec<Future<T>>) {
        let Waited { done, not_done } = waited;
        (done, not_done)
    }
    fn count(completed: AsCompleted<u64>) -> usize {
        completed.count()
    }
    let (promises, futures) = promises(2);
    let (done, not_done) = take_apart(wait(futures, NO_WAIT, ReturnWhen::AllCompleted));
    assert_eq!((done.len(), not_done.len()), (0, 2));
    drop(promises);
    assert_eq!(count(as_completed(not_done, None)), 2);
}
