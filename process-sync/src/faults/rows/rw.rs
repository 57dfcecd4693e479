//! Reader-writer locks.

use executor_core::ErrorKind;

use super::Held;
use crate::{
    RwLock,
    faults::{
        table::{
            ABANDONED, At, BEFORE, Cell, How, IS_ASLEEP, IS_AWAKE, IS_NO_WAITER, Left, NO_CODE, NO_SLEEP, Row,
            Who::{Holder, Recoverer, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::{Victim, user_code},
    },
};

const SETTLED: Cell = Cell::Never("the taking has this");
const NOT_HELD: Cell = Cell::Never("no process holds an abandoned lock");
const ASLEEP: [Cell; At::ALL.len()] = [IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, BEFORE, IS_ASLEEP];
const WRITES: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, ABANDONED, ABANDONED, IS_NO_WAITER, ABANDONED];

pub(super) const ROWS: &[Row] = &[
    Row::new("reader-writer lock", Holder, "begins to write, and writes", (write, check), WRITES).ends(Left::Before),
    Row::new("reader-writer lock", Holder, "begins to write, and writes", (write, check), WRITES)
        .ends(Left::Before)
        .by_the_parent(),
    Row::new(
        "reader-writer lock",
        Holder,
        "stops writing",
        (stop_writing, check),
        [ABANDONED, ABANDONED, ABANDONED, BEFORE, BEFORE, NO_SLEEP, SETTLED],
    )
    .ends(Left::Before),
    Row::new(
        "reader-writer lock",
        Holder,
        "begins to read, and reads",
        (read, check),
        [BEFORE, BEFORE, BEFORE, BEFORE, BEFORE, IS_NO_WAITER, BEFORE],
    )
    .ends(Left::Before),
    Row::new(
        "reader-writer lock",
        Holder,
        "stops reading",
        (stop_reading, check),
        [BEFORE, BEFORE, BEFORE, BEFORE, BEFORE, NO_SLEEP, SETTLED],
    )
    .ends(Left::Before),
    Row::new("reader-writer lock", Waiter, "waits to write", (write, check_wait), ASLEEP).ends(Left::Before),
    Row::new("reader-writer lock", Waiter, "waits to read", (read, check_wait), ASLEEP).ends(Left::Before),
    Row::new(
        "reader-writer lock",
        WokenWaiter,
        "writes after it waited",
        (write, check_wait),
        [BEFORE, BEFORE, BEFORE, ABANDONED, ABANDONED, IS_AWAKE, ABANDONED],
    )
    .ends(Left::Before),
    Row::new(
        "reader-writer lock",
        WokenWaiter,
        "reads after it waited",
        (read, check_wait),
        [BEFORE, BEFORE, BEFORE, BEFORE, BEFORE, IS_AWAKE, BEFORE],
    )
    .ends(Left::Before),
    Row::new(
        "reader-writer lock",
        Recoverer,
        "recovers it",
        (recover, check_recover),
        [ABANDONED, ABANDONED, ABANDONED, ABANDONED, ABANDONED, NOT_HELD, ABANDONED],
    )
    .ends(Left::Before),
    Row::new("reader-writer lock", Recoverer, "recovers a healthy lock", (recover, check_wait), {
        let mut row = ASLEEP;
        row[At::UserCode as usize] = NO_CODE;
        row
    })
    .ends(Left::Before),
];

fn make() -> RwLock {
    RwLock::new().unwrap()
}

fn write(victim: &mut Victim) {
    let lock = victim.object(make);
    victim.act(|| {
        let _guard = lock.write()?;
        user_code();
        Ok(())
    });
}

fn stop_writing(victim: &mut Victim) {
    let lock = victim.object(make);
    let guard = lock.write().unwrap();
    victim.act(|| {
        drop(guard);
        Ok(())
    });
}

fn read(victim: &mut Victim) {
    let lock = victim.object(make);
    victim.act(|| {
        let _guard = lock.read()?;
        user_code();
        Ok(())
    });
}

fn stop_reading(victim: &mut Victim) {
    let lock = victim.object(make);
    let guard = lock.read().unwrap();
    victim.act(|| {
        drop(guard);
        Ok(())
    });
}

fn recover(victim: &mut Victim) {
    let lock = victim.object(make);
    victim.act(|| {
        let _guard = lock.recover();
        user_code();
        Ok(())
    });
}

fn check_left(lock: &RwLock, left: Left) {
    if left == Left::Abandoned {
        assert_eq!(lock.read().unwrap_err().kind(), ErrorKind::Abandoned);
        assert_eq!(lock.write().unwrap_err().kind(), ErrorKind::Abandoned);
        drop(lock.recover());
    }
    drop(lock.write().unwrap());
    drop((lock.read().unwrap(), lock.read().unwrap()));
    assert!(lock.try_write().unwrap().is_some(), "no place is kept");
}

fn check(trial: &mut Trial) {
    let lock = trial.object(make);
    let left = trial.run(|_| {});
    check_left(&lock, left);
}

fn check_wait(trial: &mut Trial) {
    let lock = trial.object(make);
    let held = Held::hold({
        let lock = lock.clone();
        move |inside| {
            let _guard = lock.write().unwrap();
            inside();
        }
    });
    let left = trial.run(|_| drop(held));
    check_left(&lock, left);
}

fn check_recover(trial: &mut Trial) {
    let lock = trial.object(make);
    let mut holder = Trial::start(super::all_of("reader-writer lock")[0], How::Kill, At::UserCode);
    holder.object(|| lock.clone());
    assert_eq!(holder.run(|_| {}), Left::Abandoned);
    drop(holder);
    let left = trial.run(|_| {});
    check_left(&lock, left);
}
