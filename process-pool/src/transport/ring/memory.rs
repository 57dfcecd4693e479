//! A piece of memory that two processes share, behind an interface that checks every offset.
#![allow(unsafe_code)]

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64},
};

use rustix::{
    fs::{FallocateFlags, MemfdFlags, SealFlags},
    io::Errno,
    mm::{MapFlags, ProtFlags},
    thread::futex,
};

use super::copy;
use crate::signals::without_file_size_signal;

/// Shared memory. The other side may write anything at any time, so nothing in here is ever seen as a reference but the
/// atomics, and bytes are copied out, by atomic accesses too, before they are looked at.
#[derive(Debug)]
pub(super) struct SharedMemory {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is plain memory that is not bound to a thread, and every access is an atomic one.
unsafe impl Send for SharedMemory {}
// SAFETY: as above; which bytes may be copied when is the business of the ring's indices.
unsafe impl Sync for SharedMemory {}

/// Makes the file behind a piece of shared memory. It cannot shrink: a mapping of a file that shrinks would kill
/// whoever touches it.
///
/// # Errors
///
/// Where the system refuses it, the limit on the size of files (`ulimit -f`) included, which counts here too.
pub(super) fn create_file(length: usize) -> io::Result<OwnedFd> {
    create_file_called(c"concurrent-futures", length)
}

/// As [`create_file`]. The name is shown in lists of mappings, and nowhere else.
pub(super) fn create_file_called(name: &CStr, length: usize) -> io::Result<OwnedFd> {
    create(name, length, may_lack_pages())
}

/// `takes_pages` says that the pages are to be had before anybody touches them.
fn create(name: &CStr, length: usize, takes_pages: bool) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create(name, flags)?;
    without_file_size_signal(|| {
        rustix::fs::ftruncate(&file, length as u64)?;
        if takes_pages {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length as u64)?;
        }
        Ok(())
    })?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

/// Whether the system may refuse a page of a mapping when it is first touched, which ends whoever touches it
/// (`SIGBUS`): it does where memory is accounted for strictly, and this kind of it page by page. Then the pages are
/// taken beforehand. Elsewhere they come one by one, because most rings never use all of theirs, and taking them costs
/// a tenth of a start.
fn may_lack_pages() -> bool {
    const STRICT: &str = "2";
    !std::fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim_end() != STRICT)
}

impl SharedMemory {
    /// Maps a file made by [`create_file`].
    pub(super) fn map(file: impl AsFd, length: usize) -> io::Result<SharedMemory> {
        let size = rustix::fs::fstat(&file)?.st_size;
        if size != length as i64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the shared memory has another size than announced",
            ));
        }
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: no address is asked for, so the mapping overlaps nothing. The file has the length and is sealed
        // against shrinking, so every byte of the mapping stays backed.
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), length, protection, flags, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(SharedMemory { start, length })
    }

    /// Sleeps on a half word until somebody [wakes](SharedMemory::wake) it, or not at all if it holds something else
    /// than what is expected. May return for no reason.
    pub(super) fn sleep_on(&self, offset: usize, expected: u32) -> io::Result<()> {
        match futex::wait(self.half_word(offset), futex::Flags::empty(), expected, None) {
            // Woken, interrupted, or the half word was changed before the kernel looked.
            Ok(()) | Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Wakes who sleeps on a half word.
    pub(super) fn wake(&self, offset: usize) {
        // The only failures are bad addresses, and a half word of the mapping is none.
        let _ = futex::wake(self.half_word(offset), futex::Flags::empty(), 1);
    }

    fn at(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset <= self.length && length <= self.length - offset, "inside the mapping");
        // SAFETY: inside the mapping, by the assertion.
        unsafe { self.start.as_ptr().add(offset) }
    }

    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8));
        // SAFETY: inside the mapping and aligned, and the bytes are only ever accessed as this atomic.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }

    pub(super) fn half_word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4));
        // SAFETY: as in `word`.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    pub(super) fn copy_in(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: `to` has room for the bytes, and is no part of a Rust value; all other accesses are atomics or such
        // copies.
        unsafe { copy::into_shared(bytes.as_ptr(), to, bytes.len()) }
    }

    pub(super) fn copy_out(&self, offset: usize, into: &mut [u8]) {
        let from = self.at(offset, into.len());
        // SAFETY: as in `copy_in`. Any bytes are good; what they mean is checked later, in the copy.
        unsafe { copy::out_of_shared(from, into.as_mut_ptr(), into.len()) }
    }

    pub(super) fn append_out(&self, offset: usize, length: usize, into: &mut Vec<u8>) {
        let from = self.at(offset, length);
        into.reserve(length);
        // SAFETY: there is room behind the vector's contents, and the copy initialises what is then counted in.
        unsafe {
            copy::out_of_shared(from, into.as_mut_ptr().add(into.len()), length);
            into.set_len(into.len() + length);
        }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `map`, and nothing borrows from it any more. A failure leaves it mapped.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_may_not_be_had_later_are_taken_beforehand() {
        let pages_of = |takes_pages| {
            let file = create(c"test", 1 << 20, takes_pages).expect("a file");
            rustix::fs::fstat(&file).expect("its size").st_blocks * 512 / 4096
        };
        assert_eq!((pages_of(false), pages_of(true)), (0, 256));
    }

    #[test]
    fn the_file_can_neither_shrink_nor_grow() {
        let file = create_file(4096).expect("a file");
        for length in [0, 8192] {
            rustix::fs::ftruncate(&file, length).expect_err("sealed");
        }
        SharedMemory::map(&file, 4096).expect("mapped");
    }
}
