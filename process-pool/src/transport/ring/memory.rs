//! Memory that two processes share, behind an interface that checks every offset.
#![allow(unsafe_code)]

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::{AtomicU32, AtomicU64},
};

use super::copy;
use crate::sys::memory::{SharedMapping, create_shared, wait_on, wake_one};

/// Makes the file behind a piece of shared memory. The name is shown in lists of mappings.
pub(super) fn create_file(name: &CStr, length: usize) -> io::Result<OwnedFd> {
    create_shared(name, length)
}

/// Shared memory. The other side may write anything at any time, so the only references into it are to atomics, and
/// bytes are copied out, also by atomic accesses, before they are examined.
#[derive(Debug)]
pub(super) struct SharedMemory(SharedMapping);

impl SharedMemory {
    /// Maps a file made by [`create_file`].
    pub(super) fn map(file: impl AsFd, length: usize) -> io::Result<SharedMemory> {
        Ok(SharedMemory(SharedMapping::map(file, length)?))
    }

    /// Sleeps until the other side [wakes](SharedMemory::wake) this half word, or not at all if it does not hold the
    /// expected value. May return without a reason.
    pub(super) fn sleep_on(&self, offset: usize, expected: u32) -> io::Result<()> {
        wait_on(self.half_word(offset), expected)
    }

    /// Wakes a thread that sleeps on this half word.
    pub(super) fn wake(&self, offset: usize) {
        wake_one(self.half_word(offset));
    }

    fn at(&self, offset: usize, length: usize) -> *mut u8 {
        let mapped = self.0.length();
        assert!(offset <= mapped && length <= mapped - offset, "inside the mapping");
        // SAFETY: inside the mapping, by the assertion.
        unsafe { self.0.start().as_ptr().add(offset) }
    }

    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset % 8 == 0);
        // SAFETY: inside the mapping and aligned, and the bytes are only ever accessed as this atomic.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }

    pub(super) fn half_word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset % 4 == 0);
        // SAFETY: as in `word`.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    pub(super) fn copy_in(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: there is space for the bytes at `to`, and it is no part of a Rust value. All other accesses are
        // atomics or such copies.
        unsafe { copy::into_shared(bytes.as_ptr(), to, bytes.len()) }
    }

    pub(super) fn copy_out(&self, offset: usize, into: &mut [u8]) {
        let from = self.at(offset, into.len());
        // SAFETY: as in `copy_in`. Any bytes are valid, and their meaning is checked later, in the copy.
        unsafe { copy::out_of_shared(from, into.as_mut_ptr(), into.len()) }
    }

    pub(super) fn append_out(&self, offset: usize, length: usize, into: &mut Vec<u8>) {
        let from = self.at(offset, length);
        into.reserve(length);
        // SAFETY: there is space after the vector's contents, and the copy initialises what the new length includes.
        unsafe {
            copy::out_of_shared(from, into.as_mut_ptr().add(into.len()), length);
            into.set_len(into.len() + length);
        }
    }
}
