//! The state of a queue, which its lock protects.

use executor_core::Error;

use super::ring::{Bytes, FIRST};
use crate::{
    errors,
    ledger::{Ledger, Opened},
    object::{Object, STATE},
    sleep::EventCount,
};

/// One cache line.
const WORDS: usize = 8;

/// Behind two words that never change: the bounds of items and of bytes. The ledger lists the processes that have taken
/// items of a [`JoinableQueue`](super::JoinableQueue) and not finished them.
const BOUND: usize = STATE;
const MOST_BYTES: usize = STATE + 8;
const LEDGER: Ledger<WORDS> = Ledger::at(STATE + 64);

/// Where threads sleep: for an item, for room, for the end of all work. Each on a cache line of its own.
pub(super) const GETTERS: EventCount = EventCount::at(LEDGER.end());
pub(super) const PUTTERS: EventCount = EventCount::at(LEDGER.end() + 64);
pub(super) const JOINERS: EventCount = EventCount::at(LEDGER.end() + 128);
/// How much of the file every process maps.
pub(super) const LENGTH: usize = (LEDGER.end() + 192).next_multiple_of(4096);

/// The running numbers of the next byte to put and to get, and how many items were put and gotten.
const PUT_BYTES: usize = 1;
const GOT_BYTES: usize = 2;
const PUT_ITEMS: usize = 3;
const GOT_ITEMS: usize = 4;
/// The exponent of the ring's size, and a flag.
const RING: usize = 5;
const CLOSED: u64 = 1 << 63;
/// Items that were put and not finished, and how many of those are lost with dead processes and not reported yet.
const UNFINISHED: usize = 6;
const LOST: usize = 7;

/// Does what [`Kind::on_death`](crate::object::Kind::on_death) says.
pub(super) fn on_death(object: &Object) {
    LEDGER.on_death(object, &[GETTERS, PUTTERS, JOINERS]);
}

/// The bounds, which the maker of the queue has chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) items: u64,
    pub(super) bytes: u64,
}

impl Bounds {
    pub(super) fn of(object: &Object) -> Bounds {
        use std::sync::atomic::Ordering::Relaxed;
        Bounds { items: object.memory.word(BOUND).load(Relaxed), bytes: object.memory.word(MOST_BYTES).load(Relaxed) }
    }

    /// Writes the bounds and the first state of a queue that is being made.
    pub(super) fn set_up(self, object: &Object) {
        use std::sync::atomic::Ordering::Relaxed;
        object.memory.word(BOUND).store(self.items, Relaxed);
        object.memory.word(MOST_BYTES).store(self.bytes, Relaxed);
        let mut opened = LEDGER.open(object);
        *opened.word(RING) = FIRST.into();
        opened.commit();
    }
}

/// The possession of the state.
pub(super) struct State<'a, 'o> {
    opened: &'a mut Opened<'o, WORDS>,
    object: &'a Object,
}

