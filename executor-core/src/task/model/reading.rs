//! The output, and several who read it.

use loom::thread;

use super::{
    actors::{Owner, Way, add_callback, reply, subject},
    explore,
};
use crate::ErrorKind;

#[test]
fn a_value_is_either_moved_out_or_shared() {
    for way in [Way::InPlace, Way::Elsewhere] {
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
    for way in [Way::InPlace, Way::Elsewhere] {
        explore(2, move |journal| {
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
    for way in [Way::InPlace, Way::Elsewhere] {
        explore(2, move |journal| {
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
fn who_reads_a_reply_leaves_the_callbacks_to_the_one_who_finished() {
    explore(2, |journal| {
        let (owner, future) = subject(Way::Elsewhere, journal);
        add_callback(&future, journal);
        let readers = [future.alias(), future].map(|future| {
            let journal = journal.clone();
            thread::spawn(move || journal.tell(future.result(None)))
        });
        let Owner::Task(task) = owner else { unreachable!("it is no promise") };
        // The task is finished, and nobody is notified yet.
        assert!(task.place(1));
        journal.run();
        let completed = task.complete(reply());
        assert_eq!(journal.callbacks_run.get(), 0, "callbacks run where the task was finished");
        drop(completed);
        assert_eq!(journal.callbacks_run.get(), 1);
        readers.into_iter().for_each(|thread| thread.join().expect("a model does not panic"));
        assert_eq!((journal.told.value.get(), journal.told.taken.get()), (1, 1));
    });
}
