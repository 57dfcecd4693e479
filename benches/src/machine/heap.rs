//! An allocator that can count allocated bytes.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

/// The system's allocator, which counts bytes after a call of [`count`]. Before that it only reads a flag, so it costs
/// the other measurements next to nothing.
#[derive(Debug)]
pub struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static ALIVE: AtomicI64 = AtomicI64::new(0);

/// Starts counting. Memory that was allocated before and is freed later is subtracted.
pub fn count() {
    // ORDERING: a concurrent allocation on another thread may be counted or not.
    COUNTS.store(true, Relaxed);
}

/// Returns how many more bytes are allocated than when counting began.
pub fn alive() -> i64 {
    ALIVE.load(Relaxed)
}

fn add(bytes: i64) {
    if COUNTS.load(Relaxed) {
        ALIVE.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: the system's allocator does everything.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as i64);
        // SAFETY: the called function has the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        add(-(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}
