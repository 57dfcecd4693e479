//! The memory of a link.
#![allow(unsafe_code)]

use std::{
    ffi::CStr,
    io,
    ops::Deref,
    os::fd::{AsFd, OwnedFd},
    ptr::NonNull,
};

use executor_core::shared_memory::{Mapping, SharedBytes};

use crate::sys::memory::{SharedMapping, create_shared, wait_on, wake_one};

/// Makes the file behind a piece of shared memory. The name is shown in lists of mappings.
pub(super) fn create_file(name: &CStr, length: usize) -> io::Result<OwnedFd> {
    create_shared(name, length)
}

// SAFETY: both are fixed when the mapping is made. It begins at a page, and its file is sealed against shrinking. It is
// accessed here alone.
unsafe impl Mapping for SharedMapping {
    #[inline]
    fn start(&self) -> NonNull<u8> {
        SharedMapping::start(self)
    }

    #[inline]
    fn length(&self) -> usize {
        SharedMapping::length(self)
    }
}

/// Shared memory, which the other side may write at any time.
#[derive(Debug)]
pub(super) struct SharedMemory(SharedBytes<SharedMapping>);

impl Deref for SharedMemory {
    type Target = SharedBytes<SharedMapping>;

    #[inline(always)]
    fn deref(&self) -> &SharedBytes<SharedMapping> {
        &self.0
    }
}

impl SharedMemory {
    /// Maps a file made by [`create_file`].
    pub(super) fn map(file: impl AsFd, length: usize) -> io::Result<SharedMemory> {
        Ok(SharedMemory(SharedBytes::new(SharedMapping::map(file, length)?)))
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
}
