//! Spinning for a short while before a thread sleeps.
//!
//! Falling asleep and being woken costs two system calls and, on both sides together, some ten microseconds. A thread
//! that waits for something that usually comes sooner saves them by spinning. A thread that usually waits long would
//! only burn a processor. So each waiting thread has a [`SpinBudget`], which adapts to how often spinning has succeeded
//! lately.
//!
//! Spinning never keeps a processor from other threads: the thread yields before each spin. If another thread took the
//! processor for a while, there are more runnable threads than processors. Then spinning ends, and does not begin again
//! before a sleep was short. It also ends after [`LONGEST`].
//!
//! ```
//! use std::{sync::atomic::{AtomicBool, Ordering::Acquire}, time::Instant};
//! use executor_core::spin::SpinBudget;
//!
//! fn wait_for(flag: &AtomicBool, budget: &mut SpinBudget, sleep: impl Fn()) {
//!     if !budget.spin(|| flag.load(Acquire)) {
//!         let asleep = Instant::now();
//!         sleep();
//!         budget.slept(asleep.elapsed());
//!     }
//! }
//! wait_for(&AtomicBool::new(true), &mut SpinBudget::new(), || unreachable!("the flag is set"));
//! ```

use std::{
    cell::Cell,
    hint, thread,
    time::{Duration, Instant},
};

/// The backoff of a thread that waits for a task that it has just submitted.
pub(crate) const IN_A_HURRY: Duration = Duration::from_nanos(100);
/// The backoff of a thread that collects many tasks that it has submitted before. With a shorter one, the thread would
/// be right behind the worker and contend for each task; after this one there are several tasks to collect.
pub(crate) const COLLECTING: Duration = Duration::from_micros(1);

/// The longest time that a thread spins in one go, without the time in which other threads have the processor.
pub const LONGEST: Duration = Duration::from_micros(30);

/// How often a thread spins before it sleeps. It adapts to the thread's waits, so keep one for as long as the thread.
#[derive(Clone, Copy, Debug)]
pub struct SpinBudget {
    /// The largest number of spins in one go.
    spins: u32,
}

/// This many spins are always worth their cost.
const LEAST: u32 = if MODELLED { 0 } else { 2 };
/// On a fast machine this many spins take about as long as [`LONGEST`].
const MOST: u32 = if MODELLED { 0 } else { 64 };
/// The budget of a thread that has not waited yet.
const FIRST: u32 = if MODELLED { 0 } else { 16 };
/// A model checker has no time, and a second spin shows nothing that another order would not show.
const MODELLED: bool = cfg!(all(test, loom));
/// More spinning might have saved a sleep that is shorter than this: [`LONGEST`], plus the time to wake both threads,
/// the waiting one and the one that it waits for. This ends the state in which each thread is asleep whenever the other
/// one has something for it.
const SHORT_SLEEP: Duration = Duration::from_micros(100);
/// If yielding takes longer than this, another thread had the processor, and the backoff is not needed.
const BRIEF: Duration = Duration::from_nanos(800);
/// If yielding takes longer than this, other threads need the processor.
const LENT: Duration = Duration::from_micros(5);

impl SpinBudget {
    /// Returns the budget of a thread that has not waited yet.
    pub const fn new() -> SpinBudget {
        SpinBudget { spins: FIRST }
    }

    /// Spins until `is_ready` returns true or the budget is spent. Returns what the last call of `is_ready` returned.
    pub fn spin(&mut self, mut is_ready: impl FnMut() -> bool) -> bool {
        is_ready() || self.spin_with_backoff(IN_A_HURRY, is_ready)
    }

    /// Spins as [`spin`](SpinBudget::spin) does, with a backoff of this length before each call of `is_ready`, the
    /// first one included.
    ///
    /// Each check takes the cache line that it reads from the thread that writes to it. If more results follow the
    /// awaited one, a longer backoff costs little and disturbs less.
    pub fn spin_with_backoff(&mut self, backoff: Duration, mut is_ready: impl FnMut() -> bool) -> bool {
        let mut end = None;
        for _ in 0..self.spins {
            let offered = Instant::now();
            thread::yield_now();
            let back = Instant::now();
            if back - offered < BRIEF {
                while back.elapsed() < backoff {
                    hint::spin_loop();
                }
            }
            if is_ready() {
                self.spins = (self.spins * 2).min(MOST);
                return true;
            }
            if back - offered > LENT {
                // A thread that sleeps gets the processor back sooner than one that yields to waiting threads.
                self.spins = 0;
                return false;
            }
            if back > *end.get_or_insert(offered + LONGEST) {
                break;
            }
        }
        self.spins = (self.spins / 2).max(LEAST.min(self.spins));
        false
    }

    /// Adapts the budget to a sleep. Call this after [`spin`](SpinBudget::spin) has returned false, with the time that
    /// the thread then slept until the awaited thing happened.
    pub fn slept(&mut self, time: Duration) {
        if time < SHORT_SLEEP {
            // A factor of four more than makes good for the halving after the spins that failed.
            self.spins = (self.spins * 4).clamp(LEAST, MOST);
        }
    }
}

/// Calls `wait` with the budget of the calling thread, which it has for all its waits.
pub(crate) fn with_own_budget<R>(wait: impl FnOnce(&mut SpinBudget) -> R) -> R {
    thread_local! {
        static BUDGET: Cell<SpinBudget> = const { Cell::new(SpinBudget::new()) };
    }
    // A copy, because the code that the thread calls while it spins may itself wait.
    let mut budget = BUDGET.get();
    let waited = wait(&mut budget);
    BUDGET.set(budget);
    waited
}

impl Default for SpinBudget {
    fn default() -> SpinBudget {
        SpinBudget::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn spinning_ends_when_the_awaited_thing_is_ready() {
        let mut spins = 0;
        assert!(SpinBudget::new().spin_with_backoff(IN_A_HURRY, || {
            spins += 1;
            true
        }));
        assert_eq!(spins, 1);
    }

    #[test]
    fn failed_spins_are_bounded_and_become_fewer() {
        let mut budget = SpinBudget::new();
        let mut count = || {
            let mut spins = 0;
            assert!(!budget.spin_with_backoff(IN_A_HURRY, || {
                spins += 1;
                false
            }));
            spins
        };
        assert!(count() <= FIRST);
        for _ in 0..5 {
            count();
        }
        assert!(count() <= LEAST);
    }

    #[test]
    fn the_budget_grows_with_success_and_shrinks_with_failure() {
        let mut budget = SpinBudget::new();
        (0..5).for_each(|_| assert!(budget.spin_with_backoff(IN_A_HURRY, || true)));
        assert_eq!(budget.spins, MOST);
        budget.spin_with_backoff(IN_A_HURRY, || false);
        assert!(budget.spins < MOST);
        budget.slept(Duration::from_secs(1));
        assert!(budget.spins < MOST);
        for _ in 0..4 {
            budget.slept(Duration::from_micros(1));
        }
        assert_eq!(budget.spins, MOST);
    }
}
