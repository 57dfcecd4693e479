//! Memory that processes share or lend to the system, and the size of the machine's memory.
#![allow(unsafe_code)]
// The models of a ring put memory of their own in the place of shared memory.
#![cfg_attr(loom, allow(dead_code))]

use std::{
    ffi::CStr,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::AtomicU32,
};

use rustix::{
    fs::{FallocateFlags, MemfdFlags, SealFlags},
    io::Errno,
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap},
    thread::futex,
};

use super::file_size::without_file_size_signal;

/// Makes the file behind a piece of shared memory. It cannot shrink, because an access to a mapping of a file that has
/// shrunk kills the process. The name is shown only in lists of mappings.
///
/// # Errors
///
/// If the system refuses it. The limit on the size of files (`ulimit -f`) also applies.
pub(crate) fn create_shared(name: &CStr, length: usize) -> io::Result<OwnedFd> {
    create(name, length, may_lack_pages())
}

/// Makes the file. If `reserves_pages` is set, all pages are taken from the system before the first access.
fn create(name: &CStr, length: usize, reserves_pages: bool) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create(name, flags)?;
    without_file_size_signal(|| {
        rustix::fs::ftruncate(&file, length as u64)?;
        if reserves_pages {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length as u64)?;
        }
        Ok(())
    })?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

/// Returns `true` if the system may refuse a page of a mapping at the first access, which kills the process (`SIGBUS`).
/// It does so where it accounts for memory strictly, because it accounts for this kind of memory page by page.
/// Elsewhere pages are not reserved, because most rings never use all of theirs, and reserving them makes a worker's
/// start slower.
fn may_lack_pages() -> bool {
    const STRICT: &str = "2";
    !std::fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim_end() != STRICT)
}

/// A mapping of shared memory.
#[derive(Debug)]
pub(crate) struct SharedMapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is plain memory that is not bound to a thread, and this type never accesses it.
unsafe impl Send for SharedMapping {}
// SAFETY: as above. Code that accesses the memory through the pointer is responsible for the order of the accesses.
unsafe impl Sync for SharedMapping {}

impl SharedMapping {
    /// Maps a file made by [`create_shared`].
    pub(crate) fn map(file: impl AsFd, length: usize) -> io::Result<SharedMapping> {
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
        let start = unsafe { mmap(std::ptr::null_mut(), length, protection, flags, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(SharedMapping { start, length })
    }

    /// Returns the first byte. It and the [`length`](SharedMapping::length) bytes from it on are mapped, readable and
    /// writable, until this is dropped, and the pointer is aligned to a page.
    #[inline]
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.length
    }
}

impl Drop for SharedMapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `map`, and nothing borrows from it any more. If this fails, it stays
        // mapped.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// Sleeps until another thread or process [wakes](wake_one) this word, or not at all if the word does not hold the
/// expected value. May return without a reason.
pub(crate) fn wait_on(word: &AtomicU32, expected: u32) -> io::Result<()> {
    match futex::wait(word, futex::Flags::empty(), expected, None) {
        // Woken, interrupted, or the word was changed before the kernel looked at it.
        Ok(()) | Err(Errno::INTR | Errno::AGAIN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Wakes a thread that sleeps on this word.
pub(crate) fn wake_one(word: &AtomicU32) {
    // It fails only for a bad address.
    let _ = futex::wake(word, futex::Flags::empty(), 1);
}

/// Whether [`lend`] has an effect.
pub(crate) const CAN_LEND: bool = true;

/// Lets the system take back the pages of this unused memory if it needs them. The memory can be used as before.
pub(crate) fn lend(unused: &mut [MaybeUninit<u8>]) {
    /// A multiple of the page size on every machine.
    const PAGES: usize = 64 << 10;
    let before = unused.as_ptr().align_offset(PAGES);
    let Some(pages) = unused.get_mut(before..) else { return };
    let length = pages.len() / PAGES * PAGES;
    // SAFETY: these are whole pages to which the caller has the only reference. Each keeps what it holds or becomes
    // zero until it is written again, and nothing reads uninitialised memory. An error changes nothing.
    let _ = unsafe { madvise(pages.as_mut_ptr().cast(), length, Advice::LinuxFree) };
}

/// Returns how many bytes of memory this machine has, swap space included.
pub(crate) fn total() -> u64 {
    let known = rustix::system::sysinfo();
    let units = u128::from(known.totalram) + u128::from(known.totalswap);
    u64::try_from(units * u128::from(known.mem_unit)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_may_be_refused_later_are_reserved() {
        let pages_of = |reserves_pages| {
            let file = create(c"test", 1 << 20, reserves_pages).expect("a file");
            rustix::fs::fstat(&file).expect("its size").st_blocks * 512 / 4096
        };
        assert_eq!((pages_of(false), pages_of(true)), (0, 256));
    }

    #[test]
    fn the_file_can_neither_shrink_nor_grow() {
        let file = create_shared(c"test", 4096).expect("a file");
        for length in [0, 8192] {
            rustix::fs::ftruncate(&file, length).expect_err("sealed");
        }
        SharedMapping::map(&file, 4096).expect("mapped");
    }
}
