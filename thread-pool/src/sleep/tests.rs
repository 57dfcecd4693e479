//! Single steps of the protocol.

use std::{
    sync::{Arc, mpsc::channel},
    thread::{self, JoinHandle},
};

use super::*;

/// Starts a thread that falls asleep because it finds no work, and waits until it is counted.
fn start_sleeping(sleep: &Arc<Sleep>, sleeper: Sleeper, searched: bool) -> JoinHandle<()> {
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
fn a_worker_that_sees_work_after_it_began_to_sleep_does_not_sleep() {
    let (sleep, sleepers) = new(1);
    sleep.fall_asleep(&sleepers[0], false, || true);
    assert_eq!(counts(&sleep), (1, 0));
    assert!(sleep.sleepers.lock().is_empty());
}

#[test]
fn a_worker_that_is_woken_while_it_sees_work_is_counted_once() {
    let (sleep, sleepers) = new(1);
    sleep.fall_asleep(&sleepers[0], false, || {
        assert_eq!(sleep.after_push(), AfterPush::Open);
        true
    });
    assert_eq!(counts(&sleep), (1, 0));
    // The token of that wake-up is still in the parker. It must not end the next sleep.
    let _ = sleep.stop_searching(|| false);
    let (woken, is_woken) = channel();
    let thread = thread::spawn({
        let sleep = sleep.clone();
        let sleeper = sleepers.into_iter().next().unwrap();
        move || {
            sleep.fall_asleep(&sleeper, false, || false);
            woken.send(()).unwrap();
        }
    });
    while counts(&sleep) != (0, 1) {
        thread::yield_now();
    }
    assert!(is_woken.try_recv().is_err());
    assert_eq!(sleep.after_push(), AfterPush::Open);
    is_woken.recv().unwrap();
    thread.join().unwrap();
    assert_eq!(counts(&sleep), (1, 0));
}

#[test]
fn a_push_wakes_one_worker_if_none_searches() {
    let (sleep, mut sleepers) = new(3);
    let threads: Vec<_> = sleepers.drain(..2).map(|sleeper| start_sleeping(&sleep, sleeper, false)).collect();
    assert!(sleep.try_start_searching());
    let _ = sleep.after_push();
    assert_eq!(counts(&sleep), (1, 2));
    // The searcher has found a task, and there is another one.
    let _ = sleep.stop_searching(|| true);
    assert_eq!(counts(&sleep), (1, 1));
    // The woken worker counts as searching even if it does not run yet.
    let _ = sleep.after_push();
    assert_eq!(counts(&sleep), (1, 1));
    let _ = sleep.stop_searching(|| false);
    assert_eq!(counts(&sleep), (0, 1));
    let _ = sleep.after_push();
    assert_eq!(counts(&sleep), (1, 0));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn the_last_worker_to_fall_asleep_is_woken_first() {
    let (sleep, sleepers) = new(2);
    let mut threads: Vec<_> = sleepers.into_iter().map(|sleeper| start_sleeping(&sleep, sleeper, false)).collect();
    let _ = sleep.after_push();
    threads.pop().unwrap().join().unwrap();
    assert_eq!(*sleep.sleepers.lock(), [0]);
    sleep.close();
    threads.pop().unwrap().join().unwrap();
}

#[test]
fn closing_wakes_all_workers_and_none_sleeps_afterwards() {
    let (sleep, mut sleepers) = new(4);
    let late = sleepers.pop().unwrap();
    assert!(sleep.try_start_searching());
    let threads: Vec<_> = sleepers.into_iter().map(|sleeper| start_sleeping(&sleep, sleeper, false)).collect();
    sleep.close();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    sleep.fall_asleep(&late, true, || false);
    assert_eq!(counts(&sleep), (4, 0));
    assert!(sleep.is_closed());
    assert_eq!(sleep.after_push(), AfterPush::Closed);
}

#[test]
fn at_most_half_of_the_workers_search() {
    let (sleep, _) = new(1);
    assert!(sleep.try_start_searching());
    assert!(!sleep.try_start_searching());
}
