//! Looking for something for a while before sleeping until it comes.
//!
//! To fall asleep and to be woken costs two system calls and, on both sides together, some ten microseconds. Whoever
//! waits for something that usually comes sooner than that saves them by looking a little longer. Whoever usually waits
//! long would burn a processor for nothing. So each one who waits has a [`Patience`], which follows what looking has
//! brought lately.
//!
//! A processor that somebody else needs is never kept from them: after the first few looks, which take about a
//! microsecond together, the processor is offered to others before each one. If somebody took it, there are more threads
//! that want to run than processors, and looking is over. It is also over after [`LONGEST`], whatever it has brought
//! before.
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
//! wait_for(&AtomicBool::new(true), &mut Patience::new(), || unreachable!("it was there"));
//! ```

use std::{
    hint, thread,
    time::{Duration, Instant},
};

/// Nobody looks longer than this in one go, but for the time in which others have the processor.
pub const LONGEST: Duration = Duration::from_micros(30);

/// How long to look. For threads that wait for each other again and again, one of these lives as long as its thread.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often to look, at most.
    looks: u32,
}

/// Looks that are worth their while whatever comes: all of them before the processor is first offered to others, and
/// about a microsecond together.
const LEAST: u32 = 6;
/// On a fast machine these take about as long as [`LONGEST`].
const MOST: u32 = 128;
/// For who has no experience yet.
const FIRST: u32 = 32;
/// A sleep that is shorter would have been saved by more patience: it is [`LONGEST`], and what being woken takes.
const SHORT_SLEEP: Duration = Duration::from_micros(50);
/// If it takes longer to be given the processor back, then somebody else had it.
const LENT: Duration = Duration::from_micros(5);

impl Patience {
    /// Of somebody without experience.
    pub const fn new() -> Patience {
        Patience { looks: FIRST }
    }

    /// Looks until `look` answers true, or patience is at its end. Answers what the last look did.
    pub fn spin(&mut self, mut look: impl FnMut() -> bool) -> bool {
        let mut end = None;
        for round in 0..self.looks {
            if look() {
                self.looks = (self.looks * 2).min(MOST);
                return true;
            }
            if round < LEAST {
                // Longer and longer, for each look takes the memory that it looks at away from the one who writes to it.
                (0..1 << round).for_each(|_| hint::spin_loop());
                continue;
            }
            let offered = Instant::now();
            thread::yield_now();
            let back = Instant::now();
            if back - offered > LENT {
                self.looks = LEAST;
                return look();
            }
            if back > *end.get_or_insert(offered + LONGEST) {
                break;
            }
        }
        self.looks = (self.looks / 2).max(LEAST);
        look()
    }

    /// To be told after [`spin`](Patience::spin) has found nothing: for how long the thread slept then, until what it
    /// waited for was there.
    pub fn slept(&mut self, time: Duration) {
        if time < SHORT_SLEEP {
            // Four times, to make good what the look in vain has taken away, and more.
            self.looks = (self.looks * 4).min(MOST);
        }
    }
}

impl Default for Patience {
    fn default() -> Patience {
        Patience::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_looks_end_when_one_finds_something() {
        let mut looks = 0;
        assert!(Patience::new().spin(|| {
            looks += 1;
            looks == 3
        }));
        assert_eq!(looks, 3);
    }

    #[test]
    fn looks_in_vain_are_bounded_and_get_fewer() {
        let mut patience = Patience::new();
        let mut count = || {
            let mut looks = 0;
            assert!(!patience.spin(|| {
                looks += 1;
                false
            }));
            looks
        };
        assert!(count() <= FIRST + 1);
        for _ in 0..5 {
            count();
        }
        assert_eq!(count(), LEAST + 1);
    }

    #[test]
    fn what_pays_off_is_done_longer_and_what_does_not_less_long() {
        let mut patience = Patience::new();
        (0..5).for_each(|_| assert!(patience.spin(|| true)));
        assert_eq!(patience.looks, MOST);
        patience.spin(|| false);
        assert!(patience.looks < MOST);
        patience.slept(Duration::from_secs(1));
        assert!(patience.looks < MOST);
        patience.slept(Duration::from_micros(1));
        patience.slept(Duration::from_micros(1));
        patience.slept(Duration::from_micros(1));
        assert_eq!(patience.looks, MOST);
    }
}
