//! Who has the chunks of a slice.
//!
//! The memory has a word for each chunk:
//!
//! ```text
//! bits 63, 62    bits 61 to 32           bits 31 to 0
//! PLACE          the number of a process TICKET
//! ```
//!
//! | place | where the chunk is | it is out |
//! |---|---|---|
//! | BACK | nowhere | no |
//! | OWNED | in the process with this number | while the process lives |
//! | SENT | in the message with this ticket | while the [token](crate::sys::make_token) of the ticket exists |
//!
//! A ticket is given to one message. The process that receives the message becomes the owner, and the word keeps the
//! ticket, so that a task which runs again after the death of its worker finds its chunk. Splitting again makes all
//! tickets void.
//!
//! All words are changed under the lock of the ledger, whose entries are the processes that read. A process that dies
//! in between leaves words that are each valid, and name it.
//!
//! What the memory says decides between processes. Within this process nothing depends on it: [`Local`] has a list of
//! the elements that chunks of this process have, so that another process, whatever it writes, cannot bring two chunks
//! onto the same address.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use bytemuck::Pod;
use executor_core::Error;
use parking_lot::{Mutex, MutexGuard};

use crate::{
    errors,
    ledger::{Ledger, Opened},
    memory::SharedMemory,
    object::{Object, STATE},
    sys::{self, File},
};

/// How many chunks there can be.
pub(super) const MOST_CHUNKS: usize = 1 << 20;

/// What is not the ticket of any message.
pub(super) const NO_TICKET: u32 = 0;

const LEDGER: Ledger<3> = Ledger::at(STATE);
/// The words of the ledger: the ticket that was given last, and the number of chunks.
const LAST_TICKET: usize = 1;
const CHUNKS: usize = 2;
/// The number of elements, and the words of the chunks.
const COUNT: usize = LEDGER.end();
const WORDS: usize = COUNT + 64;

const PAGE: usize = 4096;

/// Does what [`Kind::on_death`](crate::object::Kind::on_death) says. No thread waits for a chunk.
pub(super) fn on_death(object: &Object) {
    LEDGER.on_death(object, &[]);
}

/// Where the elements are. It is computed once, because the memory may say something else later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) count: usize,
    /// The offset of the first.
    pub(super) elements: usize,
    /// The length of the memory.
    pub(super) length: usize,
}

impl Layout {
    /// The memory before the words of the chunks.
    pub(super) const LEAST: usize = WORDS.div_ceil(PAGE) * PAGE;
    pub(super) const ALIGNMENT: usize = PAGE;

    /// Returns `None` if that many elements cannot be addressed.
    pub(super) fn of(count: usize, size: usize) -> Option<Layout> {
        let elements = (WORDS + 8 * count.min(MOST_CHUNKS)).next_multiple_of(PAGE);
        let length = count.checked_mul(size)?.checked_add(elements)?;
        (length <= isize::MAX as usize).then_some(Layout { count, elements, length })
    }

    pub(super) fn write_to(self, object: &Object) {
        object.memory.word(COUNT).store(self.count as u64, Relaxed);
    }

    /// Reads the layout. If the memory says what cannot be, there are no elements.
    fn read_from(object: &Object, size: usize) -> Layout {
        let count = usize::try_from(object.memory.word(COUNT).load(Relaxed)).ok();
        let layout = count.and_then(|count| Layout::of(count, size));
        let layout = layout.filter(|layout| layout.length <= object.memory.length());
        layout.unwrap_or(Layout { count: 0, elements: PAGE, length: PAGE })
    }

    /// Returns the address of some elements, which are in the mapping, and aligned, because the first lies at a page.
    pub(super) fn address<T: Pod>(self, memory: &SharedMemory, range: &Range<usize>) -> *mut T {
        memory.at(self.elements + range.start * size_of::<T>(), range.len() * size_of::<T>()).cast()
    }
}

/// A chunk of this process.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) slot: u32,
    pub(super) range: Range<usize>,
}

/// What this process knows of a slice.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) layout: Layout,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The ranges of the chunks of this process, by their starts. No two overlap.
    held: BTreeMap<usize, usize>,
    /// The ranges of spent chunks that have not been dropped. Their elements may still be borrowed.
    lent: Vec<Range<usize>>,
    /// How often this process reads.
    readings: usize,
}

impl State {
    fn overlaps_held(&self, range: &Range<usize>) -> bool {
        self.held.range(..range.end).next_back().is_some_and(|(_, end)| *end > range.start)
    }

    fn overlaps_lent(&self, range: &Range<usize>) -> bool {
        self.lent.iter().any(|lent| lent.start < range.end && range.start < lent.end)
    }

    fn remove_lent(&mut self, range: &Range<usize>) {
        if let Some(index) = self.lent.iter().position(|lent| lent == range) {
            self.lent.swap_remove(index);
        }
    }
}

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Back,
    Owned(u32),
    Sent,
}

