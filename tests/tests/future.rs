//! CPython's cases about futures without an executor, and other rules about waiting.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use executor_core::{
    Error, ErrorKind, Executor, Future, InlineExecutor, Promise, ReturnWhen, as_completed, promise, wait,
};
use test_support::DEADLINE;

/// A future in each state, and the promise that keeps it there.
struct States {
    pending: (Promise<u32>, Future<u32>),
    running: (Promise<u32>, Future<u32>),
    cancelled: (Promise<u32>, Future<u32>),
    notified: (Promise<u32>, Future<u32>),
    failed: (Promise<u32>, Future<u32>),
    succeeded: (Promise<u32>, Future<u32>),
}

impl States {
    fn new() -> States {
        let states = States {
            pending: promise(),
            running: promise(),
            cancelled: promise(),
            notified: promise(),
            failed: promise(),
            succeeded: promise(),
        };
        assert!(states.running.0.set_running_or_notify_cancel());
        assert!(states.cancelled.1.cancel());
        assert!(states.notified.1.cancel());
        assert!(!states.notified.0.set_running_or_notify_cancel());
        states.failed.0.set_exception(an_error()).expect("it is pending");
        states.succeeded.0.set_result(42).expect("it is pending");
        states
    }

    /// Returns the futures in the order of CPython's tables: pending, running, cancelled, cancelled and notified,
    /// failed, succeeded.
    fn all(&self) -> [&Future<u32>; 6] {
        [&self.pending.1, &self.running.1, &self.cancelled.1, &self.notified.1, &self.failed.1, &self.succeeded.1]
    }
}

fn an_error() -> Error {
    Error::new(ErrorKind::Other, "the disk is full")
}

/// Adds a callback, and returns a channel for its result.
fn watch<R: Send + 'static>(
    future: &Future<u32>,
    callback: impl FnOnce(&Future<u32>) -> R + Send + 'static,
) -> mpsc::Receiver<R> {
    let (sender, receiver) = mpsc::channel();
    future.add_done_callback(move |future| {
        let _ = sender.send(callback(future));
    });
    receiver
}

#[test]
fn cf_001_a_callback_gets_the_result() {
    let (promise, future) = promise();
    let seen = watch(&future, |future| future.result(None));
    assert!(seen.try_recv().is_err(), "it is not done yet");
    promise.set_result(5).expect("it is pending");
    assert_eq!(seen.try_recv().expect("it was called").expect("it has a value"), 5);
}

#[test]
fn cf_002_a_callback_gets_the_error() {
    let (promise, future) = promise();
    let seen = watch(&future, |future| future.exception(None));
    promise.set_exception(an_error()).expect("it is pending");
    let error = seen.try_recv().expect("it was called").expect("it was not cancelled").expect("it failed");
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(error.to_string().contains("the disk is full"));
}

#[test]
fn cf_003_a_callback_sees_the_cancel() {
    let (_promise, future) = promise::<u32>();
    let seen = watch(&future, Future::cancelled);
    assert!(future.cancel());
    assert_eq!(seen.try_recv(), Ok(true));
}

#[test]
fn cf_004_a_callback_that_panics_does_not_stop_the_next() {
    let (promise, future) = promise();
    future.add_done_callback(|_| panic!("a callback panics on purpose"));
    let seen = watch(&future, |future| future.result(None));
    promise.set_result(5).expect("it is pending");
    assert_eq!(seen.try_recv().expect("it was called").expect("it has a value"), 5);
}

#[test]
fn cf_005_a_callback_added_after_success_is_called_immediately() {
    let states = States::new();
    assert_eq!(watch(&states.succeeded.1, |future| future.result(None).ok()).try_recv(), Ok(Some(42)));
}

#[test]
fn cf_006_a_callback_added_after_failure_is_called_immediately() {
    let states = States::new();
    let seen = watch(&states.failed.1, |future| future.exception(None)).try_recv().expect("it was called");
    assert_eq!(seen.expect("it was not cancelled").expect("it failed").kind(), ErrorKind::Other);
}

#[test]
fn cf_007_a_callback_added_after_cancel_is_called_immediately() {
    let states = States::new();
    assert_eq!(watch(&states.cancelled.1, Future::cancelled).try_recv(), Ok(true));
    assert_eq!(watch(&states.notified.1, Future::cancelled).try_recv(), Ok(true));
}

#[test]
fn cf_008_a_late_callback_that_panics_does_not_unwind_into_the_adding_thread() {
    let states = States::new();
    states.succeeded.1.add_done_callback(|_| panic!("a callback panics on purpose"));
    assert_eq!(states.succeeded.1.result(None).expect("it has a value"), 42);
}

#[test]
fn cf_009_debug_shows_each_state() {
    let states = States::new();
    let names = ["pending", "running", "cancelled", "cancelled", "failed", "finished"];
    for (future, name) in states.all().into_iter().zip(names) {
        assert!(format!("{future:?}").contains(name), "{future:?} does not say {name}");
    }
}

