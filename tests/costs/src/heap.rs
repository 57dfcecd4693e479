//! An allocator that counts. The system's own numbers are too coarse to show a leak of a few bytes for each task.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ops::Sub,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};

/// The system's allocator, which counts calls and bytes.
#[derive(Debug)]
pub struct Heap;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of allocated bytes, and 0 if [`Heap`] is not the program's allocator.
pub fn live_bytes() -> usize {
    // ORDERING: an exact value is needed only while no other thread allocates. Otherwise a late value is good enough.
    let freed = FREED.load(Relaxed);
    ALLOCATED.load(Relaxed).saturating_sub(freed)
}

/// The allocations of this process since it started, or between two moments.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Allocated {
    pub(crate) calls: usize,
    pub(crate) bytes: usize,
    pub(crate) freed: usize,
}

impl Allocated {
    pub(crate) fn now() -> Allocated {
        // ORDERING: the other threads that allocate are blocked then, or their end was observed through a
        // synchronising call.
        Allocated { calls: CALLS.load(Relaxed), bytes: ALLOCATED.load(Relaxed), freed: FREED.load(Relaxed) }
    }

    /// Returns the bytes that are not freed. It is negative if earlier allocations were freed.
    pub(crate) fn held(&self) -> f64 {
        self.bytes as f64 - self.freed as f64
    }
}

impl Sub for Allocated {
    type Output = Allocated;

    fn sub(self, earlier: Allocated) -> Allocated {
        Allocated {
            calls: self.calls - earlier.calls,
            bytes: self.bytes - earlier.bytes,
            freed: self.freed - earlier.freed,
        }
    }
}

fn note(size: usize) {
    CALLS.fetch_add(1, Relaxed);
    ALLOCATED.fetch_add(size, Relaxed);
}

// SAFETY: every call goes to the system allocator unchanged, and the counters do not touch its memory.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are those of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        FREED.fetch_add(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        FREED.fetch_add(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
