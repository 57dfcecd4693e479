//! Done-callbacks: each runs once, in the order in which they were added, in the completing thread, after the future is
//! done.

use std::thread::{self, ThreadId};

use executor_core::{ErrorKind, Executor, promise};

use crate::support::{Journal, Manual, NO_WAIT, Remote};

#[test]
fn callbacks_run_once_in_order_in_the_completing_thread() {
    let (promise, future) = promise::<u64>();
    let journal: Journal<(usize, bool, ThreadId)> = Journal::new();
    for number in 0..10 {
        let journal = journal.clone();
        future.add_done_callback(move |future| journal.add((number, future.done(), thread::current().id())));
    }
    assert!(journal.entries().is_empty());
    let completer = thread::scope(|scope| {
        let complete = || {
            promise.set_result(1).expect("pending");
            thread::current().id()
        };
        scope.spawn(complete).join().expect("completes")
    });
    assert_eq!(journal.entries(), (0..10).map(|number| (number, true, completer)).collect::<Vec<_>>());
}

#[test]
fn a_late_callback_runs_immediately_in_the_caller() {
    let (promise, future) = promise::<u64>();
    promise.set_result(1).expect("pending");
    let journal = Journal::new();
    let seen = journal.clone();
    future.add_done_callback(move |future| seen.add((thread::current().id(), future.result(None).expect("a value"))));
    assert_eq!(journal.entries(), [(thread::current().id(), 1)]);
}

#[test]
fn a_cancel_runs_the_callbacks_once_in_the_cancelling_thread() {
    let (_promise, future) = promise::<u64>();
    let journal = Journal::new();
    let seen = journal.clone();
    future.add_done_callback(move |future| seen.add((thread::current().id(), future.cancelled())));
    assert!(future.cancel() && future.cancel());
    assert_eq!(journal.entries(), [(thread::current().id(), true)]);
}

#[test]
fn a_panic_in_a_callback_affects_neither_the_others_nor_the_result() {
    let (promise, future) = promise::<u64>();
    let journal = Journal::new();
    let (before, after, late) = (journal.clone(), journal.clone(), journal.clone());
    future.add_done_callback(move |_| before.add("before"));
    future.add_done_callback(|_| panic!("a callback that panics is reported"));
    future.add_done_callback(move |_| after.add("after"));
    promise.set_result(1).expect("pending");
    future.add_done_callback(|_| panic!("a late callback that panics is reported"));
    future.add_done_callback(move |_| late.add("late"));
    assert_eq!(journal.entries(), ["before", "after", "late"]);
    assert_eq!(future.result(None).expect("a value"), 1);
}

#[test]
fn a_callback_may_use_its_own_future_in_every_way() {
    let (promise, future) = promise::<u64>();
    let journal = Journal::new();
    let seen = journal.clone();
    future.add_done_callback(move |future| {
        let inner = seen.clone();
        future.add_done_callback(move |_| inner.add("added by a callback"));
        assert!(!future.cancel());
        assert_eq!(future.result(None).expect("the callback is the first to take it"), 9);
        seen.add("ran");
    });
    promise.set_result(9).expect("pending");
    assert_eq!(journal.entries(), ["added by a callback", "ran"]);
    assert_eq!(future.result(NO_WAIT).expect_err("taken").kind(), ErrorKind::InvalidState);
}

#[test]
fn a_callback_runs_even_if_its_future_was_dropped() {
    let (promise, future) = promise::<u64>();
    let journal = Journal::new();
    let seen = journal.clone();
    future.add_done_callback(move |future| seen.add(future.result(None).expect("a value")));
    drop(future);
    promise.set_result(3).expect("pending");
    assert_eq!(journal.entries(), [3]);
}

#[test]
fn a_future_kept_by_its_own_callback_is_freed_when_it_is_done() {
    let drops = crate::support::Drops::default();
    let (promise, future) = promise::<u64>();
    let kept_future = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (inside, counted) = (kept_future.clone(), drops.counted());
    future.add_done_callback(move |_| {
        let _ = &counted;
        inside.lock().unwrap().take();
    });
    *kept_future.lock().unwrap() = Some(future);
    assert_eq!(drops.count(), 0);
    drop(promise);
    assert_eq!(drops.count(), 1);
    assert!(kept_future.lock().unwrap().is_none());
}

#[test]
fn waiting_threads_are_woken_before_the_callbacks_run() {
    let (promise, future) = promise::<u64>();
    let (release, released) = std::sync::mpsc::channel::<()>();
    // The callback ends only after `result` has returned in the other thread.
    future.add_done_callback(move |_| released.recv().expect("the waiting thread was woken first"));
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(future.result(None).expect("a value"), 1);
            release.send(()).expect("the callback receives");
        });
        promise.set_result(1).expect("pending");
    });
}

#[test]
fn run_quietly_leaves_the_callbacks_to_its_caller() {
    let manual = Manual::new();
    let future = manual.submit(|n: u64| n, 4).expect("accepted");
    let journal = Journal::new();
    let seen = journal.clone();
    future.add_done_callback(move |_| seen.add(thread::current().id()));
    let completed = manual.take().run_quietly().expect("it ran");
    assert!(completed.has_callbacks() && future.done() && journal.entries().is_empty());
    let other = thread::spawn(move || {
        drop(completed);
        thread::current().id()
    });
    let other = other.join().expect("notifies");
    assert_eq!(journal.entries(), [other]);
}

#[test]
fn decoding_a_reply_leaves_the_callbacks_to_the_completing_thread() {
    let remote = Remote::default();
    let future = remote.submit(|n: u64| n + 1, 4).expect("accepted");
    let journal = Journal::new();
    let seen = journal.clone();
    future.add_done_callback(move |_| seen.add(()));
    let written = remote.take();
    let reply = written.reply();
    let completed = written.task.complete(reply);
    assert_eq!(future.result(None).expect("decoded in this thread"), 5);
    assert!(journal.entries().is_empty() && completed.has_callbacks());
    drop(completed);
    assert_eq!(journal.entries(), [()]);
}
