//! Values.

use super::Held;
use crate::{
    Value,
    faults::{
        table::{
            AFTER, At, BEFORE, Cell, IS_ASLEEP, IS_AWAKE, IS_NO_WAITER, Left, Row,
            Who::{Holder, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::{Victim, user_code},
    },
};

const UPDATES: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, AFTER, AFTER, IS_NO_WAITER, BEFORE];

pub(super) const ROWS: &[Row] = &[
    Row::new("value", Holder, "updates it", (update, check), UPDATES),
    Row::new("value", Holder, "updates it", (update, check), UPDATES).by_the_parent(),
    Row::new(
        "value",
        Waiter,
        "waits for another update",
        (update, check_wait),
        [IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, BEFORE, IS_ASLEEP],
    ),
    Row::new(
        "value",
        WokenWaiter,
        "updates it after it waited",
        (update, check_wait),
        [BEFORE, BEFORE, BEFORE, AFTER, AFTER, IS_AWAKE, BEFORE],
    ),
];

fn make() -> Value<[u64; 9]> {
    Value::new([0; 9]).unwrap()
}

fn update(victim: &mut Victim) {
    let value = victim.object(make);
    victim.act(|| {
        value.update(|numbers| {
            numbers[..5].fill(1);
            user_code();
            numbers[5..].fill(1);
        });
        Ok(())
    });
}

fn check_left(value: &Value<[u64; 9]>, left: Left) {
    let expected = u64::from(left == Left::After);
    assert_eq!(value.get(), [expected; 9]);
    assert_eq!(value.update(|numbers| std::mem::replace(numbers, [3; 9])), [expected; 9]);
    assert_eq!(value.get(), [3; 9]);
}

fn check(trial: &mut Trial) {
    let value = trial.object(make);
    let left = trial.run(|_| {});
    check_left(&value, left);
}

fn check_wait(trial: &mut Trial) {
    let value = trial.object(make);
    let held = Held::hold({
        let value = value.clone();
        move |inside| value.update(|_| inside())
    });
    let left = trial.run(|_| drop(held));
    check_left(&value, left);
}
