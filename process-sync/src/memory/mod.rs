//! Memory that threads and processes share, behind an interface that checks every offset.
//!
//! Nothing that is read here is believed: another process may have written anything, at any time. So the only
//! references into the memory are to atomics, and bytes are copied out, also by atomic accesses, before they are looked
//! at. A file that could shrink is never mapped, because an access beyond its end would kill the process.
#![allow(unsafe_code)]

mod copy;

use std::{
    io,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{
    place::{Place, place},
    sys::{self, File, Mapping},
};

/// A mapping of shared memory.
#[derive(Debug)]
pub(crate) struct SharedMemory(Mapping);

impl SharedMemory {
    /// Maps a part of a file.
    ///
    /// # Errors
    ///
    /// If the file does not have these bytes, or could lose them.
    pub(crate) fn map(file: &File, offset: usize, length: usize) -> io::Result<SharedMemory> {
        Ok(SharedMemory(Mapping::map(file, offset, length)?))
    }

    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.0.length()
    }

    /// Returns the address of `length` bytes from this offset on, which are inside the mapping for as long as `self`.
    #[inline]
    pub(crate) fn at(&self, offset: usize, length: usize) -> *mut u8 {
        let mapped = self.0.length();
        assert!(offset <= mapped && length <= mapped - offset, "inside the mapping");
        // SAFETY: inside the mapping, by the assertion.
        unsafe { self.0.start().as_ptr().add(offset) }
    }

    #[inline]
    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset & 7 == 0);
        // SAFETY: inside the mapping and aligned, and the bytes are only ever accessed as this atomic, or by the copies
        // below, whose accesses are atomic too.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }

    #[inline]
    pub(crate) fn half_word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset & 3 == 0);
        // SAFETY: as in `word`.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    /// Returns the place of so many words from this offset on.
    #[inline(always)]
    fn words(&self, offset: usize, count: usize) -> *mut u64 {
        assert!(offset & 7 == 0);
        self.at(offset, count * size_of::<u64>()).cast()
    }

    /// Reads words, each as a whole.
    #[inline(always)]
    pub(crate) fn load_words(&self, offset: usize, into: &mut [u64]) {
        let from = self.words(offset, into.len());
        for (index, word) in into.iter_mut().enumerate() {
            // SAFETY: as in `word`, for each of the words.
            *word = unsafe { AtomicU64::from_ptr(from.add(index)) }.load(Relaxed);
        }
    }

    /// Writes words, each as a whole.
    #[inline(always)]
    pub(crate) fn store_words(&self, offset: usize, words: &[u64]) {
        let to = self.words(offset, words.len());
        for (index, word) in words.iter().enumerate() {
            // SAFETY: as in `word`, for each of the words.
            unsafe { AtomicU64::from_ptr(to.add(index)) }.store(*word, Relaxed);
        }
    }

    /// Sleeps until this half word is [woken](SharedMemory::wake) or the time is over, or not at all if it does not
    /// hold the expected value. May return without a reason.
    pub(crate) fn sleep_on(&self, offset: usize, expected: u32, time: Duration) {
        place(Place::BeforeSleep);
        sys::sleep_on(self.half_word(offset), expected, time);
        place(Place::AfterSleep);
    }

    /// Wakes at most this many threads that sleep on this half word. Returns how many it woke.
    pub(crate) fn wake(&self, offset: usize, most: u32) -> usize {
        sys::wake(self.half_word(offset), most)
    }

    #[inline]
    pub(crate) fn copy_in(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: there is space for the bytes at `to`, and it is no part of a Rust value. All other accesses are
        // atomics or such copies.
        unsafe { copy::into_shared(bytes.as_ptr(), to, bytes.len()) }
    }

    #[inline]
    pub(crate) fn copy_out(&self, offset: usize, into: &mut [u8]) {
        let from = self.at(offset, into.len());
        // SAFETY: as in `copy_in`. Any bytes are valid, and their meaning is checked later, in the copy.
        unsafe { copy::out_of_shared(from, into.as_mut_ptr(), into.len()) }
    }

    #[inline]
    pub(crate) fn append_out(&self, offset: usize, length: usize, into: &mut Vec<u8>) {
        let from = self.at(offset, length);
        into.reserve(length);
        // SAFETY: there is space after the vector's contents, and the copy initialises what the new length includes.
        unsafe {
            copy::out_of_shared(from, into.as_mut_ptr().add(into.len()), length);
            into.set_len(into.len() + length);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn memory() -> SharedMemory {
        SharedMemory::map(&sys::create(c"test", 4096).expect("a file"), 0, 4096).expect("memory")
    }

    #[test]
    fn bytes_and_words_are_read_where_they_were_written() {
        let memory = memory();
        memory.copy_in(8, &[1, 2, 3, 4, 0, 0, 0, 0, 9]);
        assert_eq!(memory.half_word(8).load(Relaxed), u32::from_ne_bytes([1, 2, 3, 4]));
        memory.word(16).store(u64::MAX, Relaxed);
        let (mut some, mut more) = ([0; 2], vec![7]);
        memory.copy_out(16, &mut some);
        memory.store_words(32, &[1, 2]);
        let mut words = [0; 3];
        memory.load_words(24, &mut words);
        assert_eq!(words, [0, 1, 2]);
        memory.append_out(10, 2, &mut more);
        assert_eq!((some, more), ([255, 255], vec![7, 3, 4]));
    }

    #[test]
    fn an_offset_outside_of_the_mapping_is_refused() {
        let outside: [fn(&SharedMemory); 9] = [
            |memory| memory.copy_in(4090, &[0; 7]),
            |memory| memory.copy_out(usize::MAX, &mut [0; 2]),
            |memory| memory.append_out(1, 4096, &mut Vec::new()),
            |memory| memory.load_words(4088, &mut [0; 2]),
            |memory| memory.store_words(4096, &[0]),
            |memory| memory.store_words(4, &[0]),
            |memory| memory.word(4096).store(1, Relaxed),
            |memory| memory.word(4).store(1, Relaxed),
            |memory| memory.half_word(2).store(1, Relaxed),
        ];
        for access in outside {
            let memory = memory();
            assert!(catch_unwind(std::panic::AssertUnwindSafe(|| access(&memory))).is_err());
        }
    }
}
