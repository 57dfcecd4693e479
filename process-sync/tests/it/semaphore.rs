//! `Semaphore`, `BoundedSemaphore`.

use std::{thread, time::Duration};

use executor_core::ErrorKind::{InvalidState, Timeout};
use process_sync::{BoundedSemaphore, Semaphore};

use crate::support::{Line, Role, child, dead, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("acquire and mark", acquire_and_mark),
    ("acquire two and die", acquire_two_and_die),
    ("forget one and die", forget_one_and_die),
    ("acquire many times", acquire_many_times),
];

fn acquire_and_mark(line: &mut Line) {
    let semaphore: Semaphore = line.receive();
    let permit = semaphore.acquire(None).unwrap();
    line.mark();
    line.wait_mark();
    drop(permit);
}

fn acquire_two_and_die(line: &mut Line) {
    let semaphore: BoundedSemaphore = line.receive();
    let _permits = (semaphore.acquire(None).unwrap(), semaphore.acquire(None).unwrap());
    line.mark();
    line.wait_for_death();
}

fn forget_one_and_die(line: &mut Line) {
    let semaphore: Semaphore = line.receive();
    semaphore.acquire(None).unwrap().forget();
    line.mark();
    line.wait_for_death();
}

fn acquire_many_times(line: &mut Line) {
    let semaphore: Semaphore = line.receive();
    for _ in 0..500 {
        drop(semaphore.acquire(None).unwrap());
    }
}

#[test]
fn permits_are_held_until_they_are_dropped() {
    each_harness(|harness| {
        let semaphore = Semaphore::new(2).unwrap();
        let mut holders: Vec<_> = (0..2).map(|_| harness.start("acquire and mark", &semaphore)).collect();
        holders.iter_mut().for_each(|holder| holder.line.wait_mark());
        assert!(semaphore.try_acquire().unwrap().is_none() && semaphore.available() == 0);
        let error = semaphore.acquire(Duration::from_millis(5)).unwrap_err();
        assert_eq!(error.to_string(), "the wait for a permit of a semaphore timed out");
        holders[0].line.mark();
        drop(semaphore.acquire(None).unwrap());
        holders[1].line.mark();
        holders.into_iter().for_each(|holder| holder.join());
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn permits_add_up_after_many_of_them_were_taken_and_given_back() {
    each_harness(|harness| {
        let semaphore = Semaphore::new(2).unwrap();
        let partners: Vec<_> = (0..4).map(|_| harness.start("acquire many times", &semaphore)).collect();
        partners.into_iter().for_each(|partner| partner.join());
        assert_eq!(semaphore.available(), 2);
    });
}

#[test]
fn the_permits_of_a_process_that_dies_come_back_and_a_forgotten_one_does_not() {
    let bounded = BoundedSemaphore::new(2).unwrap();
    let mut holder = child("acquire two and die", &bounded);
    holder.line.wait_mark();
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let bounded = bounded.clone();
            thread::spawn(move || bounded.acquire(None).map(|permit| permit.forget()).unwrap())
        })
        .collect();
    assert!(bounded.try_acquire().unwrap().is_none());
    holder.kill();
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    assert_eq!(bounded.available(), 0);
    bounded.release(2).unwrap();
    assert_eq!(bounded.available(), 2);

    let semaphore = Semaphore::new(1).unwrap();
    dead("forget one and die", &semaphore);
    assert_eq!(semaphore.acquire(Duration::from_millis(30)).unwrap_err().kind(), Timeout);
    semaphore.release(1).unwrap();
    drop(semaphore.acquire(None).unwrap());
}

#[test]
fn a_bounded_semaphore_never_has_more_permits_than_at_first() {
    let bounded = BoundedSemaphore::new(2).unwrap();
    let held = bounded.acquire(None).unwrap();
    let error = bounded.release(1).unwrap_err();
    assert_eq!(error.kind(), InvalidState);
    assert_eq!(error.to_string(), "a release of 1 would exceed the bound of the bounded semaphore, which is 2");
    held.forget();
    bounded.release(1).unwrap();
    assert_eq!(bounded.release(1).unwrap_err().kind(), InvalidState);
    let free = Semaphore::new(0).unwrap();
    free.release(3).unwrap();
    assert_eq!(free.release(usize::MAX).unwrap_err().kind(), InvalidState);
    assert_eq!(free.available(), 3);
    assert!(BoundedSemaphore::new(0).unwrap().try_acquire().unwrap().is_none());
}

#[test]
fn a_release_of_many_wakes_many() {
    let semaphore = Semaphore::new(0).unwrap();
    let waiters: Vec<_> = (0..4)
        .map(|_| {
            let semaphore = semaphore.clone();
            thread::spawn(move || semaphore.acquire(None).map(|permit| permit.forget()).unwrap())
        })
        .collect();
    semaphore.release(4).unwrap();
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    assert_eq!(semaphore.available(), 0);
}
