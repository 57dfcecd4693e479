//! Result callbacks: each sees the outcome once, before every other reader, and leaves it in place.

use std::{
    sync::mpsc,
    thread::{self, ThreadId},
    time::Duration,
};

use executor_core::{Error, ErrorKind, Executor, InlineExecutor, ReturnWhen, promise, wait};
use serde::{Deserialize, Serialize};

use crate::support::{Journal, Manual, NO_WAIT, Remote, action, block_on, concurrently};

type Seen<T> = Result<T, ErrorKind>;

/// Returns a callback that writes what it sees into the journal.
fn note<T: Clone + Send + 'static>(journal: &Journal<Seen<T>>) -> impl FnOnce(Result<&T, &Error>) + Send + 'static {
    let journal = journal.clone();
    move |result| journal.add(result.cloned().map_err(Error::kind))
}

#[test]
fn a_result_callback_sees_the_value_and_leaves_it() {
    let journal = Journal::new();
    let (promise, future) = promise::<String>();
    future.add_result_callback(note(&journal));
    assert!(journal.entries().is_empty());
    promise.set_result("value".into()).expect("pending");
    future.add_result_callback(note(&journal));
    assert_eq!(journal.entries(), [Ok("value".to_string()), Ok("value".to_string())]);
    assert_eq!(future.result(NO_WAIT).expect("it is still there"), "value");
}

#[test]
fn a_result_callback_sees_an_error_and_a_cancel() {
    let journal = Journal::<Seen<u64>>::new();
    let failed = InlineExecutor::new().submit(|n: u64| 1 / n, 0).expect("accepted");
    failed.add_result_callback(note(&journal));
    let (_promise, cancelled) = promise::<u64>();
    cancelled.add_result_callback(note(&journal));
    assert!(cancelled.cancel());
    cancelled.add_result_callback(note(&journal));
    let (dropped, broken) = promise::<u64>();
    broken.add_result_callback(note(&journal));
    drop(dropped);
    let expected = [ErrorKind::Panicked, ErrorKind::Cancelled, ErrorKind::Cancelled, ErrorKind::Broken];
    assert_eq!(journal.entries(), expected.map(Err));
}

#[test]
fn result_callbacks_run_in_order_before_done_callbacks_in_the_completing_thread() {
    let (promise, future) = promise::<u64>();
    let journal: Journal<(&str, ThreadId)> = Journal::new();
    for name in ["done 1", "done 2"] {
        let journal = journal.clone();
        // The value is there to be moved out, because the result callbacks have ended.
        future.add_done_callback(move |future| {
            let _ = future.result(NO_WAIT);
            journal.add((name, thread::current().id()));
        });
    }
    for name in ["result 1", "result 2"] {
        let journal = journal.clone();
        future.add_result_callback(move |_| journal.add((name, thread::current().id())));
    }
    let completer = thread::scope(|scope| {
        let complete = || {
            promise.set_result(1).expect("pending");
            thread::current().id()
        };
        scope.spawn(complete).join().expect("completes")
    });
    assert_eq!(journal.entries(), ["result 1", "result 2", "done 1", "done 2"].map(|name| (name, completer)));
}

