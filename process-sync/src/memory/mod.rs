//! Memory that threads and processes share.
//!
//! Nothing that is read here is believed: another process may have written anything, at any time. A file that could
//! shrink is never mapped, because an access beyond its end would kill the process.
#![allow(unsafe_code)]

use std::{io, ops::Deref, ptr::NonNull, time::Duration};

use executor_core::shared_memory::{self, SharedBytes};

use crate::{
    place::{Place, place},
    sys::{self, File, Mapping},
};

// SAFETY: both are fixed when the mapping is made. It begins at a page, and its file cannot shrink. References to its
// bytes are only made by `ArrayGuard`, `SharedMut` and `SharedChunk`, which have the right to them.
unsafe impl shared_memory::Mapping for Mapping {
    #[inline]
    fn start(&self) -> NonNull<u8> {
        Mapping::start(self)
    }

    #[inline]
    fn length(&self) -> usize {
        Mapping::length(self)
    }
}

/// A mapping of shared memory.
#[derive(Debug)]
pub(crate) struct SharedMemory(SharedBytes<Mapping>);

impl Deref for SharedMemory {
    type Target = SharedBytes<Mapping>;

    #[inline(always)]
    fn deref(&self) -> &SharedBytes<Mapping> {
        &self.0
    }
}

impl SharedMemory {
    /// Maps a part of a file.
    ///
    /// # Errors
    ///
    /// If the file does not have these bytes, or could lose them.
    pub(crate) fn map(file: &File, offset: usize, length: usize) -> io::Result<SharedMemory> {
        Ok(SharedMemory(SharedBytes::new(Mapping::map(file, offset, length)?)))
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
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn two_mappings_of_a_file_are_the_same_memory() {
        let file = sys::create(c"test", 8192).expect("a file");
        let map = |offset, length| SharedMemory::map(&file, offset, length).expect("memory");
        let (whole, half) = (map(0, 8192), map(4096, 4096));
        whole.copy_in(4096, &[1, 2, 3]);
        half.word(8).store(9, Relaxed);
        let mut bytes = [0; 3];
        half.copy_out(0, &mut bytes);
        assert_eq!((bytes, whole.word(4104).load(Relaxed), half.length()), ([1, 2, 3], 9, 4096));
    }
}
