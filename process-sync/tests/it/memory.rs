//! `Value`, `Array`.

use std::{panic::catch_unwind, thread, time::Duration};

use executor_core::ErrorKind::{Abandoned, InvalidArgument, InvalidState, Timeout};
use process_sync::{Array, Value};

use crate::support::{Line, Role, child, dead, each_harness};

pub const ROLES: &[(&str, Role)] = &[
    ("add to a value", add_to_a_value),
    ("die in an update", die_in_an_update),
    ("sort an array", sort_an_array),
    ("die with an array", die_with_an_array),
    ("write a large value", write_a_large_value),
];

const ROUNDS: u64 = 2_000;

fn add_to_a_value(line: &mut Line) {
    let value: Value<u64> = line.receive();
    (0..ROUNDS).for_each(|_| value.update(|value| *value += 1));
}

fn die_in_an_update(line: &mut Line) {
    let value: Value<u64> = line.receive();
    value.update(|value| {
        *value = 99;
        line.mark();
        line.wait_for_death()
    })
}

fn write_a_large_value(line: &mut Line) {
    let value: Value<[u32; 32]> = line.receive();
    (0..ROUNDS as u32).for_each(|round| value.set([round; 32]));
}

fn sort_an_array(line: &mut Line) {
    let array: Array<i32> = line.receive();
    array.lock().unwrap().sort();
}

fn die_with_an_array(line: &mut Line) {
    let array: Array<i32> = line.receive();
    let mut elements = array.lock().unwrap();
    elements[0] = 99;
    line.mark();
    line.wait_for_death();
}

#[test]
fn updates_of_a_value_are_not_lost() {
    each_harness(|harness| {
        let value = Value::new(5_u64).unwrap();
        let partners: Vec<_> = (0..3).map(|_| harness.start("add to a value", &value)).collect();
        partners.into_iter().for_each(|partner| partner.join());
        assert_eq!(value.get(), 5 + 3 * ROUNDS);
    });
}

#[test]
fn a_value_is_never_seen_half_written() {
    each_harness(|harness| {
        let value = Value::new([0_u32; 32]).unwrap();
        let partner = harness.start("write a large value", &value);
        let mut last = 0;
        while last < ROUNDS as u32 - 1 {
            let seen = value.get();
            assert!(seen.iter().all(|word| *word == seen[0]) && seen[0] >= last, "{seen:?} after {last}");
            last = seen[0];
        }
        partner.join();
    });
}

#[test]
fn a_process_that_dies_in_an_update_has_changed_nothing() {
    let value = Value::new(7_u64).unwrap();
    let mut dying = child("die in an update", &value);
    dying.line.wait_mark();
    assert_eq!(value.get(), 7, "reading does not wait for an update");
    dying.kill();
    value.update(|value| *value += 1);
    assert_eq!(value.get(), 8);
}

#[test]
fn an_update_that_panics_or_updates_again_changes_nothing() {
    let value = Value::new(1_u8).unwrap();
    let panicked = catch_unwind(|| {
        value.update(|value| {
            *value = 2;
            panic!("in an update");
        })
    });
    assert!(panicked.is_err() && value.get() == 1);
    let nested = catch_unwind(|| {
        value.update(|_| value.set(3));
    });
    assert!(nested.is_err() && value.get() == 1);
    assert_eq!(value.update(|value| std::mem::replace(value, 4)), 1);
    assert_eq!(value.get(), 4);
}

#[test]
fn an_array_is_changed_in_place() {
    each_harness(|harness| {
        let array = Array::from(&[3, 1, 2]).unwrap();
        harness.start("sort an array", &array).join();
        assert_eq!(*array.lock().unwrap(), [1, 2, 3]);
        array.set(1, 20).unwrap();
        assert_eq!((array.get(1).unwrap(), array.len(), array.is_empty()), (20, 3, false));
    });
}

#[test]
fn an_array_of_a_process_that_died_with_it_is_abandoned_until_it_is_recovered() {
    let array = Array::from(&[3, 1, 2]).unwrap();
    dead("die with an array", &array);
    let error = array.lock().unwrap_err();
    assert_eq!(error.kind(), Abandoned);
    assert!(error.to_string().starts_with("a process died while it held this array"));
    assert_eq!(array.get(0).unwrap_err().kind(), Abandoned);
    assert_eq!(array.set(0, 1).unwrap_err().kind(), Abandoned);
    array.recover().unwrap()[0] = 3;
    assert_eq!(*array.lock().unwrap(), [3, 1, 2]);
}

#[test]
fn what_is_wrong_with_the_use_of_an_array_is_an_error() {
    let array = Array::<u64>::new(2).unwrap();
    let error = array.get(2).unwrap_err();
    assert_eq!(error.kind(), InvalidArgument);
    assert_eq!(error.to_string(), "the index 2 is out of range: the array has 2 elements");
    assert_eq!(array.set(usize::MAX, 0).unwrap_err().kind(), InvalidArgument);
    let guard = array.lock().unwrap();
    assert_eq!(array.lock().unwrap_err().kind(), InvalidState);
    assert_eq!(array.get(0).unwrap_err().kind(), InvalidState);
    let timed_out = thread::scope(|scope| {
        scope.spawn(|| array.lock_timeout(Duration::from_millis(5)).map(drop).unwrap_err().kind()).join()
    });
    assert_eq!(timed_out.unwrap(), Timeout);
    drop(guard);
    assert_eq!(Array::<u64>::new(usize::MAX / 4).unwrap_err().kind(), InvalidArgument);
    let empty = Array::<u64>::new(0).unwrap();
    assert!(empty.is_empty() && empty.lock().unwrap().is_empty() && empty.get(0).is_err());
}