#[test]
fn cf_011_cancel_in_each_state() {
    let states = States::new();
    assert_eq!(states.all().map(Future::cancel), [true, false, true, true, false, false]);
    assert_eq!(states.all().map(Future::cancelled), [true, false, true, true, false, false]);
    assert!(states.running.1.running());
    assert_eq!(states.succeeded.1.result(None).expect("it has a value"), 42);
}

#[test]
fn cf_012_cancelled_in_each_state() {
    assert_eq!(States::new().all().map(Future::cancelled), [false, false, true, true, false, false]);
}

#[test]
fn cf_013_done_in_each_state() {
    assert_eq!(States::new().all().map(Future::done), [false, false, true, true, true, true]);
}

#[test]
fn cf_014_running_in_each_state() {
    assert_eq!(States::new().all().map(Future::running), [false, true, false, false, false, false]);
}

#[test]
fn cf_015_result_with_a_time_out_of_zero_in_each_state() {
    use ErrorKind::{Cancelled, Other, Timeout};
    let states = States::new();
    let seen = states.all().map(|future| future.result(Duration::ZERO).map_err(|error| error.kind()));
    assert_eq!(seen, [Err(Timeout), Err(Timeout), Err(Cancelled), Err(Cancelled), Err(Other), Ok(42)]);
}

#[test]
fn cf_016_a_blocked_result_wakes_with_the_value() {
    let (promise, future) = promise();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| future.result(DEADLINE));
        promise.set_result(42).expect("it is pending");
        assert_eq!(waiter.join().expect("it does not panic").expect("it has a value"), 42);
    });
}

#[test]
fn cf_017_a_blocked_result_wakes_when_it_is_cancelled() {
    let (_promise, future) = promise::<u32>();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| future.result(DEADLINE));
        assert!(future.cancel());
        let error = waiter.join().expect("it does not panic").expect_err("it was cancelled");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    });
}

#[test]
fn cf_018_exception_with_a_time_out_of_zero_in_each_state() {
    use ErrorKind::{Cancelled, Other, Timeout};
    let states = States::new();
    let seen = states.all().map(|future| match future.exception(Duration::ZERO) {
        Ok(error) => Ok(error.map(|error| error.kind())),
        Err(error) => Err(error.kind()),
    });
    assert_eq!(seen, [Err(Timeout), Err(Timeout), Err(Cancelled), Err(Cancelled), Ok(Some(Other)), Ok(None)]);
}

#[test]
fn cf_019_a_blocked_exception_wakes_with_the_error() {
    let (promise, future) = promise::<u32>();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| future.exception(DEADLINE));
        promise.set_exception(an_error()).expect("it is pending");
        let error = waiter.join().expect("it does not panic").expect("it was not cancelled").expect("it failed");
        assert_eq!(error.kind(), ErrorKind::Other);
    });
}

#[test]
fn cf_020_a_second_result_is_refused() {
    let (promise, future) = promise();
    promise.set_result(1).expect("it is pending");
    assert_eq!(promise.set_result(2).expect_err("it is done").kind(), ErrorKind::InvalidState);
    assert_eq!(promise.set_exception(an_error()).expect_err("it is done").kind(), ErrorKind::InvalidState);
    assert!(!promise.set_running_or_notify_cancel());
    assert_eq!(future.result(None).expect("it has a value"), 1);
}

#[test]
fn cf_021_a_second_error_is_refused() {
    let (promise, future) = promise::<u32>();
    promise.set_exception(an_error()).expect("it is pending");
    let second = Error::new(ErrorKind::Broken, "another one");
    assert_eq!(promise.set_exception(second).expect_err("it is done").kind(), ErrorKind::InvalidState);
    assert_eq!(promise.set_result(2).expect_err("it is done").kind(), ErrorKind::InvalidState);
    assert_eq!(future.result(None).expect_err("it failed").kind(), ErrorKind::Other);
}

#[test]
fn a_result_of_a_cancelled_promise_is_refused() {
    let states = States::new();
    for promise in [&states.cancelled.0, &states.notified.0] {
        assert_eq!(promise.set_result(1).expect_err("it was cancelled").kind(), ErrorKind::InvalidState);
    }
}

#[test]
fn cf_022_all_methods_agree_in_each_state_on_any_number_of_threads() {
    let states = States::new();
    let state = |future: &Future<u32>| (future.done(), future.cancelled(), future.running(), format!("{future:?}"));
    let expected = states.all().map(state);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    assert_eq!(states.all().map(state), expected);
                }
            });
        }
    });
}

#[test]
fn a_dropped_promise_completes_its_future() {
    for runs in [false, true] {
        let (promise, future) = promise::<u32>();
        assert!(!runs || promise.set_running_or_notify_cancel());
        let called = watch(&future, Future::done);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| future.result(DEADLINE));
            drop(promise);
            let error = waiter.join().expect("it does not panic").expect_err("the promise is gone");
            assert_ne!(error.kind(), ErrorKind::Timeout, "{error}");
        });
        assert_eq!(called.try_recv(), Ok(true));
    }
}

