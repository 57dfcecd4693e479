//! `Barrier`.

use std::{thread, time::Duration};

use executor_core::ErrorKind::{Broken, InvalidArgument, Timeout};
use process_sync::{Barrier, Value};

use crate::support::{Line, Role, child, each_harness};

pub const ROLES: &[(&str, Role)] = &[("pass a barrier", pass_a_barrier), ("wait at a barrier", wait_at_a_barrier)];

const ROUNDS: u64 = 200;

fn pass_a_barrier(line: &mut Line) {
    let (barrier, sum): (Barrier, Value<u64>) = line.receive();
    for round in 0..ROUNDS {
        let index = barrier.wait(None).unwrap();
        sum.update(|sum| *sum += index as u64);
        barrier.wait(None).unwrap();
        // 0, 1 and 2 in each round, and no party is a round ahead.
        assert_eq!(sum.get(), (round + 1) * 3);
        barrier.wait(None).unwrap();
    }
}

fn wait_at_a_barrier(line: &mut Line) {
    let barrier: Barrier = line.receive();
    line.mark();
    let outcome = barrier.wait(None).map(|index| index as u64);
    line.send(&outcome);
}

fn until_waiting(barrier: &Barrier, parties: usize) {
    test_support::wait_until("parties at the barrier", || barrier.waiting() == parties);
}

#[test]
fn all_parties_pass_together_round_after_round() {
    each_harness(|harness| {
        let (barrier, sum) = (Barrier::new(3).unwrap(), Value::new(0_u64).unwrap());
        let partners: Vec<_> =
            (0..3).map(|_| harness.start("pass a barrier", &(barrier.clone(), sum.clone()))).collect();
        partners.into_iter().for_each(|partner| partner.join());
        assert_eq!((barrier.parties(), barrier.waiting(), barrier.is_broken()), (3, 0, false));
    });
}

#[test]
fn a_party_that_dies_breaks_the_barrier_for_the_others() {
    let barrier = Barrier::new(3).unwrap();
    let mut dying = child("wait at a barrier", &barrier);
    let mut waiting = child("wait at a barrier", &barrier);
    dying.line.wait_mark();
    waiting.line.wait_mark();
    until_waiting(&barrier, 2);
    dying.kill();
    let outcome: Result<u64, executor_core::Error> = waiting.line.receive();
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), Broken);
    assert_eq!(
        error.to_string(),
        "the barrier is broken: a party died or timed out, or the barrier was aborted or reset; `reset` it to use it \
         again"
    );
    waiting.join();
    assert_eq!(barrier.wait(None).unwrap_err().kind(), Broken);
}

#[test]
fn a_dead_party_does_not_complete_a_round() {
    let barrier = Barrier::new(2).unwrap();
    let mut dying = child("wait at a barrier", &barrier);
    dying.line.wait_mark();
    until_waiting(&barrier, 1);
    dying.kill();
    assert_eq!(barrier.wait(None).unwrap_err().kind(), Broken);
    barrier.reset();
    assert_eq!(barrier.wait(Duration::from_millis(5)).unwrap_err().kind(), Timeout);
}

#[test]
fn the_party_whose_time_is_over_is_told_so_and_the_others_that_it_is_broken() {
    each_harness(|harness| {
        let barrier = Barrier::new(3).unwrap();
        let mut other = harness.start("wait at a barrier", &barrier);
        other.line.wait_mark();
        until_waiting(&barrier, 1);
        assert_eq!(barrier.wait(Duration::from_millis(5)).unwrap_err().kind(), Timeout);
        let outcome: Result<u64, executor_core::Error> = other.line.receive();
        assert_eq!(outcome.unwrap_err().kind(), Broken);
        other.join();
        assert!(barrier.is_broken());
        barrier.reset();
        assert!(!barrier.is_broken());
    });
}

#[test]
fn a_reset_or_an_abort_breaks_the_barrier_for_those_that_wait() {
    each_harness(|harness| {
        let barrier = Barrier::new(2).unwrap();
        for end in [Barrier::reset, Barrier::abort] {
            let mut other = harness.start("wait at a barrier", &barrier);
            other.line.wait_mark();
            until_waiting(&barrier, 1);
            end(&barrier);
            let outcome: Result<u64, executor_core::Error> = other.line.receive();
            assert_eq!(outcome.unwrap_err().kind(), Broken);
            other.join();
        }
        assert_eq!(barrier.wait(None).unwrap_err().kind(), Broken);
        barrier.reset();
        let other = thread::spawn({
            let barrier = barrier.clone();
            move || barrier.wait(None).unwrap()
        });
        assert_eq!(barrier.wait(None).unwrap() + other.join().unwrap(), 1);
    });
}

#[test]
fn a_barrier_has_parties() {
    let error = Barrier::new(0).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (InvalidArgument, "a barrier needs at least one party"));
    assert_eq!(Barrier::new(1).unwrap().wait(None).unwrap(), 0);
}