const OWNED: u64 = 1 << 62;
const SENT: u64 = 2 << 62;
const PLACE: u64 = 3 << 62;
const NUMBER: u64 = (1 << 30) - 1;

fn word_of(place: Place, ticket: u32) -> u64 {
    let place = match place {
        Place::Back => 0,
        Place::Owned(number) => OWNED | (u64::from(number) & NUMBER) << 32,
        Place::Sent => SENT,
    };
    place | u64::from(ticket)
}

fn read_word(word: u64) -> (Place, u32) {
    let place = match word & PLACE {
        OWNED => Place::Owned((word >> 32 & NUMBER) as u32),
        SENT => Place::Sent,
        _ => Place::Back,
    };
    (place, word as u32)
}

impl Local {
    pub(super) fn of(object: &Object, size: usize) -> &Local {
        object.local(|| Local { layout: Layout::read_from(object, size), state: Mutex::default() })
    }

    /// Gives out all elements in so many chunks. They lie in the returned memory, or else in that of the object.
    pub(super) fn split(
        &self,
        object: &Object,
        chunks: usize,
    ) -> Result<(Vec<Owned>, Option<Arc<SharedMemory>>), Error> {
        let mut state = self.state.lock();
        let mut ledger = LEDGER.open(object);
        self.check_not_read(&state, object, &mut ledger)?;
        self.check_none_out(&state, object, &mut ledger)?;
        let memory = self.memory_for(&state, object, &(0..self.layout.count))?;
        for slot in 0..chunks {
            set_word(object, slot, Place::Owned(object.member.number()), NO_TICKET);
        }
        *ledger.word(CHUNKS) = chunks as u64;
        ledger.commit();
        let owned: Vec<Owned> =
            (0..chunks).map(|slot| Owned { slot: slot as u32, range: self.range_of(slot, chunks) }).collect();
        state.held.extend(owned.iter().map(|owned| (owned.range.start, owned.range.end)));
        Ok((owned, memory))
    }

    pub(super) fn begin_reading(&self, object: &Object) -> Result<(), Error> {
        let mut state = self.state.lock();
        let mut ledger = LEDGER.open(object);
        self.check_none_out(&state, object, &mut ledger)?;
        ledger.add(1)?;
        ledger.commit();
        state.readings += 1;
        Ok(())
    }

    pub(super) fn end_reading(&self, object: &Object) {
        let mut state = self.state.lock();
        state.readings -= 1;
        let mut ledger = LEDGER.open(object);
        if ledger.holders.remove(object.member.number(), 1) {
            ledger.commit();
        }
    }

    /// Moves a chunk of this process into a message. `spend` is called with the ticket, and returns `false` if another
    /// thread has sent the chunk.
    pub(super) fn send(
        &self,
        object: &Object,
        owned: &Owned,
        spend: impl FnOnce(u32) -> bool,
    ) -> Result<(u32, File), Error> {
        let mut state = self.state.lock();
        let mut ledger = LEDGER.open(object);
        if self.chunks(&mut ledger) <= owned.slot as usize {
            return Err(errors::overwritten(object.name()));
        }
        let (ticket, token) = new_token(object, &mut ledger)?;
        if !spend(ticket) {
            return Err(errors::invalid_state("another thread has sent this chunk: a chunk has one owner"));
        }
        // The ticket counts before the word names it.
        ledger.commit();
        set_word(object, owned.slot as usize, Place::Sent, ticket);
        state.held.remove(&owned.range.start);
        state.lent.push(owned.range.clone());
        Ok((ticket, token))
    }

    /// Makes this process the owner of the chunk that came with a message.
    pub(super) fn claim(
        &self,
        object: &Object,
        slot: u32,
        ticket: u32,
    ) -> Result<(Owned, Option<Arc<SharedMemory>>), Error> {
        let mut state = self.state.lock();
        let mut ledger = LEDGER.open(object);
        let chunks = self.chunks(&mut ledger);
        let index = slot as usize;
        let is_free = index < chunks && ticket != NO_TICKET && {
            let (place, last) = word(object, index);
            last == ticket && (place == Place::Sent || !is_out(object, place, last))
        };
        if !is_free {
            return Err(errors::invalid_state(
                "this chunk has another owner, or was given back and split again: a chunk has one owner",
            ));
        }
        self.check_not_read(&state, object, &mut ledger)?;
        let range = self.range_of(index, chunks);
        if state.overlaps_held(&range) {
            return Err(errors::overwritten(object.name()));
        }
        let memory = self.memory_for(&state, object, &range)?;
        set_word(object, index, Place::Owned(object.member.number()), ticket);
        state.held.insert(range.start, range.end);
        Ok((Owned { slot, range }, memory))
    }

