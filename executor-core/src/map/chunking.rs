//! Chooses the number of items of a chunk, from the measured cost of earlier items.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The time that a chunk should take.
const TARGET: Duration = Duration::from_micros(200);

/// The size of the first chunks, before any cost is known.
const FIRST: usize = 8;

/// Before any cost is known, a chunk is at most one 32nd of what each worker has received so far.
const UNKNOWN_PART: usize = 32;

/// A chunk may be at most this many times as large as the previous one.
const GROWTH: usize = 2;

/// The rest of the input must be enough for at least this many chunks of the same size for each worker.
const SHARES: usize = 4;

/// The estimated cost of an item of a map. Chunks that run in this process update it, and the thread that submits
/// chunks reads it.
#[derive(Debug, Default)]
pub(super) struct CostEstimate {
    /// Picoseconds per item, or 0 before any chunk was measured.
    picoseconds: AtomicU64,
}

impl CostEstimate {
    /// Updates the estimate after a chunk of `items` items took `time`.
    pub(super) fn update(&self, items: usize, time: Duration) {
        let picoseconds = time.as_nanos().saturating_mul(1000) / items.max(1) as u128;
        let measured = u64::try_from(picoseconds).unwrap_or(u64::MAX).max(1);
        // ORDERING: Relaxed, because nothing else depends on the value. If two chunks update it at the same time, one
        // update may be lost, which an estimate tolerates.
        let before = self.picoseconds.load(Relaxed);
        // The estimate rises immediately and falls slowly, so that a few slow items keep the chunks small.
        self.picoseconds.store(measured.max(before - before / 4), Relaxed);
    }

    /// Returns how many items take about as long as a chunk should, or `None` before any chunk was measured.
    fn items(&self) -> Option<usize> {
        let target = TARGET.as_nanos() as u64 * 1000;
        // ORDERING: Relaxed, as above.
        let items = target.checked_div(self.picoseconds.load(Relaxed))?;
        Some(usize::try_from(items).unwrap_or(usize::MAX))
    }
}

/// Chooses the sizes of the chunks of one map.
#[derive(Debug)]
pub(super) struct Chunking {
    /// The `chunksize` that the caller has set.
    fixed: Option<usize>,
    workers: usize,
    /// How many items may be submitted and not yet read.
    bound: usize,
    estimate: Arc<CostEstimate>,
    /// The size of the previous chunk.
    last: usize,
    /// The size of all chunks so far.
    submitted: usize,
}

impl Chunking {
    pub(super) fn new(fixed: Option<usize>, workers: usize, bound: usize, estimate: Arc<CostEstimate>) -> Chunking {
        Chunking { fixed, workers, bound, estimate, last: FIRST, submitted: 0 }
    }

    /// Returns the size of the next chunk. `left` is how many items the input still has, if that is known.
    pub(super) fn next(&self, left: Option<usize>) -> usize {
        if let Some(items) = self.fixed {
            return items.min(self.bound);
        }
        let wanted = match self.estimate.items() {
            Some(items) => items.min(self.last.saturating_mul(GROWTH)),
            None => FIRST.max(self.submitted / self.workers.saturating_mul(UNKNOWN_PART).max(1)),
        };
        // If the length of the input is unknown, the guess is that half of it was read.
        let coming = left.unwrap_or(self.submitted).min(self.bound);
        let share = coming / self.workers.saturating_mul(SHARES).max(1);
        wanted.min(share).max(1)
    }

    /// Records that a chunk of this many items was submitted.
    pub(super) fn submitted(&mut self, items: usize) {
        self.last = items;
        self.submitted = self.submitted.saturating_add(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    /// Returns the sizes of the chunks of `items` items, if each chunk is measured before the size of the next is
    /// chosen.
    fn sizes(
        items: usize,
        workers: usize,
        length_is_known: bool,
        cost: impl Fn(usize) -> Option<Duration>,
    ) -> Vec<usize> {
        let estimate = Arc::new(CostEstimate::default());
        let mut chunking = Chunking::new(None, workers, usize::MAX, estimate.clone());
        let (mut sizes, mut left) = (Vec::new(), items);
        while left > 0 {
            let size = chunking.next(length_is_known.then_some(left)).min(left);
            let time = (items - left..items - left + size).map(&cost).sum::<Option<Duration>>();
            if let Some(time) = time {
                estimate.update(size, time);
            }
            chunking.submitted(size);
            sizes.push(size);
            left -= size;
        }
        sizes
    }

    #[test]
    fn chunks_of_short_items_take_the_target_time() {
        let sizes = sizes(1_000_000, 2, true, |_| Some(Duration::from_nanos(100)));
        assert_eq!(sizes.iter().max(), Some(&2000));
        assert!(sizes.len() < 600, "{} chunks", sizes.len());
    }

    #[test]
    fn long_items_are_submitted_one_by_one_once_measured() {
        let sizes = sizes(2000, 2, true, |_| Some(Duration::from_millis(1)));
        assert!(sizes[1..].iter().all(|size| *size == 1), "{sizes:?}");
    }

    #[test]
    fn a_long_item_makes_the_next_chunks_small_for_a_while() {
        let cost = |item| if item == 50_000 { Duration::from_millis(10) } else { MICROSECOND };
        let sizes = sizes(100_000, 2, true, |item| Some(cost(item)));
        let small = sizes.iter().filter(|size| **size <= 20).count();
        assert!((5..60).contains(&small), "{sizes:?}");
        assert!(sizes[sizes.len() / 2..].contains(&200), "{sizes:?}");
    }

    #[test]
    fn the_last_chunks_are_single_items_even_if_nothing_was_measured() {
        for cost in [None, Some(Duration::from_nanos(1))] {
            for items in [5, 100, 2000, 100_000] {
                let sizes = sizes(items, 2, true, |_| cost);
                assert!(sizes.iter().rev().take(items.min(8)).all(|size| *size == 1), "{sizes:?}");
            }
        }
    }

    #[test]
    fn unmeasured_chunks_grow_with_the_number_of_submitted_items() {
        let sizes = sizes(1_000_000, 2, true, |_| None);
        assert!(sizes.len() < 1000, "{} chunks", sizes.len());
        let mut before = 0;
        for size in sizes {
            assert!(size <= FIRST.max(before / 64), "{size} after {before}");
            before += size;
        }
    }

    #[test]
    fn chunks_of_an_input_of_unknown_length_grow_from_one_item_to_the_target() {
        let sizes = sizes(100_000, 2, false, |_| Some(MICROSECOND));
        assert_eq!(sizes[..8], [1; 8]);
        assert_eq!(sizes.iter().max(), Some(&200));
    }

    #[test]
    fn a_chunk_is_a_part_of_the_buffersize() {
        let estimate = Arc::new(CostEstimate::default());
        estimate.update(1000, MICROSECOND);
        for (bound, most) in [(1, 1), (7, 1), (80, 10)] {
            let mut chunking = Chunking::new(None, 2, bound, estimate.clone());
            chunking.submitted(1_000_000);
            assert_eq!(chunking.next(None), most);
            assert_eq!(Chunking::new(Some(50), 2, bound, estimate.clone()).next(None), 50.min(bound));
        }
    }
}
