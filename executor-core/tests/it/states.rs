//! What each method returns in each state. A completed future never changes.

use executor_core::{Error, ErrorKind, Executor, Future, InlineExecutor, Promise, Shutdown, promise};

use crate::support::{Manual, NO_WAIT, kind};

/// done, running, cancelled, and what `result` and `exception` return without waiting.
type Observed = (bool, bool, bool, Result<u64, ErrorKind>, Result<Option<ErrorKind>, ErrorKind>);

fn observe(future: &Future<u64>) -> Observed {
    // `exception` comes first, because `result` moves the value out.
    let exception =
        future.exception(NO_WAIT).map(|error| error.map(|error| error.kind())).map_err(|error| error.kind());
    let result = future.result(NO_WAIT).map_err(|error| error.kind());
    (future.done(), future.running(), future.cancelled(), result, exception)
}

fn pending() -> (Promise<u64>, Future<u64>) {
    promise()
}
fn running() -> (Promise<u64>, Future<u64>) {
    let (promise, future) = promise();
    assert!(promise.set_running_or_notify_cancel());
    (promise, future)
}
fn cancelled() -> (Promise<u64>, Future<u64>) {
    let (promise, future) = promise();
    assert!(future.cancel());
    (promise, future)
}
fn failed() -> (Promise<u64>, Future<u64>) {
    let (promise, future) = running();
    promise.set_exception(Error::new(ErrorKind::Other, "no")).expect("it was running");
    (promise, future)
}
fn finished() -> (Promise<u64>, Future<u64>) {
    let (promise, future) = running();
    promise.set_result(42).expect("it was running");
    (promise, future)
}

const CANCELLED: Observed = (true, false, true, Err(ErrorKind::Cancelled), Err(ErrorKind::Cancelled));
const FAILED: Observed = (true, false, false, Err(ErrorKind::Other), Ok(Some(ErrorKind::Other)));
const TAKEN: Observed = (true, false, false, Err(ErrorKind::InvalidState), Ok(None));

#[test]
fn each_method_returns_what_the_state_implies() {
    let timeout = Err(ErrorKind::Timeout);
    let (_promise, future) = pending();
    assert_eq!(observe(&future), (false, false, false, timeout, Err(ErrorKind::Timeout)));
    let (_promise, future) = running();
    assert_eq!(observe(&future), (false, true, false, timeout, Err(ErrorKind::Timeout)));
    assert_eq!(observe(&cancelled().1), CANCELLED);
    assert_eq!(observe(&failed().1), FAILED);
    let (_promise, future) = finished();
    assert_eq!(observe(&future), (true, false, false, Ok(42), Ok(None)));
    assert_eq!(observe(&future), TAKEN);
}

#[test]
fn cancel_succeeds_only_before_the_start_and_is_idempotent() {
    for (made, succeeds) in
        [(pending(), true), (running(), false), (cancelled(), true), (failed(), false), (finished(), false)]
    {
        let (_promise, future) = made;
        assert_eq!(future.cancel(), succeeds, "{future:?}");
        assert_eq!(future.cancel(), succeeds, "{future:?}");
        assert_eq!(future.cancelled(), succeeds, "{future:?}");
    }
}

#[test]
fn a_promise_starts_only_a_pending_future() {
    for (made, starts) in
        [(pending(), true), (running(), false), (cancelled(), false), (failed(), false), (finished(), false)]
    {
        assert_eq!(made.0.set_running_or_notify_cancel(), starts, "{:?}", made.1);
    }
}

/// Calls everything that could change a completed future.
fn try_to_change(promise: &Promise<u64>, future: &Future<u64>) {
    assert_eq!(promise.set_result(7).expect_err("completed").kind(), ErrorKind::InvalidState);
    let other = Error::new(ErrorKind::Broken, "late");
    assert_eq!(promise.set_exception(other).expect_err("completed").kind(), ErrorKind::InvalidState);
    assert!(!promise.set_running_or_notify_cancel());
    future.cancel();
    future.terminate(NO_WAIT);
}

#[test]
fn a_completed_future_keeps_its_first_outcome() {
    let (promise, future) = cancelled();
    try_to_change(&promise, &future);
    drop(promise);
    assert_eq!(observe(&future), CANCELLED);

    let (promise, future) = failed();
    try_to_change(&promise, &future);
    drop(promise);
    assert_eq!(observe(&future), FAILED);

    let (promise, future) = finished();
    try_to_change(&promise, &future);
    drop(promise);
    assert_eq!(observe(&future), (true, false, false, Ok(42), Ok(None)));
    assert_eq!(observe(&future), TAKEN);
}

#[test]
fn a_promise_may_complete_without_set_running() {
    let (promise, future) = pending();
    promise.set_result(1).expect("pending");
    assert_eq!(future.result(None).expect("a value"), 1);
    let (promise, future) = pending();
    promise.set_exception(Error::new(ErrorKind::Other, "no")).expect("pending");
    assert_eq!(kind(&future), ErrorKind::Other);
}

