//! Spinning for a short while before a thread sleeps.
//!
//! Falling asleep and being woken costs two system calls and, on both sides together, some ten microseconds. If a
//! thread waits for something that usually comes sooner, spinning saves that time. If it usually waits longer, spinning
//! only wastes a processor. So each waiting thread has a [`SpinBudget`], which adapts to how often spinning has
//! succeeded lately.
//!
//! Spinning never keeps a processor from other threads: the thread yields before each spin. If another thread then has
//! the processor for a while, there are more runnable threads than processors. In that case the thread stops spinning,
//! and does not spin again until one of its sleeps was short. It also stops after [`LONGEST`], or
//! some times as long within a [transfer](SpinBudget::in_transfer).
//!
//! ```
//! # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
//! use std::{sync::atomic::{AtomicBool, Ordering::Acquire}, time::Instant};
//! use concurrent_futures::backend::spin::SpinBudget;
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
pub(crate) const SHORT_BACKOFF: Duration = Duration::from_nanos(100);
/// The backoff of a thread that collects many tasks that it has submitted before. With a shorter one, the thread would
/// be right behind the worker and contend with it for each task. After this time it can collect several tasks.
pub(crate) const LONG_BACKOFF: Duration = Duration::from_micros(1);

/// The longest time that a thread spins before it sleeps, except within a [transfer](SpinBudget::in_transfer). The time
/// in which other threads have the processor does not count.
pub const LONGEST: Duration = Duration::from_micros(30);

/// The longest time that a thread spins for the rest of a transfer. It is longer than it takes to wake the other side,
/// even on a virtual machine whose idle processor has to be started, so that two sides which both sleep do not take
/// turns with waking each other for every piece.
const LONGEST_IN_TRANSFER: Duration = Duration::from_micros(150);

/// How often a thread spins before it sleeps. It adapts to the thread's waits, so keep one for the life of the thread.
#[derive(Clone, Copy, Debug)]
pub struct SpinBudget {
    /// The largest number of spins before a sleep.
    spins: u32,
    /// The longest time before a sleep: [`LONGEST`], or [`LONGEST_IN_TRANSFER`].
    longest: Duration,
}

/// This many spins are always worth their cost.
const LEAST: u32 = if MODELLED { 0 } else { 2 };
/// On a fast machine this many spins take about as long as [`LONGEST`].
const MOST: u32 = if MODELLED { 0 } else { 64 };
/// As [`MOST`], for [`LONGEST_IN_TRANSFER`].
const MOST_IN_TRANSFER: u32 = if MODELLED { 0 } else { 400 };
/// The budget of a thread that has not waited yet.
const FIRST: u32 = if MODELLED { 0 } else { 16 };
/// A model checker has no time, and a second spin shows nothing that another order would not show.
const MODELLED: bool = cfg!(all(test, loom));
/// Longer spinning might have avoided a sleep that is shorter than this: [`LONGEST`], plus the time to wake both
/// threads, the waiting one and the one that it waits for. Without this, two threads that work for each other could
/// stay in a state in which each one is asleep whenever the other has a result for it.
const SHORT_SLEEP: Duration = Duration::from_micros(100);
/// If a yield takes longer than this, another thread had the processor, and the backoff is not needed.
const SHORT_YIELD: Duration = Duration::from_nanos(800);
/// If a yield takes longer than this, other threads need the processor.
const LONG_YIELD: Duration = Duration::from_micros(5);

impl SpinBudget {
    /// Returns the budget of a thread that has not waited yet.
    pub const fn new() -> SpinBudget {
        SpinBudget { spins: FIRST, longest: LONGEST }
    }

    /// Returns the budget of a thread that waits for more of a transfer that has begun. The other side is at work on
    /// it, so more will come soon, however long other waits take. Each wait needs a new one: it does not adapt.
    pub const fn in_transfer() -> SpinBudget {
        SpinBudget { spins: MOST_IN_TRANSFER, longest: LONGEST_IN_TRANSFER }
    }

    /// Spins until `is_ready` returns `true` or the budget is spent. Returns what the last call of `is_ready` returned.
    pub fn spin(&mut self, mut is_ready: impl FnMut() -> bool) -> bool {
        is_ready() || self.spin_with_backoff(SHORT_BACKOFF, is_ready)
    }

    /// Spins as [`spin`](SpinBudget::spin) does, with a backoff of this length before each call of `is_ready`, the
    /// first one included.
    ///
    /// Each check takes the cache line that it reads from the thread that writes to it. If more results follow the
    /// awaited one, a longer backoff costs little and disturbs less.
    pub fn spin_with_backoff(&mut self, backoff: Duration, mut is_ready: impl FnMut() -> bool) -> bool {
        let mut end = None;
        for _ in 0..self.spins {
            let before_yield = Instant::now();
            thread::yield_now();
            let after_yield = Instant::now();
            if after_yield - before_yield < SHORT_YIELD {
                while after_yield.elapsed() < backoff {
                    hint::spin_loop();
                }
            }
            if is_ready() {
                self.spins = (self.spins * 2).min(MOST);
                return true;
            }
            if after_yield - before_yield > LONG_YIELD {
                // A thread that sleeps gets the processor back sooner than one that yields to waiting threads.
                self.spins = 0;
                return false;
            }
            if after_yield > *end.get_or_insert(before_yield + self.longest) {
                break;
            }
        }
        self.spins = (self.spins / 2).max(LEAST.min(self.spins));
        false
    }

    /// Adapts the budget to a sleep. Call this after [`spin`](SpinBudget::spin) has returned `false`, with the time
    /// that the thread then slept until the awaited thing happened.
    pub fn slept(&mut self, time: Duration) {
        if time < SHORT_SLEEP {
            // The factor of four outweighs the halving after the spins that failed.
            self.spins = (self.spins * 4).clamp(LEAST, MOST);
        }
    }
}

/// Calls `wait` with the budget of the calling thread, which it has for all its waits.
pub(crate) fn with_own_budget<R>(wait: impl FnOnce(&mut SpinBudget) -> R) -> R {
    thread_local! {
        static BUDGET: Cell<SpinBudget> = const { Cell::new(SpinBudget::new()) };
    }
    // A copy, because code that the thread calls while it spins may wait too.
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
        assert!(SpinBudget::new().spin_with_backoff(SHORT_BACKOFF, || {
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
            assert!(!budget.spin_with_backoff(SHORT_BACKOFF, || {
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
        (0..5).for_each(|_| assert!(budget.spin_with_backoff(SHORT_BACKOFF, || true)));
        assert_eq!(budget.spins, MOST);
        budget.spin_with_backoff(SHORT_BACKOFF, || false);
        assert!(budget.spins < MOST);
        budget.slept(Duration::from_secs(1));
        assert!(budget.spins < MOST);
        for _ in 0..4 {
            budget.slept(Duration::from_micros(1));
        }
        assert_eq!(budget.spins, MOST);
    }
}
