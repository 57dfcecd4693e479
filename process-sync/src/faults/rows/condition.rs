//! Conditions.

use std::{
    sync::mpsc::{Receiver, channel},
    thread,
};

use test_support::DEADLINE;

use crate::{
    Condition, Lock,
    faults::{
        table::{
            AFTER, At, BEFORE, Cell, IS_ASLEEP, IS_AWAKE, Left, NO_CODE, NO_SLEEP, Row,
            Who::{Producer, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::Victim,
    },
};

const NOTIFIES: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, AFTER, AFTER, NO_SLEEP, NO_CODE];

pub(super) const ROWS: &[Row] = &[
    Row::new("condition", Producer, "notifies a waiter", (notify, check_notify), NOTIFIES),
    Row::new("condition", Producer, "notifies a waiter", (notify, check_notify), NOTIFIES).by_the_parent(),
    Row::new(
        "condition",
        Waiter,
        "waits for a notification",
        (wait, check_wait),
        [IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, BEFORE, NO_CODE],
    ),
    Row::new(
        "condition",
        WokenWaiter,
        "receives a notification",
        (wait, check_wait),
        [BEFORE, BEFORE, BEFORE, AFTER, AFTER, IS_AWAKE, NO_CODE],
    ),
];

type Objects = (Lock, Condition);

fn make() -> Objects {
    let lock = Lock::new().unwrap();
    let condition = Condition::new(&lock).unwrap();
    (lock, condition)
}

fn notify(victim: &mut Victim) {
    let (_, condition) = victim.object(make);
    victim.act(|| {
        condition.notify_one();
        Ok(())
    });
}

fn wait(victim: &mut Victim) {
    let (lock, condition) = victim.object(make);
    victim.act(|| {
        let guard = lock.lock()?;
        let (_guard, notified) = condition.wait(guard, None)?;
        assert!(notified);
        Ok(())
    });
}

/// Starts a thread that waits, and returns when it has released the lock for that. What it returns receives whether it
/// was notified.
fn waiter((lock, condition): &Objects) -> Receiver<bool> {
    let ((told, tells), (holds, held)) = (channel(), channel());
    let (lock, condition) = (lock.clone(), condition.clone());
    thread::spawn(move || {
        let guard = lock.lock().unwrap();
        holds.send(lock.clone()).unwrap();
        let (guard, notified) = condition.wait(guard, None).unwrap();
        drop(guard);
        drop((lock, condition));
        told.send(notified).unwrap();
    });
    // Whoever gets the lock now comes after the waiter.
    drop(held.recv().unwrap().lock().unwrap());
    tells
}

fn check_notify(trial: &mut Trial) {
    let objects = trial.object(make);
    let waiting = waiter(&objects);
    let left = trial.run(|_| {});
    if left == Left::Before {
        assert!(waiting.try_recv().is_err(), "nobody has notified it");
        objects.1.notify_one();
    }
    assert!(waiting.recv_timeout(DEADLINE).unwrap());
}

fn check_wait(trial: &mut Trial) {
    let objects = trial.object(make);
    let mut waiting = None;
    let left = trial.run(|_| {
        // The victim is before it, if it lives.
        waiting = Some(waiter(&objects));
        objects.1.notify_one();
    });
    let waiting = waiting.unwrap();
    if left == Left::After {
        assert!(waiting.try_recv().is_err(), "the notification was the victim's");
        objects.1.notify_one();
    }
    assert!(waiting.recv_timeout(DEADLINE).unwrap());
}
