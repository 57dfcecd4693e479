//! A flood of events: what it costs this program, and what is reported.
//!
//! This is a program of its own, because it counts the bytes that the whole program has allocated.
#![allow(unsafe_code)]

#[path = "telemetry/collector.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod collector;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use executor_core::Executor;
use process_pool::{ProcessPoolExecutor, Transport};
use test_support::DEADLINE;
use tracing::info;

use collector::{Collector, dropped};

/// The system's allocator, which counts.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the contract is that of the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the contract is that of the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_flood_stalls_no_task_takes_little_memory_and_is_counted() {
    const EVENTS: usize = 50_000;
    for transport in [Transport::Ring, Transport::Socket] {
        let collector = Collector::that_counts();
        collector.with(|| {
            let builder = ProcessPoolExecutor::builder().max_workers(1).name_prefix("parser");
            let pool = builder.transport(transport).build().unwrap();
            pool.submit(|()| info!("the callsite is known"), ()).unwrap().result(DEADLINE).unwrap();
            let gate = collector.gate.lock().unwrap();
            let before = LIVE.load(Relaxed);
            PEAK.store(before, Relaxed);
            let flood = |count: usize| {
                let text = "x".repeat(1000);
                (0..count).for_each(|n| info!(n, text, "one of many"));
            };
            // The task sends 50 MiB while the subscriber takes nothing.
            pool.submit(flood, EVENTS).unwrap().result(DEADLINE).unwrap();
            let peak = PEAK.load(Relaxed) - before;
            assert!(peak < 16 << 20, "{peak} bytes");
            drop(gate);
            pool.submit(|()| info!("the last one"), ()).unwrap().result(DEADLINE).unwrap();
        });
        let dropped = dropped(&collector);
        assert!(dropped > EVENTS / 2, "{dropped} of {EVENTS}");
        assert_eq!(collector.count() + dropped, EVENTS + 2);
        assert!(collector.warnings().iter().all(|event| {
            event.message.starts_with("dropped ") && event.message.contains(" events of worker parser_0: ")
        }));
    }
}
