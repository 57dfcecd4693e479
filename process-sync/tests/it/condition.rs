//! `Condition`.

use std::{thread, time::Duration};

use executor_core::ErrorKind::{Abandoned, InvalidArgument};
use process_sync::{Condition, Lock, Value};

use crate::support::{Line, Role, child, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("wait for a condition", wait_for_a_condition),
    ("wait for a number", wait_for_a_number),
    ("hold the lock of a condition", hold_the_lock_of_a_condition),
];

/// Waits once, and counts that it was woken.
fn wait_for_a_condition(line: &mut Line) {
    let (lock, condition, woken): (Lock, Condition, Value<u64>) = line.receive();
    let guard = lock.lock().unwrap();
    line.mark();
    let (guard, notified) = condition.wait(guard, None).unwrap();
    assert!(notified);
    woken.update(|woken| *woken += 1);
    drop(guard);
}

fn wait_for_a_number(line: &mut Line) {
    let (lock, condition, number): (Lock, Condition, Value<u64>) = line.receive();
    let guard = lock.lock().unwrap();
    let (guard, holds) = condition.wait_for(guard, None, || number.get() == 3).unwrap();
    assert!(holds);
    drop(guard);
}

fn hold_the_lock_of_a_condition(line: &mut Line) {
    let lock: Lock = line.receive();
    let _guard = lock.lock().unwrap();
    line.mark();
    line.wait_for_death();
}

fn parts() -> (Lock, Condition, Value<u64>) {
    let lock = Lock::new().unwrap();
    let condition = Condition::new(&lock).unwrap();
    (lock, condition, Value::new(0).unwrap())
}

#[test]
fn each_notification_wakes_one_and_the_last_wakes_all() {
    each_harness(|harness| {
        let (lock, condition, woken) = parts();
        let parts = (lock.clone(), condition.clone(), woken.clone());
        let mut waiters: Vec<_> = (0..5).map(|_| harness.start("wait for a condition", &parts)).collect();
        waiters.iter_mut().for_each(|waiter| waiter.line.wait_mark());
        for expected in 1..=2 {
            // With the lock, so the last waiter waits.
            let guard = lock.lock().unwrap();
            condition.notify_one();
            drop(guard);
            test_support::wait_until("one to be woken", || woken.get() >= expected);
            assert_eq!(woken.get(), expected);
        }
        condition.notify_all();
        waiters.into_iter().for_each(|waiter| waiter.join());
        assert_eq!(woken.get(), 5);
    });
}

#[test]
fn a_predicate_is_looked_at_after_each_notification() {
    each_harness(|harness| {
        let (lock, condition, number) = parts();
        let waiter = harness.start("wait for a number", &(lock.clone(), condition.clone(), number.clone()));
        for next in 1..=3 {
            let guard = lock.lock().unwrap();
            number.set(next);
            condition.notify_one();
            drop(guard);
        }
        waiter.join();
        let guard = lock.lock().unwrap();
        let (guard, holds) = condition.wait_for(guard, Duration::from_millis(5), || false).unwrap();
        assert!(!holds);
        drop(guard);
    });
}

#[test]
fn a_wait_whose_time_is_over_holds_the_lock_again_and_takes_no_notification() {
    let (lock, condition, _) = parts();
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        let (guard, notified) = condition.wait(lock.lock().unwrap(), timeout).unwrap();
        assert!(!notified && lock.is_locked());
        drop(guard);
    }
    // A notification without a waiter is not kept.
    condition.notify_one();
    let (_guard, notified) = condition.wait(lock.lock().unwrap(), Duration::from_millis(5)).unwrap();
    assert!(!notified);
}

#[test]
fn a_waiter_that_died_takes_no_notification() {
    let (lock, condition, woken) = parts();
    let parts = (lock.clone(), condition.clone(), woken);
    let mut dying = child("wait for a condition", &parts);
    dying.line.wait_mark();
    let mut living = child("wait for a condition", &parts);
    living.line.wait_mark();
    // With the lock, so both wait.
    drop(lock.lock().unwrap());
    dying.kill();
    condition.notify_one();
    living.join();
}

#[test]
fn a_notified_waiter_that_dies_before_it_wakes_passes_the_notification_on() {
    let (lock, condition, woken) = parts();
    let parts = (lock.clone(), condition.clone(), woken.clone());
    let mut dying = child("wait for a condition", &parts);
    dying.line.wait_mark();
    let mut living = child("wait for a condition", &parts);
    living.line.wait_mark();
    drop(lock.lock().unwrap());
    test_support::kill(dying.pid(), 19);
    test_support::wait_until("the process to stop", || test_support::is_stopped(dying.pid()));
    condition.notify_one();
    assert_eq!(woken.get(), 0, "the notification is with the one that stopped");
    dying.kill();
    living.join();
}

#[test]
fn a_waiter_learns_that_a_process_died_with_the_lock() {
    let (lock, condition, _) = parts();
    let waiter = thread::spawn({
        let (lock, condition) = (lock.clone(), condition.clone());
        move || condition.wait(lock.lock().unwrap(), None).map(|(guard, _)| drop(guard)).unwrap_err().kind()
    });
    let mut holder = child("hold the lock of a condition", &lock);
    holder.line.wait_mark();
    holder.kill();
    // Until the thread waits, the lock may be abandoned before it.
    test_support::wait_until("the waiter", || {
        condition.notify_all();
        waiter.is_finished()
    });
    match waiter.join() {
        Ok(kind) => assert_eq!(kind, Abandoned),
        Err(_) => assert_eq!(lock.lock().unwrap_err().kind(), Abandoned),
    }
}

#[test]
fn the_guard_of_another_lock_is_refused() {
    let (lock, condition, _) = parts();
    let other = Lock::new().unwrap();
    let error = condition.wait(other.lock().unwrap(), None).unwrap_err();
    assert_eq!(error.kind(), InvalidArgument);
    assert_eq!(error.to_string(), "the guard is of another lock than the condition");
    assert!(!other.is_locked() && !lock.is_locked());
}
