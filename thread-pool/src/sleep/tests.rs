//! The protocol, step by step.

use std::{
    sync::{Arc, mpsc::channel},
    thread::{self, JoinHandle},
};

use super::*;

/// Has somebody lie down who finds no work, and waits until they do.
fn asleep(sleep: &Arc<Sleep>, sleeper: Sleeper, searched: bool) -> JoinHandle<()> {
    let before = sleep.counters.read().sleeping();
    let thread = thread::spawn({
        let sleep = sleep.clone();
        move || sleep.fall_asleep(&sleeper, searched, || false)
    });
    while sleep.counters.read().sleeping() == before {
        thread::yield_now();
    }
    thread
}

fn counts(sleep: &Sleep) -> (u32, u32) {
    let seen = sleep.counters.read();
    (seen.searching(), seen.sleeping())
}

fn new(workers: usize) -> (Arc<Sleep>, Vec<Sleeper>) {
    let (sleep, sleepers) = Sleep::new(workers);
    (Arc::new(sleep), sleepers)
}

#[test]
fn who_sees_work_after_lying_down_gets_up() {
    let (sleep, sleepers) = new(1);
    sleep.fall_asleep(&sleepers[0], false, || true);
    assert_eq!(counts(&sleep), (1, 0));
    assert!(sleep.sleepers.lock().is_empty());
}

#[test]
fn who_was_woken_while_seeing_work_is_counted_once() {
    let (sleep, sleepers) = new(1);
    sleep.fall_asleep(&sleepers[0], false, || {
        assert!(!sleep.announce_work());
        true
    });
    assert_eq!(counts(&sleep), (1, 0));
    // The token of that wake-up is still in the parker. It must not end the next sleep.
    let _ = sleep.stop_searching(|| false);
    let (up, is_up) = channel();
    let thread = thread::spawn({
        let sleep = sleep.clone();
        let sleeper = sleepers.into_iter().next().unwrap();
        move || {
            sleep.fall_asleep(&sleeper, false, || false);
            up.send(()).unwrap();
        }
    });
    while counts(&sleep) != (0, 1) {
        thread::yield_now();
    }
    assert!(is_up.try_recv().is_err());
    assert!(!sleep.announce_work());
    is_up.recv().unwrap();
    thread.join().unwrap();
    assert_eq!(counts(&sleep), (1, 0));
}

#[test]
fn work_wakes_one_and_only_if_nobody_searches() {
    let (sleep, mut sleepers) = new(3);
    let threads: Vec<_> = sleepers.drain(..2).map(|sleeper| asleep(&sleep, sleeper, false)).collect();
    assert!(sleep.start_searching());
    sleep.announce_work();
    assert_eq!(counts(&sleep), (1, 2));
    // The searcher has found a task, and there is another.
    let _ = sleep.stop_searching(|| true);
    assert_eq!(counts(&sleep), (1, 1));
    // The woken one counts as searching, whether it runs yet or not.
    sleep.announce_work();
    assert_eq!(counts(&sleep), (1, 1));
    let _ = sleep.stop_searching(|| false);
    assert_eq!(counts(&sleep), (0, 1));
    sleep.announce_work();
    assert_eq!(counts(&sleep), (1, 0));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn the_last_to_lie_down_is_the_first_to_be_woken() {
    let (sleep, sleepers) = new(2);
    let mut threads: Vec<_> = sleepers.into_iter().map(|sleeper| asleep(&sleep, sleeper, false)).collect();
    sleep.announce_work();
    threads.pop().unwrap().join().unwrap();
    assert_eq!(*sleep.sleepers.lock(), [0]);
    sleep.close();
    threads.pop().unwrap().join().unwrap();
}

#[test]
fn the_close_wakes_all_and_nobody_sleeps_afterwards() {
    let (sleep, mut sleepers) = new(4);
    let late = sleepers.pop().unwrap();
    assert!(sleep.start_searching());
    let threads: Vec<_> = sleepers.into_iter().map(|sleeper| asleep(&sleep, sleeper, false)).collect();
    sleep.close();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    sleep.fall_asleep(&late, true, || false);
    assert_eq!(counts(&sleep), (4, 0));
    assert!(sleep.is_closed() && sleep.announce_work());
}

#[test]
fn half_of_the_workers_search_at_most() {
    let (sleep, _) = new(1);
    assert!(sleep.start_searching());
    assert!(!sleep.start_searching());
}
