//! How many workers search and sleep, and whether the pool is closed, in one word.

use std::{fmt, sync::atomic::Ordering::*};

use crate::sync::AtomicU32;

const BITS: u32 = 15;
const ONE_SEARCHING: u32 = 1;
const ONE_SLEEPING: u32 = 1 << BITS;
const MASK: u32 = (1 << BITS) - 1;
const CLOSED: u32 = 1 << (2 * BITS);

/// As many workers as each counter can count.
pub(crate) const MOST_WORKERS: usize = MASK as usize;

/// The word. Every change of it is sequentially consistent; the README's argument needs one order of them all.
#[derive(Default)]
pub(super) struct Counters(AtomicU32);

/// One reading of the word.
#[derive(Clone, Copy)]
pub(super) struct Snapshot(u32);

impl Counters {
    /// Reads the word. Where the reading decides whether somebody must be woken, a fence stands before it.
    pub(super) fn read(&self) -> Snapshot {
        // ORDERING: Acquire pairs with `close`: who sees CLOSED sees why.
        Snapshot(self.0.load(Acquire))
    }

    /// One more searches, unless `most` do already.
    pub(super) fn start_searching(&self, most: u32) -> bool {
        let change = |word| (Snapshot(word).searching() < most).then_some(word + ONE_SEARCHING);
        self.0.fetch_update(SeqCst, SeqCst, change).is_ok()
    }

    /// One fewer searches. Answers what was before.
    pub(super) fn stop_searching(&self) -> Snapshot {
        let before = Snapshot(self.0.fetch_sub(ONE_SEARCHING, SeqCst));
        debug_assert!(before.searching() > 0);
        before
    }

    /// One more sleeps, who had searched or not. Answers what is now.
    pub(super) fn lie_down(&self, searched: bool) -> Snapshot {
        let change = if searched { ONE_SLEEPING - ONE_SEARCHING } else { ONE_SLEEPING };
        let before = self.0.fetch_add(change, SeqCst);
        debug_assert!(!searched || Snapshot(before).searching() > 0);
        Snapshot(before + change)
    }

    /// Sleepers turn into searchers.
    pub(super) fn get_up(&self, sleepers: u32) {
        let before = self.0.fetch_sub(sleepers * (ONE_SLEEPING - ONE_SEARCHING), SeqCst);
        debug_assert!(Snapshot(before).sleeping() >= sleepers);
    }

    pub(super) fn close(&self) {
        self.0.fetch_or(CLOSED, SeqCst);
    }
}

impl Snapshot {
    pub(super) fn searching(self) -> u32 {
        self.0 & MASK
    }

    pub(super) fn sleeping(self) -> u32 {
        self.0 >> BITS & MASK
    }

    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// Whether somebody sleeps, and nobody is on the way to new work.
    pub(super) fn calls_for_waking(self) -> bool {
        self.searching() == 0 && self.sleeping() > 0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters")
            .field("searching", &self.searching())
            .field("sleeping", &self.sleeping())
            .field("closed", &self.is_closed())
            .finish()
    }
}
