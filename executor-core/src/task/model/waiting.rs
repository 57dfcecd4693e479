//! One who waits for many tasks.

use std::sync::Arc;

use loom::thread;

use super::{
    actors::{Actor, Owner, Way, subject},
    explore,
    journal::{Journal, Value},
};
use crate::{Future, ReturnWhen, as_completed, wait};

/// Two tasks, one of which a thread of its own completes. Each has a journal, for each may only run once.
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
fn who_waits_for_all_is_told_of_all() {
    explore(3, |journal| {
        let (owner, futures, completes, other) = two_tasks(Way::InPlace, journal);
        let waits = thread::spawn(move || {
            let waited = wait(futures, None, ReturnWhen::AllCompleted);
            assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
        });
        owner.complete(Way::InPlace, journal);
        completes.join().expect("a model does not panic");
        waits.join().expect("a model does not panic");
        other.close();
    });
}

#[test]
fn who_waits_for_the_first_is_told_of_it_and_leaves_the_other() {
    explore(3, |journal| {
        let (owner, futures, completes, other) = two_tasks(Way::InPlace, journal);
        let waits = thread::spawn(move || {
            let waited = wait(futures, None, ReturnWhen::FirstCompleted);
            assert!(!waited.done.is_empty());
        });
        owner.complete(Way::InPlace, journal);
        completes.join().expect("a model does not panic");
        waits.join().expect("a model does not panic");
        other.close();
    });
}

#[test]
fn each_task_is_yielded_once_also_where_a_thread_yields_them_that_did_not_ask() {
    explore(3, |journal| {
        let (owner, futures, completes, other) = two_tasks(Way::InPlace, journal);
        let mut completed = as_completed(futures, None);
        let waits = thread::spawn(move || {
            assert!((&mut completed).take(2).all(|future| future.is_ok_and(|future| future.done())));
            assert!(completed.next().is_none());
        });
        owner.complete(Way::InPlace, journal);
        completes.join().expect("a model does not panic");
        waits.join().expect("a model does not panic");
        other.close();
    });
}

#[test]
fn a_cancel_is_an_end_that_a_group_is_told_of() {
    for way in [Way::InPlace, Way::Abandoned] {
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
