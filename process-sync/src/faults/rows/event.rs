//! Events.

use crate::{
    Event,
    faults::{
        table::{
            AFTER, At, BEFORE, Cell, IS_AWAKE, Left, NO_CODE, NO_LOCK, NO_SLEEP, Row,
            Who::{Producer, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::Victim,
    },
};

const SETS: [Cell; At::ALL.len()] = [NO_LOCK, NO_LOCK, BEFORE, NO_LOCK, AFTER, NO_SLEEP, NO_CODE];
const CHANGES_NOTHING: Cell = Cell::Never("it takes no lock, and changes nothing after it woke");

pub(super) const ROWS: &[Row] = &[
    Row::new("event", Producer, "sets it", (set, check_set), SETS),
    Row::new("event", Producer, "sets it", (set, check_set), SETS).by_the_parent(),
    Row::new(
        "event",
        Waiter,
        "waits for it",
        (wait, check_wait),
        [NO_LOCK, NO_LOCK, NO_LOCK, NO_LOCK, NO_LOCK, BEFORE, NO_CODE],
    )
    .ends(Left::Before),
    Row::new(
        "event",
        WokenWaiter,
        "learns that it is set",
        (wait, check_wait),
        // It is struck when it has woken.
        [BEFORE, NO_LOCK, CHANGES_NOTHING, CHANGES_NOTHING, CHANGES_NOTHING, IS_AWAKE, NO_CODE],
    )
    .ends(Left::Before),
];

fn make() -> Event {
    Event::new().unwrap()
}

fn set(victim: &mut Victim) {
    let event = victim.object(make);
    victim.act(|| {
        event.set();
        Ok(())
    });
}

fn wait(victim: &mut Victim) {
    let event = victim.object(make);
    victim.act(|| {
        assert!(event.wait(None));
        Ok(())
    });
}

fn check_set(trial: &mut Trial) {
    let event = trial.object(make);
    let waiting = std::thread::spawn({
        let event = event.clone();
        move || event.wait(None)
    });
    let left = trial.run(|_| {});
    assert_eq!(event.is_set(), left == Left::After);
    if left == Left::Before {
        event.set();
    }
    assert!(waiting.join().unwrap());
    event.clear();
    assert!(!event.is_set());
}

fn check_wait(trial: &mut Trial) {
    let event = trial.object(make);
    trial.run(|_| event.set());
    assert!(event.is_set() && event.wait(None));
    event.clear();
    let waiting = std::thread::spawn({
        let event = event.clone();
        move || event.wait(None)
    });
    event.set();
    assert!(waiting.join().unwrap());
}
