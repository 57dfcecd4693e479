//! A page of memory that processes share: a lock of the C library at its beginning, and a counter.
#![allow(unsafe_code)]

use std::{
    ptr::{NonNull, null_mut},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use concurrent_futures::backend::codec::handles::Handle;
use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

use crate::Outcome;

/// The page, as one process has it.
#[derive(Debug)]
pub struct Page(NonNull<u8>);

// SAFETY: the page is plain memory that is not bound to a thread.
unsafe impl Send for Page {}
// SAFETY: the counter is an atomic, and a lock may be used by any thread.
unsafe impl Sync for Page {}

const LENGTH: usize = 4096;
/// On another cache line than the lock.
const COUNTER: usize = 2048;

impl Page {
    /// Makes a page of zeros. Returns it, and what another process opens it by.
    ///
    /// # Errors
    ///
    /// If the system refuses memory.
    pub fn create() -> Outcome<(Page, Handle)> {
        let file = memfd_create(c"benches-page", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, LENGTH as u64)?;
        let file = Handle::new(file);
        Ok((Page::open(file.clone()), file))
    }

    /// Opens the page of another process.
    ///
    /// # Panics
    ///
    /// If the system refuses memory.
    pub fn open(file: Handle) -> Page {
        // SAFETY: this is a new mapping at an address that the system chooses, of a file that is not shortened.
        let start = unsafe { mmap(null_mut(), LENGTH, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0) };
        Page(NonNull::new(start.expect("memory").cast()).expect("memory that is not at the address zero"))
    }

    /// Returns the place of the lock, which has half of the page and is aligned to it.
    pub(super) fn lock(&self) -> NonNull<u8> {
        self.0
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: inside the page, aligned, and only ever accessed as this atomic. The page is mapped as long as this.
        unsafe { AtomicU64::from_ptr(self.0.as_ptr().add(COUNTER).cast()) }
    }

    /// Adds one to the counter, in two steps that another thread could come between.
    pub(super) fn add_one(&self) {
        self.word().store(self.word().load(Relaxed) + 1, Relaxed);
    }

    pub(super) fn counter(&self) -> u64 {
        self.word().load(Relaxed)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: nothing refers to this mapping any more. If this fails, it stays mapped.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), LENGTH) };
    }
}