    /// Makes this process the owner of a chunk again that it has sent, if the message is gone. `undo` is called then.
    pub(super) fn take_back(&self, object: &Object, owned: &Owned, ticket: u32, undo: impl FnOnce()) -> bool {
        let mut state = self.state.lock();
        let mut ledger = LEDGER.open(object);
        let slot = owned.slot as usize;
        let is_back = slot < self.chunks(&mut ledger)
            && word(object, slot) == (Place::Sent, ticket)
            && !is_out(object, Place::Sent, ticket)
            && self.check_not_read(&state, object, &mut ledger).is_ok()
            && !state.overlaps_held(&owned.range);
        if is_back {
            set_word(object, slot, Place::Owned(object.member.number()), NO_TICKET);
            state.remove_lent(&owned.range);
            state.held.insert(owned.range.start, owned.range.end);
            undo();
        }
        is_back
    }

    /// Gives back a chunk that is dropped, if this process still has it.
    pub(super) fn give_back(&self, object: &Object, owned: &Owned, is_held: bool) {
        let mut state = self.state.lock();
        if !is_held {
            return state.remove_lent(&owned.range);
        }
        state.held.remove(&owned.range.start);
        let mut ledger = LEDGER.open(object);
        let slot = owned.slot as usize;
        if slot < self.chunks(&mut ledger) {
            let (place, ticket) = word(object, slot);
            if place == Place::Owned(object.member.number()) {
                set_word(object, slot, Place::Back, ticket);
            }
        }
    }

    /// Returns the number of chunks, which a wild write may have changed.
    fn chunks(&self, ledger: &mut Opened<'_, 3>) -> usize {
        usize::try_from(*ledger.word(CHUNKS)).unwrap_or(usize::MAX).min(self.layout.count).min(MOST_CHUNKS)
    }

    fn range_of(&self, slot: usize, chunks: usize) -> Range<usize> {
        let (each, more) = (self.layout.count / chunks, self.layout.count % chunks);
        let start = |slot: usize| slot * each + slot.min(more);
        start(slot)..start(slot + 1)
    }

    fn check_not_read(
        &self,
        state: &MutexGuard<'_, State>,
        object: &Object,
        ledger: &mut Opened<'_, 3>,
    ) -> Result<(), Error> {
        ledger.holders.sweep(&object.member);
        if state.readings == 0 && ledger.holders.total() == 0 {
            return Ok(());
        }
        Err(errors::invalid_state("the slice is being read: drop what `read` has returned, in every process"))
    }

    fn check_none_out(
        &self,
        state: &MutexGuard<'_, State>,
        object: &Object,
        ledger: &mut Opened<'_, 3>,
    ) -> Result<(), Error> {
        let chunks = self.chunks(ledger);
        let is_slot_out = |slot: &usize| {
            let (place, ticket) = word(object, *slot);
            is_out(object, place, ticket)
        };
        let out = (0..chunks).filter(is_slot_out).count().max(state.held.len());
        if out == 0 {
            return Ok(());
        }
        Err(errors::invalid_state(format!(
            "{out} of {chunks} chunks of the slice are out: wait for the tasks that have them, and drop the others"
        )))
    }

    /// Returns other memory for a range that may still be borrowed at its addresses in the object.
    fn memory_for(
        &self,
        state: &MutexGuard<'_, State>,
        object: &Object,
        range: &Range<usize>,
    ) -> Result<Option<Arc<SharedMemory>>, Error> {
        if !state.overlaps_lent(range) {
            return Ok(None);
        }
        let failed = |error| errors::from_system(&format!("map a {}", object.name()), &error);
        let memory = SharedMemory::map(object.file(), 0, self.layout.length).map_err(failed)?;
        Ok(Some(Arc::new(memory)))
    }
}

fn word(object: &Object, slot: usize) -> (Place, u32) {
    read_word(object.memory.word(WORDS + 8 * slot).load(Relaxed))
}

// ORDERING: the lock of the ledger orders all accesses of the words, and of the elements before and after a chunk
// moves.
fn set_word(object: &Object, slot: usize, place: Place, ticket: u32) {
    object.memory.word(WORDS + 8 * slot).store(word_of(place, ticket), Relaxed);
}

fn is_out(object: &Object, place: Place, ticket: u32) -> bool {
    match place {
        Place::Back => false,
        Place::Owned(number) => object.member.is_alive(number),
        Place::Sent => sys::has_token(object.file(), ticket),
    }
}

/// Makes a token with a ticket that no message has.
fn new_token(object: &Object, ledger: &mut Opened<'_, 3>) -> Result<(u32, File), Error> {
    /// After four thousand million messages, the ticket of an old one may come again.
    const ATTEMPTS: usize = 64;
    let failed = |error| errors::from_system(&format!("send a chunk of a {}", object.name()), &error);
    for _ in 0..ATTEMPTS {
        let ticket = (*ledger.word(LAST_TICKET) as u32).wrapping_add(1).max(1);
        *ledger.word(LAST_TICKET) = ticket.into();
        if let Some(token) = sys::make_token(object.file(), ticket).map_err(failed)? {
            return Ok((ticket, token));
        }
    }
    Err(errors::overwritten(object.name()))
}
