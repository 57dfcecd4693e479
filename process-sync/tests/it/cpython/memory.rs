//! Cases of `_TestValue`, `_TestArray` and `_TestSharedCTypes`.

use process_sync::{Array, Value};

use crate::support::{Line, Role, each_harness};

pub const ROLES: &[(&str, Role)] =
    &[("change the values", change_the_values), ("sum up in place", sum_up_in_place), ("double all", double_all)];

/// Two coordinates.
type Point = [f64; 2];

type Values = (Value<i32>, Value<f64>, Value<u16>, Value<u8>, Value<Point>);

fn change_the_values(line: &mut Line) {
    let (integer, double, short, byte, point): Values = line.receive();
    integer.set(-77);
    double.set(2.5);
    short.set(u16::MAX);
    byte.set(b'y');
    point.update(|[_, y]| *y += 1.0);
}

#[test]
fn mp_601_values_of_every_type_are_changed_by_another_process() {
    each_harness(|harness| {
        let all: Values = (
            Value::new(4343).unwrap(),
            Value::new(3.625).unwrap(),
            Value::new(232).unwrap(),
            Value::new(b'x').unwrap(),
            Value::new([3.0, 1.5]).unwrap(),
        );
        assert_eq!((all.0.get(), all.1.get(), all.2.get(), all.3.get()), (4343, 3.625, 232, b'x'));
        harness.start("change the values", &all).join();
        assert_eq!((all.0.get(), all.1.get(), all.2.get(), all.3.get()), (-77, 2.5, u16::MAX, b'y'));
        assert_eq!(all.4.get(), [3.0, 2.5]);
    });
}

fn sum_up_in_place(line: &mut Line) {
    let array: Array<i32> = line.receive();
    let mut elements = array.lock().unwrap();
    for at in 1..elements.len() {
        elements[at] += elements[at - 1];
    }
}

#[test]
fn mp_604_an_array_is_changed_by_another_process() {
    each_harness(|harness| {
        let mut expected = vec![680, 626, 934, 821, 150, 233, 548, 982, 714, 831];
        let array = Array::from(&expected).unwrap();
        assert_eq!((array.len(), array.get(3).unwrap()), (10, 821));
        assert_eq!(array.lock().unwrap()[2..7], expected[2..7]);
        array.lock().unwrap()[4..8].copy_from_slice(&[1, 2, 3, 4]);
        expected[4..8].copy_from_slice(&[1, 2, 3, 4]);
        harness.start("sum up in place", &array).join();
        for at in 1..expected.len() {
            expected[at] += expected[at - 1];
        }
        assert_eq!(*array.lock().unwrap(), *expected);
    });
}

#[test]
fn mp_605_an_array_of_a_size_begins_with_zeros() {
    for _ in 0..3 {
        let array = Array::<i32>::new(10).unwrap();
        assert_eq!(*array.lock().unwrap(), [0; 10]);
        array.lock().unwrap().copy_from_slice(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(array.get(9).unwrap(), 9);
    }
}

fn double_all(line: &mut Line) {
    let (number, point, array): (Value<i32>, Value<Point>, Array<f64>) = line.receive();
    number.update(|number| *number *= 2);
    point.update(|point| point.iter_mut().for_each(|coordinate| *coordinate *= 2.0));
    array.lock().unwrap().iter_mut().for_each(|element| *element *= 2.0);
}

#[test]
fn mp_608_mp_609_numbers_points_and_arrays_are_changed_together() {
    each_harness(|harness| {
        let (number, point) = (Value::new(7).unwrap(), Value::new([1.0, 0.5]).unwrap());
        let array = Array::from(&[0.0, 1.0, 2.0]).unwrap();
        harness.start("double all", &(number.clone(), point.clone(), array.clone())).join();
        assert_eq!((number.get(), point.get()), (14, [2.0, 1.0]));
        assert_eq!(*array.lock().unwrap(), [0.0, 2.0, 4.0]);
    });
}

#[test]
fn mp_610_what_was_read_is_a_copy() {
    let point = Value::new([2.0, 5.0]).unwrap();
    let copy = point.get();
    point.set([0.0; 2]);
    assert_eq!(copy, [2.0, 5.0]);
    assert_eq!(point.get(), [0.0; 2]);
}
