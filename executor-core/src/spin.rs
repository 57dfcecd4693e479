//! Looking for something for a while before sleeping until it comes.
//!
//! To fall asleep and to be woken costs two system calls and, on both sides together, some ten microseconds. Whoever
//! waits for something that usually comes sooner than that saves them by looking a little longer. Whoever usually waits
//! long would burn a processor for nothing. So each one who waits has a [`Patience`], which follows what looking has
//! brought lately.
//!
//! A processor that somebody else needs is never kept from them: it is offered to others before each look. If somebody
//! took it for a while, there are more threads that want to run than processors: looking is over, and is not begun
//! again before a sleep was short. It is also over after [`LONGEST`], whatever it has brought before.
//!
//! ```
//! use std::{sync::atomic::{AtomicBool, Ordering::Acquire}, time::Instant};
//! use executor_core::spin::Patience;
//!
//! fn wait_for(flag: &AtomicBool, patience: &mut Patience, sleep: impl Fn()) {
//!     if !patience.spin(|| flag.load(Acquire)) {
//!         let asleep = Instant::now();
//!         sleep();
//!         patience.slept(asleep.elapsed());
//!     }
//! }
//! wait_for(&AtomicBool::new(true), &mut Patience::new(), || unreachable!("it is there"));
//! ```

use std::{
    cell::Cell,
    hint, thread,
    time::{Duration, Instant},
};

/// The backoff of a thread that waits for a task that it has just submitted.
pub(crate) const IN_A_HURRY: Duration = Duration::from_nanos(100);
/// The backoff of a thread that collects many tasks that it has submitted before. A shorter one would take the memory
/// of each task away from the worker right behind it; after this one there are several tasks to collect.
pub(crate) const COLLECTING: Duration = Duration::from_micros(1);

/// Nobody looks longer than this in one go, but for the time in which others have the processor.
pub const LONGEST: Duration = Duration::from_micros(30);

/// How long to look. For threads that wait for each other again and again, one of these lives as long as its thread.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often to look, at most.
    looks: u32,
}

/// These are worth their while whatever comes.
const LEAST: u32 = if PLAYED { 0 } else { 2 };
/// On a fast machine these take about as long as [`LONGEST`].
const MOST: u32 = if PLAYED { 0 } else { 64 };
/// For who has no experience yet.
const FIRST: u32 = if PLAYED { 0 } else { 16 };
/// Under a model checker there is no time, and who looks twice sees nothing that another order would not show.
const PLAYED: bool = cfg!(all(test, loom));
/// A sleep that is shorter may have been saved by more patience: it is [`LONGEST`], and what it takes to wake both, the
/// one who waits and the one whom it waits for. Where each is asleep whenever the other has something for it, this is
/// what ends it: with half of this, one program in ten stayed at 70 µs for a task that takes 2.
const SHORT_SLEEP: Duration = Duration::from_micros(100);
/// If it takes longer to be given the processor back, then somebody else had it, and there is no need to rest.
const BRIEF: Duration = Duration::from_nanos(800);
/// If it takes longer than this, then they had use for it.
const LENT: Duration = Duration::from_micros(5);

impl Patience {
    /// Of somebody without experience.
    pub const fn new() -> Patience {
        Patience { looks: FIRST }
    }

    /// Looks until `look` answers true, or patience is at its end. Answers what the last look did.
    pub fn spin(&mut self, mut look: impl FnMut() -> bool) -> bool {
        look() || self.spin_at(IN_A_HURRY, look)
    }

    /// As [`spin`](Patience::spin), for somebody who has looked before, with rests of this length before the looks.
    ///
    /// Each look takes the memory that it looks at away from the one who writes to it. If there is more to come behind
    /// what is looked for, a longer rest costs little and disturbs less.
    pub fn spin_at(&mut self, rest: Duration, mut look: impl FnMut() -> bool) -> bool {
        let mut end = None;
        for _ in 0..self.looks {
            let offered = Instant::now();
            thread::yield_now();
            let back = Instant::now();
            if back - offered < BRIEF {
                while back.elapsed() < rest {
                    hint::spin_loop();
                }
            }
            if look() {
                self.looks = (self.looks * 2).min(MOST);
                return true;
            }
            if back - offered > LENT {
                // Where others wait for the processor, a thread that sleeps is given it sooner than one that yields.
                self.looks = 0;
                return false;
            }
            if back > *end.get_or_insert(offered + LONGEST) {
                break;
            }
        }
        self.looks = (self.looks / 2).max(LEAST.min(self.looks));
        false
    }

    /// To be told after [`spin`](Patience::spin) has found nothing: for how long the thread slept then, until what it
    /// waited for was there.
    pub fn slept(&mut self, time: Duration) {
        if time < SHORT_SLEEP {
            // Four times, to make good what the look in vain has taken away, and more.
            self.looks = (self.looks * 4).clamp(LEAST, MOST);
        }
    }
}

/// Lends out the patience of the calling thread, which it has for all its waits.
pub fn of_this_thread<R>(wait: impl FnOnce(&mut Patience) -> R) -> R {
    thread_local! {
        static PATIENCE: Cell<Patience> = const { Cell::new(Patience::new()) };
    }
    // A copy, so that what is looked at may wait for something itself.
    let mut patience = PATIENCE.get();
    let waited = wait(&mut patience);
    PATIENCE.set(patience);
    waited
}

impl Default for Patience {
    fn default() -> Patience {
        Patience::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_looks_end_when_one_finds_something() {
        let mut looks = 0;
        assert!(Patience::new().spin_at(IN_A_HURRY, || {
            looks += 1;
            true
        }));
        assert_eq!(looks, 1);
    }

    #[test]
    fn looks_in_vain_are_bounded_and_get_fewer() {
        let mut patience = Patience::new();
        let mut count = || {
            let mut looks = 0;
            assert!(!patience.spin_at(IN_A_HURRY, || {
                looks += 1;
                false
            }));
            looks
        };
        assert!(count() <= FIRST);
        for _ in 0..5 {
            count();
        }
        assert!(count() <= LEAST);
    }

    #[test]
    fn what_pays_off_is_done_longer_and_what_does_not_less_long() {
        let mut patience = Patience::new();
        (0..5).for_each(|_| assert!(patience.spin_at(IN_A_HURRY, || true)));
        assert_eq!(patience.looks, MOST);
        patience.spin_at(IN_A_HURRY, || false);
        assert!(patience.looks < MOST);
        patience.slept(Duration::from_secs(1));
        assert!(patience.looks < MOST);
        for _ in 0..4 {
            patience.slept(Duration::from_micros(1));
        }
        assert_eq!(patience.looks, MOST);
    }
}