#[test]
fn callbacks_run_in_the_order_they_were_added_before_the_completing_call_returns() {
    let (promise, future) = promise();
    let calls = Arc::new(Mutex::new(Vec::new()));
    for number in 0..10 {
        let calls = calls.clone();
        future.add_done_callback(move |_| {
            calls.lock().expect("no callback panics").push((number, thread::current().id()));
        });
    }
    promise.set_result(1).expect("it is pending");
    let here = thread::current().id();
    assert_eq!(*calls.lock().expect("no callback panics"), (0..10).map(|n| (n, here)).collect::<Vec<_>>());
}

#[test]
fn waiters_are_notified_before_callbacks_run() {
    let (promise, future) = promise();
    let (go, gone) = mpsc::channel::<()>();
    future.add_done_callback(move |_| gone.recv_timeout(DEADLINE).expect("the waiter sends after it was notified"));
    thread::scope(|scope| {
        scope.spawn(move || promise.set_result(1).expect("it is pending"));
        // If the waiter were notified after the callback, each would wait for the other until a time-out.
        assert_eq!(future.result(DEADLINE).expect("it has a value"), 1);
        go.send(()).expect("the callback waits");
    });
}

#[test]
fn waiting_for_no_futures_returns_immediately() {
    for when in [ReturnWhen::AllCompleted, ReturnWhen::FirstCompleted, ReturnWhen::FirstException] {
        let waited = wait(Vec::<Future<u8>>::new(), None, when);
        assert!(waited.done.is_empty() && waited.not_done.is_empty());
    }
    for timeout in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
        assert!(as_completed(Vec::<Future<u8>>::new(), timeout).next().is_none());
    }
}

#[test]
fn wait_keeps_the_order_on_each_side() {
    let pairs: Vec<_> = (0..6).map(|_| promise::<u32>()).collect();
    let (promises, futures): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    for number in [4, 0, 2] {
        promises[number as usize].set_result(number).expect("it is pending");
    }
    let ids: Vec<_> = futures.iter().map(Future::id).collect();
    let waited = wait(futures, Duration::ZERO, ReturnWhen::AllCompleted);
    assert_eq!(waited.done.iter().map(Future::id).collect::<Vec<_>>(), [ids[0], ids[2], ids[4]]);
    assert_eq!(waited.not_done.iter().map(Future::id).collect::<Vec<_>>(), [ids[1], ids[3], ids[5]]);
}

#[test]
fn the_clock_of_as_completed_starts_at_the_call() {
    const TIMEOUT: Duration = Duration::from_millis(10);
    // If the clock started at the first `next`, every `next` would take at least the time-out. One that takes less is
    // enough, so the test passes on a busy machine too.
    let is_shorter = (0..200).any(|_| {
        let (_promise, future) = promise::<u32>();
        let called = Instant::now();
        let mut iterator = as_completed([future], TIMEOUT);
        thread::sleep(TIMEOUT.saturating_sub(called.elapsed()));
        let next_called = Instant::now();
        let error = iterator.next().expect("a time-out").expect_err("the promise is never set");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        next_called.elapsed() < TIMEOUT
    });
    assert!(is_shorter, "every `next` waited for the whole time-out");
}

#[test]
fn a_wait_never_times_out_early() {
    let (_promise, future) = promise::<u32>();
    let timeout = Duration::from_millis(20);
    let started = Instant::now();
    assert_eq!(future.result(timeout).expect_err("the promise is never set").kind(), ErrorKind::Timeout);
    assert!(started.elapsed() >= timeout);
    let started = Instant::now();
    let waited = wait([future], timeout, ReturnWhen::AllCompleted);
    assert!(started.elapsed() >= timeout);
    assert_eq!((waited.done.len(), waited.not_done.len()), (0, 1));
}

#[test]
fn a_result_that_races_with_a_cancel_is_one_of_the_two() {
    for _ in 0..500 {
        let (promise, future) = promise::<u32>();
        let callbacks = Arc::new(AtomicUsize::new(0));
        let count = callbacks.clone();
        future.add_done_callback(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let (set, cancelled) = thread::scope(|scope| {
            let setter = scope.spawn(|| promise.set_result(1).is_ok());
            let cancelled = future.cancel();
            (setter.join().expect("it does not panic"), cancelled)
        });
        assert_ne!(set, cancelled);
        assert_eq!(future.cancelled(), cancelled);
        assert_eq!(future.result(DEADLINE).is_ok(), set);
        assert_eq!(callbacks.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn futures_and_promises_move_between_threads() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Future<u32>>();
    is_send_and_sync::<Future<std::cell::Cell<u32>>>();
    is_send_and_sync::<executor_core::SharedFuture<u32>>();
    is_send_and_sync::<Promise<u32>>();
    is_send_and_sync::<Error>();
    is_send_and_sync::<InlineExecutor>();
    fn is_send<T: Send>() {}
    is_send::<executor_core::Map<u32>>();
    is_send::<executor_core::AsCompleted<u32>>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    let future = InlineExecutor::new().submit(|n: u32| n, 1).expect("it is open");
    assert_eq!(thread::spawn(move || future.result(None)).join().expect("it does not panic").expect("it ran"), 1);
}
