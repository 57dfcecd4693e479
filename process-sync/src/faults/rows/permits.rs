//! Semaphores. Whatever happens, the permits add up.

use executor_core::ErrorKind;

use super::Held;
use crate::{
    BoundedSemaphore, Semaphore,
    faults::{
        table::{
            At, BEFORE, Cell, IS_ASLEEP, IS_AWAKE, IS_NO_WAITER, Left, NO_SLEEP, Row,
            Who::{Holder, Waiter, WokenWaiter},
        },
        trial::Trial,
        victim::{Victim, user_code},
    },
};

const PERMITS: usize = 2;

const SETTLED: Cell = Cell::Never("the taking has this");
const TAKES: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, BEFORE, BEFORE, IS_NO_WAITER, BEFORE];
const GIVES: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, BEFORE, BEFORE, NO_SLEEP, SETTLED];
const ASLEEP: [Cell; At::ALL.len()] = [IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, IS_ASLEEP, BEFORE, IS_ASLEEP];
const WOKEN: [Cell; At::ALL.len()] = [BEFORE, BEFORE, BEFORE, BEFORE, BEFORE, IS_AWAKE, BEFORE];

macro_rules! semaphores {
    ($($module:ident: $type:ident, $name:literal, $bounded:literal;)*) => {
        $(mod $module {
            use super::*;

            pub(super) const ROWS: [Row; 5] = [
                Row::new($name, Holder, "takes a permit, and has it", (take, check), TAKES).ends(Left::Before),
                Row::new($name, Holder, "takes a permit, and has it", (take, check), TAKES)
                    .ends(Left::Before)
                    .by_the_parent(),
                Row::new($name, Holder, "gives a permit back", (give_back, check), GIVES).ends(Left::Before),
                Row::new($name, Waiter, "waits for a permit", (take, check_wait), ASLEEP).ends(Left::Before),
                Row::new($name, WokenWaiter, "takes a permit after it waited", (take, check_wait), WOKEN)
                    .ends(Left::Before),
            ];

            fn make() -> $type {
                $type::new(PERMITS).unwrap()
            }

            fn take(victim: &mut Victim) {
                let semaphore = victim.object(make);
                victim.act(|| {
                    let _permit = semaphore.acquire(None)?;
                    user_code();
                    Ok(())
                });
            }

            fn give_back(victim: &mut Victim) {
                let semaphore = victim.object(make);
                let permit = semaphore.acquire(None).unwrap();
                victim.act(|| {
                    drop(permit);
                    Ok(())
                });
            }

            fn check_left(semaphore: &$type) {
                let permits: Vec<_> = (0..PERMITS).map(|_| semaphore.acquire(None).unwrap()).collect();
                assert!(semaphore.try_acquire().unwrap().is_none(), "there are too many permits");
                drop(permits);
                assert_eq!(semaphore.available(), PERMITS);
                if $bounded {
                    assert_eq!(semaphore.release(1).unwrap_err().kind(), ErrorKind::InvalidState);
                }
            }

            fn check(trial: &mut Trial) {
                let semaphore = trial.object(make);
                trial.run(|_| {});
                check_left(&semaphore);
            }

            fn check_wait(trial: &mut Trial) {
                let semaphore = trial.object(make);
                let held = Held::hold({
                    let semaphore = semaphore.clone();
                    move |inside| {
                        let _permits = [semaphore.acquire(None).unwrap(), semaphore.acquire(None).unwrap()];
                        inside();
                    }
                });
                trial.run(|_| drop(held));
                check_left(&semaphore);
            }
        })*
    };
}

semaphores! {
    plain: Semaphore, "semaphore", false;
    bounded: BoundedSemaphore, "bounded semaphore", true;
}

pub(super) const ROWS: &[Row] = {
    let ([a, b, c, d, e], [f, g, h, i, j]) = (plain::ROWS, bounded::ROWS);
    &[a, b, c, d, e, f, g, h, i, j]
};