#[test]
fn every_way_to_read_the_result_waits_for_the_callbacks() {
    let (promise, future) = promise::<u64>();
    let (entered, is_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    future.add_result_callback(move |_| {
        entered.send(()).expect("the test receives");
        released.recv().expect("the test goes on");
    });
    thread::scope(|scope| {
        let waiting = scope.spawn(|| future.exception(None));
        scope.spawn(|| promise.set_result(7).expect("pending"));
        is_entered.recv().expect("the callback runs");
        assert!(future.done() && !future.running());
        for timeout in [NO_WAIT, Duration::from_micros(50)] {
            let error = future.result(timeout).expect_err("the callback has it");
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(error.to_string().contains("still shown to its result callbacks"), "{error}");
            assert_eq!(future.exception(timeout).expect_err("the callback has it").kind(), ErrorKind::Timeout);
        }
        // The task is done, so a wait for that does not wait for the callback.
        assert_eq!(wait([&future], NO_WAIT, ReturnWhen::AllCompleted).done.len(), 1);
        let awaits = scope.spawn(|| block_on(&future));
        release.send(()).expect("the callback waits");
        assert!(waiting.join().expect("ends").expect("it succeeded").is_none());
        assert_eq!(awaits.join().expect("ends").expect("a value"), 7);
    });
}

#[test]
fn in_its_callback_a_future_refuses_to_be_read_and_accepts_another_callback() {
    let journal = Journal::new();
    let (promise, future) = promise::<u64>();
    let future = std::sync::Arc::new(future);
    let (own, seen) = (future.clone(), journal.clone());
    future.add_result_callback(move |result| {
        assert_eq!(*result.expect("a value"), 5);
        for error in [own.result(None).expect_err("shown"), block_on(&*own).expect_err("shown")] {
            assert_eq!(error.kind(), ErrorKind::InvalidState);
            assert!(error.to_string().contains("use the argument"), "{error}");
        }
        own.add_result_callback(note(&seen));
        assert_eq!(seen.entries(), [Ok(5)], "it ran immediately");
    });
    promise.set_result(5).expect("pending");
    assert_eq!(future.result(NO_WAIT).expect("a value"), 5);
}

#[test]
fn a_late_callback_waits_for_one_that_runs_on_another_thread() {
    let journal = Journal::new();
    let (promise, future) = promise::<u64>();
    let (entered, is_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let first = journal.clone();
    future.add_result_callback(move |_| {
        entered.send(()).expect("the test receives");
        released.recv().expect("the test goes on");
        first.add(Ok(0));
    });
    thread::scope(|scope| {
        scope.spawn(|| promise.set_result(1).expect("pending"));
        is_entered.recv().expect("the callback runs");
        let adds = scope.spawn(|| future.add_result_callback(note(&journal)));
        release.send(()).expect("the callback waits");
        adds.join().expect("ends");
    });
    assert_eq!(journal.entries(), [Ok(0), Ok(1)]);
}

#[test]
fn a_late_callback_is_told_that_the_value_is_gone_or_shared() {
    let journal = Journal::<Seen<u64>>::new();
    let (promise, future) = promise::<u64>();
    let taken = journal.clone();
    future.add_done_callback(move |future| {
        assert_eq!(future.result(NO_WAIT).expect("a value"), 1);
        future.add_result_callback(note(&taken));
    });
    promise.set_result(1).expect("pending");

    let (promise, future) = executor_core::promise::<u64>();
    let (early, shared) = (journal.clone(), journal.clone());
    future.add_result_callback(note(&early));
    future.add_done_callback(move |future| future.add_result_callback(note(&shared)));
    let future = future.shared();
    promise.set_result(2).expect("pending");
    assert_eq!(future.result(NO_WAIT).expect("a value"), 2);
    assert_eq!(journal.entries(), [Err(ErrorKind::InvalidState), Ok(2), Err(ErrorKind::InvalidState)]);
}

#[test]
fn a_panic_of_a_result_callback_affects_neither_the_others_nor_the_result() {
    let journal = Journal::new();
    let (promise, future) = promise::<u64>();
    future.add_result_callback(|_| panic!("a result callback that panics is reported"));
    future.add_result_callback(note(&journal));
    promise.set_result(1).expect("pending");
    future.add_result_callback(|_| panic!("a late result callback that panics is reported"));
    future.add_result_callback(note(&journal));
    assert_eq!(journal.entries(), [Ok(1), Ok(1)]);
    assert_eq!(future.result(NO_WAIT).expect("a value"), 1);
}

/// Counts how often it was decoded.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
struct CountsDecoding;

static DECODED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

impl<'de> Deserialize<'de> for CountsDecoding {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<CountsDecoding, D::Error> {
        DECODED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        <()>::deserialize(deserializer).map(|()| CountsDecoding)
    }
}

#[test]
fn a_reply_is_decoded_once_in_the_thread_that_runs_the_callbacks() {
    let decoded = || DECODED.load(std::sync::atomic::Ordering::SeqCst);
    let remote = Remote::default();
    let future = remote.submit(|_: u8| CountsDecoding, 0).expect("accepted");
    let journal = Journal::new();
    future.add_result_callback(note(&journal));
    let written = remote.take();
    let reply = written.reply();
    let completed = written.task.complete(reply);
    assert!(completed.has_callbacks() && future.done());
    let before = decoded();
    assert_eq!(future.result(NO_WAIT).expect_err("the callbacks come first").kind(), ErrorKind::Timeout);
    let rest = completed.wake_threads().expect("there is a callback");
    assert_eq!(decoded(), before, "waking threads decodes nothing");
    drop(rest);
    assert_eq!((decoded(), journal.entries()), (before + 1, vec![Ok(CountsDecoding)]));
    future.add_result_callback(note(&journal));
    assert_eq!(future.result(NO_WAIT).expect("a value"), CountsDecoding);
    assert_eq!((decoded(), journal.entries().len()), (before + 1, 2));
}

#[test]
fn a_late_callback_decodes_a_reply_and_its_failure() {
    let remote = Remote::default();
    let (fine, bad) =
        (remote.submit(|n: u64| n, 3).expect("accepted"), remote.submit(|n: u64| n, 4).expect("accepted"));
    remote.take().complete();
    drop(remote.take().task.complete(vec![0xFF; 3]));
    let journal = Journal::new();
    fine.add_result_callback(note(&journal));
    bad.add_result_callback(note(&journal));
    assert_eq!(journal.entries(), [Ok(3), Err(ErrorKind::Decode)]);
    assert_eq!(fine.result(NO_WAIT).expect("a value"), 3);
}

#[test]
fn a_task_that_is_run_inline_shows_its_result_there() {
    let manual = Manual::new();
    let future = manual.submit(|n: u64| n * 10, 4).expect("accepted");
    let journal = Journal::new();
    future.add_result_callback(note(&journal));
    assert_eq!(manual.as_worker(|| future.result(None)).expect("run inline"), 40);
    assert_eq!(journal.entries(), [Ok(40)]);
}

#[test]
fn a_callback_sees_the_value_or_that_it_is_gone_however_it_races() {
    for round in 0..300 {
        let journal = Journal::new();
        let (promise, future) = promise::<Vec<u64>>();
        if round % 2 == 0 {
            promise.set_result(vec![1, 2, 3]).expect("pending");
        }
        let results = concurrently(vec![
            action(|| future.add_result_callback(note(&journal))).then_none(),
            action(|| Some(future.result(None).map_err(|error| error.kind()))),
            action(|| Some(future.result(None).map_err(|error| error.kind()))),
            action(|| drop(promise.set_result(vec![1, 2, 3]))).then_none(),
        ]);
        let results: Vec<_> = results.into_iter().flatten().collect();
        assert!(results.contains(&Ok(vec![1, 2, 3])) && results.contains(&Err(ErrorKind::InvalidState)));
        let seen = journal.entries();
        assert!(seen == [Ok(vec![1, 2, 3])] || seen == [Err(ErrorKind::InvalidState)], "{seen:?}");
    }
}

/// Turns an action without a result into one for a list of actions with results.
trait ThenNone<'a> {
    fn then_none<R>(self) -> Box<dyn FnOnce() -> Option<R> + Send + 'a>;
}

impl<'a> ThenNone<'a> for Box<dyn FnOnce() + Send + 'a> {
    fn then_none<R>(self) -> Box<dyn FnOnce() -> Option<R> + Send + 'a> {
        Box::new(move || {
            self();
            None
        })
    }
}
