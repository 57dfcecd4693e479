//! An allocator that can count what is alive.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

/// The system's allocator, which counts the bytes that were asked for once it is told to. Until then it costs the look
/// at a flag.
#[derive(Debug)]
pub struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static ALIVE: AtomicI64 = AtomicI64::new(0);

/// Counts from now on. What was allocated before and is freed from now on is subtracted.
pub fn count() {
    // ORDERING: an allocation at the same time on another thread may be counted or not.
    COUNTS.store(true, Relaxed);
}

/// How many bytes more are alive than when it began to count.
pub fn alive() -> i64 {
    ALIVE.load(Relaxed)
}

fn add(bytes: i64) {
    if COUNTS.load(Relaxed) {
        ALIVE.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as i64);
        // SAFETY: the caller's promises are those of the function that is called.
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