#[test]
fn a_dropped_promise_fails_its_future_in_every_state() {
    for made in [pending(), running()] {
        let (promise, future) = made;
        drop(promise);
        assert_eq!(kind(&future), ErrorKind::Broken);
    }
}

#[test]
fn a_dropped_task_fails_its_future_even_if_it_had_begun() {
    let manual = Manual::new();
    for begun in [false, true] {
        let future = manual.submit(|n: u64| n, 1).expect("accepted");
        let task = manual.take();
        if begun {
            assert!(task.begin());
        }
        assert_eq!(future.running(), begun);
        drop(task);
        assert_eq!(kind(&future), ErrorKind::Broken);
        assert!(!future.running());
    }
}

#[test]
fn a_cancelled_task_does_not_run_and_its_back_end_is_notified() {
    let manual = Manual::new();
    let future = manual.submit(|_: ()| panic!("it must not run"), ()).expect("accepted");
    let _: &Future<()> = &future;
    assert!(future.cancel());
    assert_eq!(manual.left_queue(), 1);
    let task = manual.take();
    assert!(task.is_done() && task.has_left_queue());
    assert!(!task.place(0) && !task.begin() && !task.recall());
    assert!(task.run_quietly().is_none());
}

#[test]
fn each_step_of_a_remote_task_changes_what_its_future_returns() {
    let manual = Manual::new();
    let future = manual.submit(|n: u64| n + 1, 1).expect("accepted");
    let task = manual.take();
    assert!(task.place(3));
    assert!(!future.running(), "a task in a worker's queue is not running");
    assert!(task.begin() && future.running() && !future.cancel());
    assert!(task.recall() && !future.running(), "its worker died, and it is queued again");
    assert!(future.cancel() && future.cancelled());
}

#[test]
fn a_reply_that_comes_after_a_cancel_changes_nothing() {
    let manual = Manual::new();
    let future = manual.submit(|n: u64| n + 1, 1).expect("accepted");
    assert!(future.cancel());
    drop(manual.take().complete(vec![0, 2]));
    assert_eq!(kind(&future), ErrorKind::Cancelled);
}

#[test]
fn an_encoded_task_neither_runs_locally_nor_is_encoded_again() {
    let manual = Manual::new();
    let future = manual.submit(|n: u64| n + 1, 1).expect("accepted");
    let task = manual.take();
    let mut bytes = vec![9];
    task.encode(&mut bytes).expect("encodes");
    assert_eq!(bytes, [9, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(task.encode(&mut bytes).expect_err("once").kind(), ErrorKind::InvalidState);
    drop(task.run_quietly().expect("it is done"));
    assert_eq!(kind(&future), ErrorKind::InvalidState);
}

#[test]
fn debug_shows_the_state_and_never_the_value() {
    let shows = |made: (Promise<u64>, Future<u64>), state: &str| {
        let id = made.1.id();
        let expected = format!("Future {{ id: {id}, task: \"promise\", state: {state} }}");
        assert_eq!(format!("{:?}", made.1), expected);
    };
    shows(pending(), "pending");
    shows(running(), "running");
    shows(cancelled(), "cancelled");
    shows(failed(), "failed");
    shows(finished(), "finished");
}

#[test]
fn a_callback_cannot_take_the_value_of_a_shared_future() {
    let (promise, future) = pending();
    let (seen, asked) = std::sync::mpsc::channel();
    future.add_done_callback(move |future| {
        let _ = seen.send(future.result(None).expect_err("the value is shared").to_string());
    });
    let shared = future.shared();
    let other = shared.clone();
    promise.set_result(5).expect("pending");
    for _ in 0..2 {
        assert_eq!((shared.result(None).expect("a value"), other.result(NO_WAIT).expect("a value")), (5, 5));
    }
    assert!(asked.recv().expect("the callback ran").contains("SharedFuture"));
}

#[test]
fn a_value_that_was_taken_before_sharing_is_an_error() {
    let (_promise, future) = finished();
    assert_eq!(future.result(None).expect("a value"), 42);
    let shared = future.shared();
    assert_eq!(shared.result(None).expect_err("gone").kind(), ErrorKind::InvalidState);
    assert!(shared.exception(None).expect("done").is_none());
}

#[test]
fn an_executor_that_was_shut_down_refuses_and_runs_nothing() {
    let executor = InlineExecutor::new();
    executor.shutdown(Shutdown::Drain);
    executor.shutdown(Shutdown::CancelPending);
    let refused = executor.submit(|_: ()| panic!("it must not run"), ());
    let refused: Result<Future<()>, Error> = refused;
    assert_eq!(refused.expect_err("shut down").kind(), ErrorKind::ShutDown);
    assert_eq!(executor.map(|n: u64| n, 0..3u64).expect_err("shut down").kind(), ErrorKind::ShutDown);
}
