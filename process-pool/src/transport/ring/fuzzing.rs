//! A hostile worker's access to the memory of its link, for the fuzz targets.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use super::{Memory, layout, sync::SharedMemory};

/// Unrestricted access to the memory of a link.
pub(crate) struct RawAccess(Arc<SharedMemory>);

impl Memory {
    pub(crate) fn raw_access(&self) -> RawAccess {
        RawAccess(self.0.clone())
    }
}

impl RawAccess {
    /// Returns the offset of a word: first the words that have a meaning, then any other by its number.
    pub(crate) fn offset(which: u8, any: u16) -> usize {
        match which {
            0 => layout::TO_WORKER_TAIL,
            1 => layout::TO_WORKER_HEAD,
            2 => layout::TO_PARENT_TAIL,
            3 => layout::TO_PARENT_HEAD,
            4 => layout::WORKER_SLEEPS,
            5 => layout::PARENT_SLEEPS,
            6 => layout::PARENT_WANTS_ROOM,
            7 => layout::TAKEN,
            8 => layout::STARTED_AT,
            9 => layout::STOP,
            10..=99 => layout::claim_offset(u64::from(any)),
            _ => usize::from(any) * 8 % layout::LENGTH,
        }
    }

    pub(crate) fn store(&self, offset: usize, value: u64) {
        self.0.word(offset).store(value, SeqCst);
    }

    pub(crate) fn load(&self, offset: usize) -> u64 {
        self.0.word(offset).load(SeqCst)
    }

    pub(crate) fn claim(sequence: u64, item: u64, state: u64) -> (usize, u64) {
        (layout::claim_offset(sequence), layout::claim_word(sequence, item, state))
    }

    /// Puts bytes where the parent reads them next, as the worker would, up to the capacity of the buffer.
    pub(crate) fn put(&self, bytes: &[u8]) {
        let tail = self.load(layout::TO_PARENT_TAIL);
        let bytes = &bytes[..bytes.len().min(layout::CAPACITY)];
        let at = tail as usize & (layout::CAPACITY - 1);
        let (first, second) = bytes.split_at(bytes.len().min(layout::CAPACITY - at));
        self.0.copy_in(layout::TO_PARENT_DATA + at, first);
        self.0.copy_in(layout::TO_PARENT_DATA, second);
        self.store(layout::TO_PARENT_TAIL, tail.wrapping_add(bytes.len() as u64));
    }

    /// Takes everything that was sent to the worker, as a healthy worker would.
    pub(crate) fn take_all(&self) {
        self.store(layout::TO_WORKER_HEAD, self.load(layout::TO_WORKER_TAIL));
    }
}
