//! Identifiers of slots, of workers, and of the tasks that workers have.

use std::ops::{Index, IndexMut};

/// The number of a slot, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SlotId(usize);

impl SlotId {
    pub(crate) const FIRST: SlotId = SlotId(0);

    pub(crate) fn new(index: usize) -> SlotId {
        SlotId(index)
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// One worker: its slot, and how many workers the slot has had, including this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorkerId {
    pub(crate) slot: SlotId,
    pub(crate) generation: u64,
}

impl WorkerId {
    /// Returns `true` if another worker had the slot before.
    pub(crate) fn is_replacement(self) -> bool {
        self.generation > 1
    }

    /// Returns the slot and the generation as numbers.
    pub(crate) fn as_key(self) -> (usize, u64) {
        (self.slot.index(), self.generation)
    }
}

/// The location of a task: the slot of its worker, and the task's sequence number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Assignment {
    pub(crate) slot: SlotId,
    pub(crate) sequence: u64,
}

impl Assignment {
    const SEQUENCE_BITS: u32 = 40;

    /// Returns the number that a task stores for this assignment.
    pub(crate) fn pack(self) -> u64 {
        (self.slot.0 as u64) << Self::SEQUENCE_BITS | self.sequence & ((1 << Self::SEQUENCE_BITS) - 1)
    }

    /// Reverses [`pack`](Assignment::pack).
    pub(crate) fn unpack(packed: u64) -> Assignment {
        let slot = SlotId((packed >> Self::SEQUENCE_BITS) as usize);
        Assignment { slot, sequence: packed & ((1 << Self::SEQUENCE_BITS) - 1) }
    }
}

/// One value for each slot of a pool.
pub(crate) struct PerSlot<T>(Vec<T>);

impl<T> PerSlot<T> {
    pub(crate) fn new(slots: usize, value: impl FnMut(SlotId) -> T) -> PerSlot<T> {
        PerSlot((0..slots).map(SlotId).map(value).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds values until there are at least this many.
    pub(crate) fn grow(&mut self, slots: usize, value: impl FnMut(SlotId) -> T) {
        self.0.extend((self.0.len()..slots).map(SlotId).map(value));
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SlotId> + use<T> {
        (0..self.0.len()).map(SlotId)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// Returns the value of a slot, or `None` if this pool has no such slot.
    pub(crate) fn get(&self, slot: SlotId) -> Option<&T> {
        self.0.get(slot.0)
    }

    pub(crate) fn get_mut(&mut self, slot: SlotId) -> Option<&mut T> {
        self.0.get_mut(slot.0)
    }
}

impl<T> Index<SlotId> for PerSlot<T> {
    type Output = T;

    fn index(&self, slot: SlotId) -> &T {
        &self.0[slot.0]
    }
}

impl<T> IndexMut<SlotId> for PerSlot<T> {
    fn index_mut(&mut self, slot: SlotId) -> &mut T {
        &mut self.0[slot.0]
    }
}
