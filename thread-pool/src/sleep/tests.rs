//! Single steps of the protocol.

use std::{
    sync::{Arc, mpsc::channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::*;

/// Starts a thread that falls asleep because it finds no work, and waits until it is counted.
fn start_sleeping(sleep: &Arc<Sleep>, sleeper: Sleeper, searched: bool) -> JoinHandle<AfterSleep> {
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
    let (sleep, sleepers) = Sleep::new(Width::fixed(workers));
    (Arc::new(sleep), sleepers)
}

#[test]
fn a_worker_that_sees_work_after_it_began_to_sleep_does_not_sleep() {
    let (sleep, sleepers) = new(1);
    assert_eq!(sleep.fall_asleep(&sleepers[0], false, || true), AfterSleep::Awake);
    assert_eq!(counts(&sleep), (1, 0));
    assert!(sleep.workers.lock().sleepers.is_empty());
}

#[test]
fn a_worker_that_is_woken_while_it_sees_work_is_counted_once() {
    let (sleep, sleepers) = new(1);
    let awake = sleep.fall_asleep(&sleepers[0], false, || {
        assert_eq!(sleep.after_push(), AfterPush::Open);
        true
    });
    assert_eq!((awake, counts(&sleep)), (AfterSleep::Awake, (1, 0)));
    // The token of that wake-up is still in the parker. It must not end the next sleep.
    let _ = sleep.stop_searching(|| false);
    let (woken, is_woken) = channel();
    let thread = thread::spawn({
        let sleep = sleep.clone();
        let sleeper = sleepers.into_iter().next().unwrap();
        move || {
            let _ = sleep.fall_asleep(&sleeper, false, || false);
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
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), AfterSleep::Awake));
}

#[test]
fn the_last_worker_to_fall_asleep_is_woken_first() {
    let (sleep, sleepers) = new(2);
    let mut threads: Vec<_> = sleepers.into_iter().map(|sleeper| start_sleeping(&sleep, sleeper, false)).collect();
    let _ = sleep.after_push();
    let _ = threads.pop().unwrap().join().unwrap();
    assert_eq!(sleep.workers.lock().sleepers, [0]);
    sleep.close();
    let _ = threads.pop().unwrap().join().unwrap();
}

#[test]
fn closing_wakes_all_workers_and_none_sleeps_afterwards() {
    let (sleep, mut sleepers) = new(4);
    let late = sleepers.pop().unwrap();
    assert!(sleep.try_start_searching());
    let threads: Vec<_> = sleepers.into_iter().map(|sleeper| start_sleeping(&sleep, sleeper, false)).collect();
    sleep.close();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), AfterSleep::Awake));
    assert_eq!(sleep.fall_asleep(&late, true, || false), AfterSleep::Awake);
    assert_eq!(counts(&sleep), (4, 0));
    assert!(sleep.is_closed());
    assert_eq!(sleep.after_push(), AfterPush::Closed);
}

/// Returns a pool that keeps one worker, and others for no time at all.
fn breathing(most: usize) -> (Arc<Sleep>, Vec<Sleeper>) {
    let (sleep, sleepers) = Sleep::new(Width { most, kept: Some((1, Duration::ZERO)) });
    (Arc::new(sleep), sleepers)
}

#[test]
fn a_push_that_finds_no_idle_worker_asks_for_another_one() {
    let (sleep, mut sleepers) = breathing(2);
    assert_eq!(sleep.after_push(), AfterPush::MustStart);
    assert_eq!(sleep.after_push(), AfterPush::Open, "there may be no third worker");
    // The system refuses the thread. The pool asks again after a worker has fallen asleep.
    sleep.starts_were_refused(1);
    assert_eq!(sleep.after_push(), AfterPush::Open);
    let first = start_sleeping(&sleep, sleepers.remove(0), false);
    assert_eq!(sleep.after_push(), AfterPush::Open, "the sleeper is woken");
    assert_eq!(first.join().unwrap(), AfterSleep::Awake);
    assert_eq!(sleep.after_push(), AfterPush::Open, "it searches");
    assert_eq!(sleep.stop_searching(|| true), AfterSearch::MustStart, "it has found a task, and there is another one");
    sleep.close();
    assert_eq!(sleep.after_push(), AfterPush::Closed);
}

#[test]
fn a_worker_leaves_only_if_another_one_is_kept() {
    let (sleep, mut sleepers) = breathing(2);
    assert_eq!(sleep.after_push(), AfterPush::MustStart);
    let (second, first) = (sleepers.pop().unwrap(), sleepers.pop().unwrap());
    assert_eq!(sleep.fall_asleep(&first, false, || false), AfterSleep::Leaves);
    assert_eq!(counts(&sleep), (0, 0));
    // The time of the second one passes too, and it stays.
    let thread = start_sleeping(&sleep, second, false);
    assert!(sleep.all_sleep());
    assert_eq!(sleep.after_push(), AfterPush::Open);
    assert_eq!((thread.join().unwrap(), counts(&sleep)), (AfterSleep::Awake, (1, 0)));
}

#[test]
fn a_narrower_pool_tells_its_sleepers_and_the_workers_that_are_awake() {
    let (sleep, sleepers) = new(4);
    let awake = sleepers.into_iter().skip(2).map(|sleeper| start_sleeping(&sleep, sleeper, false));
    let threads: Vec<_> = awake.collect();
    assert_eq!(sleep.resize(1), Some(0));
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == AfterSleep::Leaves));
    assert!(sleep.has_surplus() && sleep.try_leave_awake());
    assert!(!sleep.has_surplus() && !sleep.try_leave_awake());
    assert_eq!(sleep.resize(3), Some(2));
    assert_eq!(sleep.grow(5).len(), 4, "the places double");
    sleep.close();
    assert_eq!(sleep.resize(2), None);
}

#[test]
fn at_most_half_of_the_workers_search() {
    let (sleep, _) = new(1);
    assert!(sleep.try_start_searching());
    assert!(!sleep.try_start_searching());
}
