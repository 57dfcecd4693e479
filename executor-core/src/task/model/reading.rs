//! Several threads that read the output.

use loom::thread;

use super::{
    actors::{Way, add_result_callback, job, reply, subject},
    explore, explore_less, explore_with,
};
use crate::{
    ErrorKind,
    task::{Completed, rights::Completing},
};

#[test]
fn a_value_is_either_moved_out_or_shared() {
    for way in [Way::Local, Way::Remote] {
        explore(6, move |journal| {
            let (owner, future) = subject(way, journal);
            let shares = {
                let future = future.alias();
                thread::spawn(move || future.shared().result(None).map_err(|error| error.kind()))
            };
            owner.complete(way, journal);
            let moved = future.result(None).map_err(|error| error.kind());
            let cloned = shares.join().expect("a model does not panic");
            assert!(moved.is_ok() != cloned.is_ok(), "one of them has it");
            assert!([moved.err(), cloned.err()].contains(&Some(ErrorKind::InvalidState)));
            journal.see_effect();
        });
    }
}

#[test]
fn a_shared_value_is_cloned_by_all() {
    for way in [Way::Local, Way::Remote] {
        explore_less(2, move |journal| {
            let (owner, future) = subject(way, journal);
            let shared = future.shared();
            let threads = [shared.clone(), shared].map(|shared| thread::spawn(move || shared.result(None).is_ok()));
            owner.complete(way, journal);
            assert!(threads.into_iter().all(|thread| thread.join().expect("a model does not panic")));
        });
    }
}

#[test]
fn asking_for_the_error_leaves_the_value() {
    for way in [Way::Local, Way::Remote] {
        explore_less(2, move |journal| {
            let (owner, future) = subject(way, journal);
            let asks = {
                let future = future.alias();
                thread::spawn(move || assert!(future.exception(None).is_ok_and(|error| error.is_none())))
            };
            let takes = thread::spawn(move || assert!(future.result(None).is_ok()));
            owner.complete(way, journal);
            asks.join().expect("a model does not panic");
            takes.join().expect("a model does not panic");
        });
    }
}

#[test]
fn a_reader_leaves_the_callbacks_to_the_thread_that_finished() {
    explore_with(3, |journal| {
        let (_task, future) = job(journal);
        journal.callbacks_added.add();
        future.add_done_callback({
            let (journal, finishes) = (journal.clone(), thread::current().id());
            move |_| {
                assert_eq!(thread::current().id(), finishes, "callbacks run in the thread that finished the task");
                journal.callbacks_run.add();
            }
        });
        journal.run();
        let completing = Completing::start(future.task(), true).expect("no other thread has it");
        // The task is finished, and no waiter is notified yet.
        let (task, owed) = completing.packed(reply().into(), false).finish();
        let readers = [future.alias(), future].map(|future| {
            let journal = journal.clone();
            thread::spawn(move || journal.record_result(future.result(None)))
        });
        drop(Completed::new(task, owed));
        assert_eq!(journal.callbacks_run.get(), 1);
        readers.into_iter().for_each(|thread| thread.join().expect("a model does not panic"));
        assert_eq!((journal.results.value.get(), journal.results.taken.get()), (1, 1));
    });
}

#[test]
fn a_value_is_not_moved_out_while_a_late_callback_has_it() {
    for way in [Way::Local, Way::Remote, Way::Promised] {
        explore(3, move |journal| {
            let (owner, future) = subject(way, journal);
            owner.complete(way, journal);
            let adds = {
                let (future, journal) = (future.alias(), journal.clone());
                thread::spawn(move || add_result_callback(&future, &journal))
            };
            journal.record_result(future.result(None));
            adds.join().expect("a model does not panic");
            assert_eq!(journal.results.value.get(), 1);
        });
    }
}

#[test]
fn a_value_is_either_shared_or_shown_to_a_late_callback() {
    for way in [Way::Local, Way::Remote] {
        explore(3, move |journal| {
            let (owner, future) = subject(way, journal);
            owner.complete(way, journal);
            let adds = {
                let (future, journal) = (future.alias(), journal.clone());
                thread::spawn(move || add_result_callback(&future, &journal))
            };
            journal.record_result(future.shared().result(None));
            adds.join().expect("a model does not panic");
            assert_eq!(journal.results.value.get(), 1);
        });
    }
}

#[test]
fn a_callback_sees_what_the_task_did() {
    for way in [Way::Local, Way::Remote, Way::Promised] {
        explore(6, move |journal| {
            let (owner, future) = subject(way, journal);
            journal.callbacks_added.add();
            let adds = {
                let journal = journal.clone();
                thread::spawn(move || {
                    future.add_done_callback(move |_| {
                        journal.see_effect();
                        journal.callbacks_run.add();
                    });
                })
            };
            owner.complete(way, journal);
            adds.join().expect("a model does not panic");
        });
    }
}
