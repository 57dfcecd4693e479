//! Spinning before a sleep, with what each thread has learned of the queues that it waits for.

use std::{cell::Cell, time::Duration};

use executor_core::spin::SpinBudget;

/// Calls `wait` with the spin budget of the calling thread, which it has for all queues.
pub(super) fn with_own_budget<R>(wait: impl FnOnce(&mut SpinBudget) -> R) -> R {
    thread_local! {
        static BUDGET: Cell<SpinBudget> = const { Cell::new(SpinBudget::new()) };
    }
    let mut budget = BUDGET.get();
    let waited = wait(&mut budget);
    BUDGET.set(budget);
    waited
}

/// A thread that waits again and again, and puts nothing in between: it follows another thread that produces what it
/// consumes.
pub(super) struct Follower;

thread_local! {
    static FOLLOWS: Cell<bool> = const { Cell::new(false) };
}

/// How long a follower rests between two looks. It would otherwise be right behind the thread that it follows and
/// contend with it for each item. After this time there are several.
const FOLLOWING: Duration = Duration::from_micros(1);

impl Follower {
    /// Spins for as long as that usually pays. Returns `true` if it is ready.
    pub(super) fn spin(is_ready: impl Fn() -> bool) -> bool {
        with_own_budget(|budget| {
            if FOLLOWS.get() {
                return is_ready() || budget.spin_with_backoff(FOLLOWING, is_ready);
            }
            let found = budget.spin(is_ready);
            FOLLOWS.set(found);
            found
        })
    }

    /// Notes that the thread puts something, perhaps a reply for which another thread waits.
    #[inline]
    pub(super) fn end() {
        FOLLOWS.set(false);
    }
}
