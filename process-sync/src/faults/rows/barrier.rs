//! Barriers of two parties.

use std::thread;

use executor_core::ErrorKind;

use crate::{
    Barrier,
    faults::{
        table::{
            ABANDONED, AFTER, At, BEFORE, Cell, IS_AWAKE, Left, NO_CODE, NO_SLEEP, Row,
            Who::{Producer, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::Victim,
    },
};

const COMPLETES: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, AFTER, AFTER, NO_SLEEP, NO_CODE];
const ONLY_LOOKS: Cell = Cell::Never("it changes nothing after it woke");

pub(super) const ROWS: &[Row] = &[
    Row::new("barrier", Producer, "comes last", (wait, check_last), COMPLETES),
    Row::new("barrier", Producer, "comes last", (wait, check_last), COMPLETES).by_the_parent(),
    Row::new(
        "barrier",
        Waiter,
        "comes first, and waits",
        (wait, check_first),
        // A party that came and died breaks the barrier.
        [BEFORE, BEFORE, BEFORE, ABANDONED, ABANDONED, ABANDONED, NO_CODE],
    )
    .ends(Left::Done),
    Row::new(
        "barrier",
        WokenWaiter,
        "goes on when all have come",
        (wait, check_woken),
        [BEFORE, BEFORE, ONLY_LOOKS, ONLY_LOOKS, BEFORE, IS_AWAKE, NO_CODE],
    )
    .ends(Left::Before),
];

fn make() -> Barrier {
    Barrier::new(2).unwrap()
}

fn wait(victim: &mut Victim) {
    let barrier = victim.object(make);
    victim.act(|| barrier.wait(None).map(drop));
}

/// Passes the barrier with two threads.
fn pass(barrier: &Barrier) {
    let other = thread::spawn({
        let barrier = barrier.clone();
        move || barrier.wait(None)
    });
    let mine = barrier.wait(None).unwrap();
    assert_eq!(mine + other.join().unwrap().unwrap(), 1);
    assert_eq!((barrier.waiting(), barrier.is_broken()), (0, false));
}

fn check_last(trial: &mut Trial) {
    let barrier = trial.object(make);
    let first = thread::spawn({
        let barrier = barrier.clone();
        move || barrier.wait(None)
    });
    test_support::wait_until("the first party", || barrier.waiting() == 1);
    let left = trial.run(|_| {});
    if left == Left::Before {
        assert_eq!(barrier.wait(None).unwrap(), 1);
    }
    assert_eq!(first.join().unwrap().unwrap(), 0);
    pass(&barrier);
}

fn check_first(trial: &mut Trial) {
    let barrier = trial.object(make);
    let come = || {
        let barrier = barrier.clone();
        thread::spawn(move || barrier.wait(None))
    };
    let mut other = None;
    if trial.goes_on() && trial.at() != At::Asleep {
        other = Some(come());
    }
    let left = trial.run(|trial| {
        if trial.goes_on() {
            other = Some(come());
        }
    });
    if let Some(other) = other {
        other.join().unwrap().unwrap();
    }
    if left == Left::Abandoned {
        for _ in 0..2 {
            assert_eq!(barrier.wait(None).unwrap_err().kind(), ErrorKind::Broken);
        }
        barrier.reset();
    }
    pass(&barrier);
}

fn check_woken(trial: &mut Trial) {
    let barrier = trial.object(make);
    trial.run(|_| assert_eq!(barrier.wait(None).unwrap(), 1));
    pass(&barrier);
}
