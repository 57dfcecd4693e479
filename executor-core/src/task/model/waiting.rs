//! A thread or an async task that waits for many tasks, and a token that stops many.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::thread;

use super::{
    actors::{Actor, Owner, SignalWaker, Way, subject},
    explore,
    journal::{Journal, Value},
};
use crate::{CancellationToken, Future, ReturnWhen, as_completed, wait};

/// Makes two tasks, and a thread that completes one of them. Each has a journal, because each may only run once.
fn two_tasks(way: Way, journal: &Arc<Journal>) -> (Owner, [Future<Value>; 2], thread::JoinHandle<()>, Arc<Journal>) {
    let other = Journal::open();
    let (owner, future) = subject(way, journal);
    let (second, other_future) = subject(way, &other);
    let completes = {
        let journal = other.clone();
        thread::spawn(move || second.complete(way, &journal))
    };
    (owner, [future, other_future], completes, other)
}

#[test]
fn a_wait_for_all_tasks_ends_when_all_are_done() {
    explore(3, |journal| {
        let (owner, futures, completes, other) = two_tasks(Way::Local, journal);
        let waits = thread::spawn(move || {
            let waited = wait(futures, None, ReturnWhen::AllCompleted);
            assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
        });
        owner.complete(Way::Local, journal);
        completes.join().expect("a model does not panic");
        waits.join().expect("a model does not panic");
        other.close();
    });
}

#[test]
fn a_wait_for_the_first_task_leaves_the_other() {
    explore(3, |journal| {
        let (owner, futures, completes, other) = two_tasks(Way::Local, journal);
        let waits = thread::spawn(move || {
            let waited = wait(futures, None, ReturnWhen::FirstCompleted);
            assert!(!waited.done.is_empty());
        });
        owner.complete(Way::Local, journal);
        completes.join().expect("a model does not panic");
        waits.join().expect("a model does not panic");
        other.close();
    });
}

#[test]
fn as_completed_yields_each_task_once_even_on_another_thread() {
    explore(3, |journal| {
        let (owner, futures, completes, other) = two_tasks(Way::Local, journal);
        let mut completed = as_completed(futures, None);
        let waits = thread::spawn(move || {
            assert!((&mut completed).take(2).all(|future| future.is_ok_and(|future| future.done())));
            assert!(completed.next().is_none());
        });
        owner.complete(Way::Local, journal);
        completes.join().expect("a model does not panic");
        waits.join().expect("a model does not panic");
        other.close();
    });
}

#[test]
fn a_cancel_notifies_a_group() {
    for way in [Way::Local, Way::Abandoned] {
        explore(3, move |journal| {
            let (owner, future) = subject(way, journal);
            let cancels = {
                let (future, journal) = (future.alias(), journal.clone());
                thread::spawn(move || Actor::Cancel.act(future, &journal))
            };
            let waits = thread::spawn(move || {
                let waited = wait([future], None, ReturnWhen::FirstException);
                assert_eq!((waited.done.len(), waited.not_done.len()), (1, 0));
            });
            owner.complete(way, journal);
            cancels.join().expect("a model does not panic");
            waits.join().expect("a model does not panic");
        });
    }
}

#[test]
fn a_stream_yields_each_task_once_and_sleeps_in_between() {
    explore(3, |journal| {
        let (owner, futures, completes, other) = two_tasks(Way::Local, journal);
        let mut stream = as_completed(futures, None).into_stream();
        let waker = SignalWaker::new(journal);
        let polls = thread::spawn(move || {
            let handle = Waker::from(waker.clone());
            let context = &mut Context::from_waker(&handle);
            let mut yielded = 0;
            loop {
                match stream.poll_next(context) {
                    Poll::Ready(Some(future)) => {
                        assert!(future.is_ok_and(|future| future.done()));
                        yielded += 1;
                    }
                    Poll::Ready(None) => break,
                    Poll::Pending => waker.signal.wait(None),
                }
            }
            assert_eq!(yielded, 2);
        });
        owner.complete(Way::Local, journal);
        completes.join().expect("a model does not panic");
        polls.join().expect("a model does not panic");
        other.close();
    });
}

#[test]
fn a_token_stops_a_task_that_is_attached_or_completed_at_the_same_time() {
    explore(3, |journal| {
        let (owner, future) = subject(Way::Local, journal);
        let token = CancellationToken::new();
        let attaches = {
            let token = token.clone();
            thread::spawn(move || {
                token.attach(&future);
                future
            })
        };
        let cancels = thread::spawn(move || token.cancel());
        owner.complete(Way::Local, journal);
        cancels.join().expect("a model does not panic");
        let future = attaches.join().expect("a model does not panic");
        assert!(future.done());
        if future.cancelled() {
            journal.record_cancel(true);
        }
    });
}
