//! How many items travel together: what a map has learned about its own items decides.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// For about this long a chunk is to keep its worker.
const TARGET: Duration = Duration::from_micros(200);

/// How many items the first chunks have, of which nothing is known.
const FIRST: usize = 8;

/// While nothing is measured, a chunk is at most this part of what each worker has had so far.
const UNKNOWN_PART: usize = 32;

/// How many times as large as the one before a chunk may be.
const GROWTH: usize = 2;

/// Into how many chunks for each worker what is left would be cut, at least.
const SHARES: usize = 4;

/// What the items of a map cost: the chunks that run in this process tell, and whoever submits the next one asks.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Picoseconds for an item. 0: nothing is known.
    cost: AtomicU64,
}

impl Pace {
    /// A chunk of so many items has run for so long.
    pub(super) fn note(&self, items: usize, time: Duration) {
        let picoseconds = time.as_nanos().saturating_mul(1000) / items.max(1) as u128;
        let measured = u64::try_from(picoseconds).unwrap_or(u64::MAX).max(1);
        // ORDERING: an estimate. Of two chunks that change it at the same time, one may not be counted.
        let before = self.cost.load(Relaxed);
        // It follows the slow at once, and forgets them slowly.
        self.cost.store(measured.max(before - before / 4), Relaxed);
    }

    /// How many items take about as long as a chunk is to take.
    fn items(&self) -> Option<usize> {
        let target = TARGET.as_nanos() as u64 * 1000;
        // ORDERING: as above.
        let items = target.checked_div(self.cost.load(Relaxed))?;
        Some(usize::try_from(items).unwrap_or(usize::MAX))
    }
}

/// How the input of a map is cut.
#[derive(Debug)]
pub(super) struct Chunking {
    /// What the caller has asked for.
    fixed: Option<usize>,
    workers: usize,
    /// How many items may be under way.
    bound: usize,
    pace: Arc<Pace>,
    /// How many items the chunk before had.
    last: usize,
    /// How many items all of them had.
    submitted: usize,
}

impl Chunking {
    pub(super) fn new(fixed: Option<usize>, workers: usize, bound: usize, pace: Arc<Pace>) -> Chunking {
        Chunking { fixed, workers, bound, pace, last: FIRST, submitted: 0 }
    }

    /// How many items the next chunk is to have. `left` is how many are left, where the input says so.
    pub(super) fn next(&self, left: Option<usize>) -> usize {
        if let Some(items) = self.fixed {
            return items.min(self.bound);
        }
        let wanted = match self.pace.items() {
            Some(items) => items.min(self.last.saturating_mul(GROWTH)),
            None => FIRST.max(self.submitted / self.workers.saturating_mul(UNKNOWN_PART).max(1)),
        };
        // Where the input does not say how much is to come, as much again as there was is a guess that is never far
        // off.
        let coming = left.unwrap_or(self.submitted).min(self.bound);
        let share = coming / self.workers.saturating_mul(SHARES).max(1);
        wanted.min(share).max(1)
    }

    pub(super) fn submitted(&mut self, items: usize) {
        self.last = items;
        self.submitted = self.submitted.saturating_add(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    /// The sizes of the chunks of so many items, each of which is measured before the next is cut.
    fn sizes(
        items: usize,
        workers: usize,
        says_how_many: bool,
        cost: impl Fn(usize) -> Option<Duration>,
    ) -> Vec<usize> {
        let pace = Arc::new(Pace::default());
        let mut chunking = Chunking::new(None, workers, usize::MAX, pace.clone());
        let (mut sizes, mut left) = (Vec::new(), items);
        while left > 0 {
            let size = chunking.next(says_how_many.then_some(left)).min(left);
            let time = (items - left..items - left + size).map(&cost).sum::<Option<Duration>>();
            if let Some(time) = time {
                pace.note(size, time);
            }
            chunking.submitted(size);
            sizes.push(size);
            left -= size;
        }
        sizes
    }

    #[test]
    fn short_items_travel_in_chunks_that_take_the_target() {
        let sizes = sizes(1_000_000, 2, true, |_| Some(Duration::from_nanos(100)));
        assert_eq!(sizes.iter().max(), Some(&2000));
        assert!(sizes.len() < 600, "{} chunks", sizes.len());
    }

    #[test]
    fn long_items_travel_alone_once_they_are_known() {
        let sizes = sizes(2000, 2, true, |_| Some(Duration::from_millis(1)));
        assert!(sizes[1..].iter().all(|size| *size == 1), "{sizes:?}");
    }

    #[test]
    fn a_long_item_makes_the_next_chunks_small_and_is_forgotten() {
        let cost = |item| if item == 50_000 { Duration::from_millis(10) } else { MICROSECOND };
        let sizes = sizes(100_000, 2, true, |item| Some(cost(item)));
        let small = sizes.iter().filter(|size| **size <= 20).count();
        assert!((5..60).contains(&small), "{sizes:?}");
        assert!(sizes[sizes.len() / 2..].contains(&200), "{sizes:?}");
    }

    #[test]
    fn the_last_chunks_are_single_items_also_if_nothing_was_measured() {
        for cost in [None, Some(Duration::from_nanos(1))] {
            for items in [5, 100, 2000, 100_000] {
                let sizes = sizes(items, 2, true, |_| cost);
                assert!(sizes.iter().rev().take(items.min(8)).all(|size| *size == 1), "{sizes:?}");
            }
        }
    }

    #[test]
    fn what_nobody_has_measured_grows_with_what_was_submitted() {
        let sizes = sizes(1_000_000, 2, true, |_| None);
        assert!(sizes.len() < 1000, "{} chunks", sizes.len());
        let mut before = 0;
        for size in sizes {
            assert!(size <= FIRST.max(before / 64), "{size} after {before}");
            before += size;
        }
    }

    #[test]
    fn an_input_of_unknown_length_begins_with_single_items_and_ends_at_the_target() {
        let sizes = sizes(100_000, 2, false, |_| Some(MICROSECOND));
        assert_eq!(sizes[..8], [1; 8]);
        assert_eq!(sizes.iter().max(), Some(&200));
    }

    #[test]
    fn a_chunk_is_a_part_of_what_may_be_under_way() {
        let pace = Arc::new(Pace::default());
        pace.note(1000, MICROSECOND);
        for (bound, most) in [(1, 1), (7, 1), (80, 10)] {
            let mut chunking = Chunking::new(None, 2, bound, pace.clone());
            chunking.submitted(1_000_000);
            assert_eq!(chunking.next(None), most);
            assert_eq!(Chunking::new(Some(50), 2, bound, pace.clone()).next(None), 50.min(bound));
        }
    }
}
