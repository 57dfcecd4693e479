//! The bytes of a queue: a ring that grows.
//!
//! The ring of 2^k bytes lies at offset 2^k of the queue's file. Each byte that is put has a running number, and lies
//! at that number modulo the size of the ring. So a ring of another size changes nothing but `k`, and the numbers go
//! on.

use std::{
    io,
    sync::{OnceLock, atomic::Ordering::Relaxed},
};

use crate::{
    memory::SharedMemory,
    sys::{self, File},
};

/// The first ring has 64 KiB.
pub(super) const FIRST: u32 = 16;
/// The last has 128 TiB, which is more than can be mapped.
const LAST: u32 = 47;
/// How many bytes are moved in one go.
const PIECE: usize = 64 << 10;

/// The rings of one queue that this process has mapped.
#[derive(Debug)]
pub(super) struct Rings {
    /// From [`FIRST`] on.
    mapped: [OnceLock<SharedMemory>; (LAST - FIRST + 1) as usize],
}

/// One ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring<'a> {
    memory: &'a SharedMemory,
    size: usize,
}

/// Returns the exponent of the smallest ring for so many bytes, if there is one.
pub(super) fn exponent_for(bytes: usize) -> Option<u32> {
    let exponent = bytes.checked_next_power_of_two()?.trailing_zeros().max(FIRST);
    (exponent <= LAST).then_some(exponent)
}

/// Returns the length that a file has with this ring.
pub(super) const fn file_length(exponent: u32) -> usize {
    2 << exponent
}

impl Rings {
    pub(super) fn new() -> Rings {
        Rings { mapped: [const { OnceLock::new() }; (LAST - FIRST + 1) as usize] }
    }

    /// Returns the ring of this size, whose number may come from another process.
    pub(super) fn ring(&self, file: &File, exponent: u64) -> io::Result<Ring<'_>> {
        let exponent = u32::try_from(exponent).ok().filter(|exponent| (FIRST..=LAST).contains(exponent));
        let exponent = exponent.ok_or(io::ErrorKind::InvalidData)?;
        let size = 1_usize.checked_shl(exponent).ok_or(io::ErrorKind::OutOfMemory)?;
        let mapped = &self.mapped[(exponent - FIRST) as usize];
        if let Some(memory) = mapped.get() {
            return Ok(Ring { memory, size });
        }
        let fresh = SharedMemory::map(file, size, size)?;
        Ok(Ring { memory: mapped.get_or_init(|| fresh), size })
    }

    /// Makes a larger ring with these bytes of another one.
    pub(super) fn grown(&self, file: &File, old: Ring<'_>, exponent: u32, bytes: Bytes) -> io::Result<Ring<'_>> {
        sys::grow(file, file_length(exponent))?;
        let new = self.ring(file, exponent.into())?;
        let mut piece = Vec::with_capacity(PIECE.min(old.size));
        let mut at = bytes.start;
        while at != bytes.end {
            let length = usize::try_from(bytes.end.wrapping_sub(at)).map_or(PIECE, |left| left.min(PIECE));
            piece.clear();
            old.read(at, length, &mut piece);
            new.write(at, &piece);
            at = at.wrapping_add(length as u64);
        }
        Ok(new)
    }
}

/// The running numbers of the bytes that are in a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Ring<'_> {
    pub(super) fn size(self) -> usize {
        self.size
    }

    /// Writes bytes from this number on. The ring has room for them.
    #[inline]
    pub(super) fn write(self, at: u64, bytes: &[u8]) {
        let from = at as usize & (self.size - 1);
        match bytes.split_at_checked(self.size - from) {
            None => self.memory.copy_in(from, bytes),
            Some((first, rest)) => {
                self.memory.copy_in(from, first);
                self.memory.copy_in(0, rest);
            }
        }
    }

    /// Writes eight bytes that do not wrap, because everything begins at a multiple of eight.
    #[inline]
    pub(super) fn write_word(self, at: u64, word: u64) {
        // ORDERING: the lock of the queue orders this and all other accesses of the ring.
        self.memory.word(at as usize & (self.size - 1) & !7).store(word, Relaxed);
    }

    /// Appends bytes from this number on. They are not more than the ring has.
    #[inline]
    pub(super) fn read(self, at: u64, length: usize, into: &mut Vec<u8>) {
        let from = at as usize & (self.size - 1);
        let first = self.size - from;
        if length <= first {
            return self.memory.append_out(from, length, into);
        }
        self.memory.append_out(from, first, into);
        self.memory.append_out(0, length - first, into);
    }

    /// Reads eight bytes that do not wrap, because everything begins at a multiple of eight.
    #[inline]
    pub(super) fn read_word(self, at: u64) -> u64 {
        // ORDERING: as in `write_word`.
        self.memory.word(at as usize & (self.size - 1) & !7).load(Relaxed)
    }

    /// Gives the pages of a ring that is not used any more back to the system.
    pub(super) fn give_back(self, file: &File) {
        sys::give_back(file, self.size, self.size);
    }
}
