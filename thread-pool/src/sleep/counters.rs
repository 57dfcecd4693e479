//! One word that counts the searching and the sleeping workers, and says whether the pool is closed and whether it may
//! start another worker.

use std::{fmt, sync::atomic::Ordering::*};

use crate::sync::AtomicU32;

const BITS: u32 = 15;
const ONE_SEARCHING: u32 = 1;
const ONE_SLEEPING: u32 = 1 << BITS;
const MASK: u32 = (1 << BITS) - 1;
const CLOSED: u32 = 1 << (2 * BITS);
const MAY_GROW: u32 = 1 << (2 * BITS + 1);

/// The largest number that each counter can hold.
pub(crate) const MAX_WORKERS: usize = MASK as usize;

/// The word. All changes of it are sequentially consistent, because the proof in the README relies on one order of all
/// of them.
#[derive(Default)]
pub(super) struct Counters(AtomicU32);

/// One value of the word.
#[derive(Clone, Copy)]
pub(super) struct Snapshot(u32);

impl Counters {
    /// Reads the word. If the value decides whether a worker must be woken, a fence must precede the call.
    pub(super) fn read(&self) -> Snapshot {
        // ORDERING: Acquire pairs with `close`: a thread that sees CLOSED sees the reason.
        Snapshot(self.0.load(Acquire))
    }

    /// Counts one more searcher, unless there are `max` already. Returns `true` if it was counted.
    pub(super) fn try_start_searching(&self, max: u32) -> bool {
        let change = |word| (Snapshot(word).searching() < max).then_some(word + ONE_SEARCHING);
        self.0.fetch_update(SeqCst, SeqCst, change).is_ok()
    }

    /// Counts one more searcher.
    pub(super) fn start_searching(&self) {
        self.0.fetch_add(ONE_SEARCHING, SeqCst);
    }

    /// Counts one searcher less. Returns the value before.
    pub(super) fn stop_searching(&self) -> Snapshot {
        let before = Snapshot(self.0.fetch_sub(ONE_SEARCHING, SeqCst));
        debug_assert!(before.searching() > 0);
        before
    }

    /// Counts one more sleeper and, if it searched until now, one searcher less. Returns the value after the change.
    pub(super) fn begin_sleep(&self, searched: bool) -> Snapshot {
        let change = if searched { ONE_SLEEPING - ONE_SEARCHING } else { ONE_SLEEPING };
        let before = self.0.fetch_add(change, SeqCst);
        debug_assert!(!searched || Snapshot(before).searching() > 0);
        Snapshot(before + change)
    }

    /// Counts this number of sleepers as searchers.
    pub(super) fn end_sleep(&self, sleepers: u32) {
        let before = self.0.fetch_sub(sleepers * (ONE_SLEEPING - ONE_SEARCHING), SeqCst);
        debug_assert!(Snapshot(before).sleeping() >= sleepers);
    }

    /// Counts one sleeper less, which leaves the pool.
    pub(super) fn leave_sleep(&self) {
        let before = self.0.fetch_sub(ONE_SLEEPING, SeqCst);
        debug_assert!(Snapshot(before).sleeping() > 0);
    }

    /// Notes whether the pool may start another worker.
    pub(super) fn set_may_grow(&self, may_grow: bool) {
        if may_grow {
            self.0.fetch_or(MAY_GROW, SeqCst);
        } else {
            self.0.fetch_and(!MAY_GROW, SeqCst);
        }
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

    /// Returns `true` if a worker sleeps, or another one may be started.
    pub(super) fn has_reserve(self) -> bool {
        self.0 & !(MASK | CLOSED) != 0
    }

    /// Returns `true` if no worker searches, and one sleeps or may be started.
    pub(super) fn needs_worker(self) -> bool {
        self.searching() == 0 && self.has_reserve()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters")
            .field("searching", &self.searching())
            .field("sleeping", &self.sleeping())
            .field("closed", &self.is_closed())
            .field("may_grow", &(self.0 & MAY_GROW != 0))
            .finish()
    }
}