impl State<'_, '_> {
    /// Takes the lock, checks what can be checked, calls `change`, and releases the lock.
    #[inline(always)]
    pub(super) fn change<R>(
        object: &Object,
        change: impl FnOnce(&mut State<'_, '_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        LEDGER.change(object, |opened| {
            if !is_possible(|word| *opened.word(word)) {
                return Err(errors::overwritten(object.name()));
            }
            change(&mut State { opened, object })
        })
    }

    #[inline(always)]
    pub(super) fn ring(&mut self) -> u64 {
        *self.opened.word(RING) & !CLOSED
    }

    #[inline(always)]
    pub(super) fn set_ring(&mut self, exponent: u32) {
        let ring = self.opened.word(RING);
        *ring = *ring & CLOSED | u64::from(exponent);
    }

    #[inline(always)]
    pub(super) fn bytes(&mut self) -> Bytes {
        Bytes { start: *self.opened.word(GOT_BYTES), end: *self.opened.word(PUT_BYTES) }
    }

    #[inline(always)]
    pub(super) fn used(&mut self) -> u64 {
        let bytes = self.bytes();
        bytes.end.wrapping_sub(bytes.start)
    }

    #[inline(always)]
    pub(super) fn items(&mut self) -> u64 {
        self.opened.word(PUT_ITEMS).wrapping_sub(*self.opened.word(GOT_ITEMS))
    }

    #[inline(always)]
    pub(super) fn is_closed(&mut self) -> bool {
        *self.opened.word(RING) & CLOSED != 0
    }

    pub(super) fn close(&mut self) {
        *self.opened.word(RING) |= CLOSED;
    }

    /// An item of so many bytes was put.
    #[inline(always)]
    pub(super) fn add(&mut self, bytes: u64, is_joinable: bool) {
        self.advance(PUT_BYTES, bytes);
        self.advance(PUT_ITEMS, 1);
        if is_joinable {
            self.advance(UNFINISHED, 1);
        }
    }

    /// An item of so many bytes was gotten. If it is not finished with that, this process has it.
    #[inline(always)]
    pub(super) fn remove(&mut self, bytes: u64, is_joinable: bool) -> Result<(), Error> {
        self.advance(GOT_BYTES, bytes);
        self.advance(GOT_ITEMS, 1);
        if is_joinable { self.opened.add(1) } else { Ok(()) }
    }

    #[inline(always)]
    fn advance(&mut self, word: usize, by: u64) {
        let word = self.opened.word(word);
        *word = word.wrapping_add(by);
    }

    /// An item was finished. Returns `true` if there was one that a process had taken.
    pub(super) fn finish(&mut self) -> bool {
        let number = self.object.member.number();
        let is_taken = self.opened.holders.remove(number, 1) || self.opened.holders.remove_any();
        if is_taken {
            self.unfinish(1);
        }
        is_taken
    }

    /// Counts the items of dead processes as lost.
    pub(super) fn sweep(&mut self) -> u64 {
        let lost = self.opened.holders.sweep(&self.object.member);
        self.unfinish(lost);
        self.advance(LOST, lost);
        lost
    }

    fn unfinish(&mut self, count: u64) {
        let unfinished = self.opened.word(UNFINISHED);
        *unfinished = unfinished.saturating_sub(count);
    }

    pub(super) fn unfinished(&mut self) -> u64 {
        *self.opened.word(UNFINISHED)
    }

    /// Returns how many items were lost since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(self.opened.word(LOST))
    }

    #[inline(always)]
    pub(super) fn commit(&mut self) {
        self.opened.commit();
    }
}

/// Returns `true` if a queue can be in this state.
#[inline(always)]
fn is_possible(mut word: impl FnMut(usize) -> u64) -> bool {
    let used = word(PUT_BYTES).wrapping_sub(word(GOT_BYTES));
    let items = word(PUT_ITEMS).wrapping_sub(word(GOT_ITEMS));
    let size = u32::try_from(word(RING) & !CLOSED).ok().and_then(|exponent| 1_u64.checked_shl(exponent));
    // An item takes at least eight bytes, and each begins at a multiple of eight.
    size.is_some_and(|size| used <= size) && (word(PUT_BYTES) | word(GOT_BYTES)) & 7 == 0 && items <= used / 8
}

/// How full a queue was at one instant, read without the lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    pub(super) items: u64,
    pub(super) bytes: u64,
    /// The exponent of the ring's size.
    pub(super) ring: u64,
    pub(super) is_closed: bool,
}

impl Fill {
    pub(super) fn of(object: &Object) -> Fill {
        let words = LEDGER.look(object);
        Fill {
            items: words[PUT_ITEMS].wrapping_sub(words[GOT_ITEMS]),
            bytes: words[PUT_BYTES].wrapping_sub(words[GOT_BYTES]),
            ring: words[RING] & !CLOSED,
            is_closed: words[RING] & CLOSED != 0,
        }
    }
}
