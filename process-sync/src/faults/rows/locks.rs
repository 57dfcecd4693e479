//! Locks, reentrant locks and arrays, which have a lock word of their own.

use std::sync::atomic::Ordering::Relaxed;

use executor_core::{Error, ErrorKind, Payload};
use test_support::wait_until;

use super::Held;
use crate::{
    Array, Lock, RLock,
    faults::{
        table::{
            ABANDONED, At, BEFORE, Cell, How, IS_ASLEEP, IS_AWAKE, IS_NO_WAITER, Left, NO_CODE, NO_STATE, Row,
            Who::{Holder, Recoverer, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::{Victim, user_code},
    },
    object::{Object, STATE},
};

const IN_CODE: Cell = Cell::Never("with the guard only the user's code runs");
const IN_PLACE: Cell = Cell::Never("its elements change in place");

const HOLDS: [Cell; At::ALL.len()] = [BEFORE, IN_CODE, NO_STATE, NO_STATE, BEFORE, IS_NO_WAITER, ABANDONED];
const WAITS: [Cell; At::ALL.len()] = [IS_ASLEEP, IS_ASLEEP, NO_STATE, NO_STATE, IS_ASLEEP, BEFORE, NO_CODE];
const WOKEN: [Cell; At::ALL.len()] = [BEFORE, IN_CODE, NO_STATE, NO_STATE, BEFORE, IS_AWAKE, ABANDONED];
const RECOVERS: [Cell; At::ALL.len()] =
    [ABANDONED, IN_CODE, NO_STATE, NO_STATE, BEFORE, Cell::Never("no process holds an abandoned lock"), ABANDONED];

/// An array is the same, with other reasons.
const fn in_place(mut row: [Cell; At::ALL.len()]) -> [Cell; At::ALL.len()] {
    row[At::BeforeCommit as usize] = IN_PLACE;
    row[At::BeforeUnlock as usize] = IN_PLACE;
    row
}

macro_rules! rows {
    ($type:ty, $name:literal, $($cells:tt)*) => {
        [
            Row::new($name, Holder, "holds it", (hold::<$type>, check_hold::<$type>), $($cells)*(HOLDS)).ends(Left::Before),
            Row::new($name, Waiter, "waits for it", (hold::<$type>, check_wait::<$type>), $($cells)*(WAITS))
                .ends(Left::Before),
            Row::new($name, WokenWaiter, "gets it after it waited", (hold::<$type>, check_wait::<$type>), $($cells)*(WOKEN))
                .ends(Left::Before),
            Row::new($name, Recoverer, "recovers it", (recover::<$type>, check_recover::<$type>), $($cells)*(RECOVERS))
                .ends(Left::Before),
            Row::new($name, Holder, "holds it", (hold::<$type>, check_hold::<$type>), $($cells)*(HOLDS))
                .ends(Left::Before)
                .by_the_parent(),
        ]
    };
}

const fn same(row: [Cell; At::ALL.len()]) -> [Cell; At::ALL.len()] {
    row
}

const LOCKS: [Row; 5] = rows!(Lock, "lock", same);
const RLOCKS: [Row; 5] = rows!(RLock, "reentrant lock", same);
const ARRAYS: [Row; 5] = rows!(Array<u64>, "array", in_place);

pub(super) const ROWS: &[Row] = {
    let ([a, b, c, d, e], [f, g, h, i, j], [k, l, m, n, o]) = (LOCKS, RLOCKS, ARRAYS);
    &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o]
};

/// What the three have in common.
trait Lockable: Payload + Clone {
    fn make() -> Self;
    /// Calls `inside` with the guard.
    fn with_lock(&self, inside: impl FnOnce()) -> Result<(), Error>;
    fn with_recovered(&self, inside: impl FnOnce());
    fn shared(&self) -> &Object;

    fn word(&self) -> u32 {
        self.shared().memory.half_word(STATE).load(Relaxed)
    }

    fn is_taken(&self) -> bool {
        self.word() << 2 != 0
    }

    fn has_waiters(&self) -> bool {
        self.word() >> 31 != 0
    }
}

impl Lockable for Lock {
    fn make() -> Lock {
        Lock::new().unwrap()
    }

    fn with_lock(&self, inside: impl FnOnce()) -> Result<(), Error> {
        let _guard = self.lock()?;
        inside();
        Ok(())
    }

    fn with_recovered(&self, inside: impl FnOnce()) {
        let _guard = self.recover();
        inside();
    }

    fn shared(&self) -> &Object {
        &self.object
    }
}

impl Lockable for RLock {
    fn make() -> RLock {
        RLock::new().unwrap()
    }

    fn with_lock(&self, inside: impl FnOnce()) -> Result<(), Error> {
        let (_guard, _again) = (self.lock()?, self.lock()?);
        inside();
        Ok(())
    }

    fn with_recovered(&self, inside: impl FnOnce()) {
        let _guard = self.recover();
        inside();
    }

    fn shared(&self) -> &Object {
        self.object()
    }
}

impl Lockable for Array<u64> {
    fn make() -> Array<u64> {
        Array::new(2).unwrap()
    }

    /// Changes one element before it calls `inside`, and the other after it.
    fn with_lock(&self, inside: impl FnOnce()) -> Result<(), Error> {
        let mut guard = self.lock()?;
        assert_eq!(guard[0], guard[1], "half changed, and not abandoned");
        guard[0] += 1;
        // A panic has to make the elements equal, as code does that must survive one.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(inside));
        guard[1] += 1;
        drop(guard);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(())
    }

    fn with_recovered(&self, inside: impl FnOnce()) {
        let mut guard = self.recover().unwrap();
        guard[1] = guard[0];
        inside();
    }

    fn shared(&self) -> &Object {
        self.object()
    }
}

fn hold<T: Lockable>(victim: &mut Victim) {
    let lock = victim.object(T::make);
    let (at, line) = (victim.at(), victim.second_line());
    victim.act(|| {
        lock.with_lock(|| {
            user_code();
            if at == At::BeforeWake {
                // Others wait for the lock when it is released.
                line.wait_go();
            }
        })
    });
}

/// Checks that a lock is free, or abandoned and then recovered.
fn check_left<T: Lockable>(lock: &T, left: Left) {
    if left == Left::Abandoned {
        for _ in 0..2 {
            assert_eq!(lock.with_lock(|| {}).unwrap_err().kind(), ErrorKind::Abandoned);
        }
        lock.with_recovered(|| {});
    }
    lock.with_lock(|| {}).unwrap();
    assert!(!lock.is_taken());
}

fn check_hold<T: Lockable>(trial: &mut Trial) {
    let lock = trial.object(T::make);
    if trial.at() != At::BeforeWake {
        let left = trial.run(|_| {});
        return check_left(&lock, left);
    }
    trial.go();
    wait_until("the victim to hold the lock", || lock.is_taken());
    let waiter = std::thread::spawn({
        let lock = lock.clone();
        move || lock.with_lock(|| {})
    });
    wait_until("a thread to wait for the lock", || lock.has_waiters());
    trial.go();
    let left = trial.run_on(|_| {}, |_| {});
    waiter.join().unwrap().unwrap();
    check_left(&lock, left);
}

fn check_wait<T: Lockable>(trial: &mut Trial) {
    let lock = trial.object(T::make);
    let held = Held::hold({
        let lock = lock.clone();
        move |inside| lock.with_lock(inside).unwrap()
    });
    if trial.at() != At::BeforeWake {
        let left = trial.run(|_| drop(held));
        return check_left(&lock, left);
    }
    trial.go();
    let mut waiter = None;
    let wait = |trial: &Trial| {
        wait_until("the victim to hold the lock", || lock.is_taken());
        waiter = Some(std::thread::spawn({
            let lock = lock.clone();
            move || lock.with_lock(|| {})
        }));
        wait_until("a thread to wait for the lock", || lock.has_waiters());
        trial.go();
    };
    let left = trial.run_on(|_| drop(held), wait);
    waiter.unwrap().join().unwrap().unwrap();
    check_left(&lock, left);
}

fn recover<T: Lockable>(victim: &mut Victim) {
    let lock = victim.object(T::make);
    let (at, line) = (victim.at(), victim.second_line());
    victim.act(|| {
        lock.with_recovered(|| {
            user_code();
            if at == At::BeforeWake {
                line.wait_go();
            }
        });
        Ok(())
    });
}

fn check_recover<T: Lockable>(trial: &mut Trial) {
    let lock = trial.object(T::make);
    // Another process dies with it.
    let mut holder = Trial::start(super::all_of(trial.object_name())[0], How::Kill, At::UserCode);
    holder.object(|| lock.clone());
    assert_eq!(holder.run(|_| {}), Left::Abandoned);
    drop(holder);
    assert_eq!(lock.with_lock(|| {}).unwrap_err().kind(), ErrorKind::Abandoned);
    if trial.at() != At::BeforeWake {
        let left = trial.run(|_| {});
        return check_left(&lock, left);
    }
    trial.go();
    wait_until("the victim to hold the lock", || lock.is_taken());
    let waiter = std::thread::spawn({
        let lock = lock.clone();
        move || lock.with_lock(|| {})
    });
    wait_until("a thread to wait for the lock", || lock.has_waiters());
    trial.go();
    let left = trial.run_on(|_| {}, |_| {});
    waiter.join().unwrap().unwrap();
    check_left(&lock, left);
}
