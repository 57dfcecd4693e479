//! An allocator that counts.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ops::Sub,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};

/// The system's allocator, with counts of what it was asked for.
#[derive(Debug)]
pub struct Counter;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);

/// What this process has asked for since it started, or between two moments.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Allocated {
    pub(super) calls: usize,
    pub(super) bytes: usize,
    pub(super) freed: usize,
}

impl Allocated {
    pub(super) fn now() -> Allocated {
        // ORDERING: looked at where whoever else allocates is held, or was heard to be done.
        Allocated { calls: CALLS.load(Relaxed), bytes: ALLOCATED.load(Relaxed), freed: FREED.load(Relaxed) }
    }

    /// What is not freed. What was freed may have been allocated before.
    pub(super) fn held(&self) -> f64 {
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

// SAFETY: everything is the system allocator's work; the counts change nothing of it.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are the same.
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
