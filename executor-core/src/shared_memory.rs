//! Memory that other processes may write at any time, behind an interface that checks every offset. This is for authors
//! of back-ends and of objects that processes share.
//!
//! Nothing that is read here is believed. The only references into the memory are to atomics, and bytes are copied out,
//! also by atomic accesses, before they are looked at.
#![allow(unsafe_code)]

mod copy;

use std::{
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// Mapped memory.
///
/// # Safety
///
/// Until the mapping is dropped:
///
/// - `start` returns the same address, which is aligned for 64-bit words, and `length` the same length.
/// - These bytes can be read and written. For shared memory, this means that its file cannot shrink.
/// - Code of this process accesses them only through [`SharedBytes`], or through what [`SharedBytes::at`] returns, and
///   is then responsible for the order of the accesses.
pub unsafe trait Mapping {
    /// Returns the first byte.
    fn start(&self) -> NonNull<u8>;

    /// Returns how many bytes are mapped.
    fn length(&self) -> usize;
}

/// The bytes of a mapping.
///
/// All methods panic if the bytes that they access are not all in the mapping.
#[derive(Debug)]
pub struct SharedBytes<M>(M);

impl<M: Mapping> SharedBytes<M> {
    /// Gives access to the bytes of a mapping.
    pub fn new(mapping: M) -> SharedBytes<M> {
        SharedBytes(mapping)
    }

    /// Returns how many bytes there are.
    #[inline]
    pub fn length(&self) -> usize {
        self.0.length()
    }

    /// Returns the address of `length` bytes from this offset on, which are mapped for as long as `self`.
    #[inline]
    pub fn at(&self, offset: usize, length: usize) -> *mut u8 {
        let mapped = self.0.length();
        assert!(offset <= mapped && length <= mapped - offset, "inside the mapping");
        // SAFETY: inside the mapping, by the assertion.
        unsafe { self.0.start().as_ptr().add(offset) }
    }

    /// Returns the word at an offset that is a multiple of eight.
    #[inline]
    pub fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset & 7 == 0);
        // SAFETY: inside the mapping and aligned, and the bytes are only ever accessed as this atomic, or by the copies
        // below, whose accesses are atomic too.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }

    /// Returns the half word at an offset that is a multiple of four.
    #[inline]
    pub fn half_word(&self, offset: usize) -> &AtomicU32 {
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

    /// Reads words from an offset that is a multiple of eight, each as a whole.
    #[inline(always)]
    pub fn load_words(&self, offset: usize, into: &mut [u64]) {
        let from = self.words(offset, into.len());
        for (index, word) in into.iter_mut().enumerate() {
            // SAFETY: as in `word`, for each of the words.
            *word = unsafe { AtomicU64::from_ptr(from.add(index)) }.load(Relaxed);
        }
    }

    /// Writes words to an offset that is a multiple of eight, each as a whole.
    #[inline(always)]
    pub fn store_words(&self, offset: usize, words: &[u64]) {
        let to = self.words(offset, words.len());
        for (index, word) in words.iter().enumerate() {
            // SAFETY: as in `word`, for each of the words.
            unsafe { AtomicU64::from_ptr(to.add(index)) }.store(*word, Relaxed);
        }
    }

    /// Writes bytes.
    #[inline]
    pub fn copy_in(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: there is space for the bytes at `to`, and it is no part of a Rust value. All other accesses are
        // atomics or such copies.
        unsafe { copy::into_shared(bytes.as_ptr(), to, bytes.len()) }
    }

    /// Reads bytes.
    #[inline]
    pub fn copy_out(&self, offset: usize, into: &mut [u8]) {
        let from = self.at(offset, into.len());
        // SAFETY: as in `copy_in`. Any bytes are valid, and their meaning is checked later, in the copy.
        unsafe { copy::out_of_shared(from, into.as_mut_ptr(), into.len()) }
    }

    /// Reads bytes, and appends them.
    #[inline]
    pub fn append_out(&self, offset: usize, length: usize, into: &mut Vec<u8>) {
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
    use std::{cell::UnsafeCell, panic::catch_unwind};

    use super::*;

    const LENGTH: usize = 4096;

    #[derive(Debug)]
    struct Words(Box<UnsafeCell<[u64; LENGTH / 8]>>);

    // SAFETY: the words are in a box, are aligned, and nothing else accesses them.
    unsafe impl Mapping for Words {
        fn start(&self) -> NonNull<u8> {
            NonNull::new(self.0.get().cast()).expect("a box has an address")
        }

        fn length(&self) -> usize {
            LENGTH
        }
    }

    fn memory() -> SharedBytes<Words> {
        SharedBytes::new(Words(Box::new(UnsafeCell::new([0; LENGTH / 8]))))
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
        let outside: [fn(&SharedBytes<Words>); 9] = [
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
