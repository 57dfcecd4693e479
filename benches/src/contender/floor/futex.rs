//! Two processes with one word of shared memory in each direction, and a futex for each.
#![allow(unsafe_code)]

use std::{
    ptr::NonNull,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use rustix::{
    mm::{MapFlags, ProtFlags, mmap_anonymous, munmap},
    thread::futex,
};

use super::partner::Partner;
use crate::Outcome;

/// How the two processes wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// They sleep immediately.
    Asleep,
    /// They spin, so that no system call is made. This needs two free cores.
    Awake,
}

impl Waiting {
    /// Returns the name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Waiting::Asleep => "futex ping-pong",
            Waiting::Awake => "shared memory ping-pong, both awake",
        }
    }
}

/// The shared memory. A side increments its word to pass the number to the other side.
#[repr(C)]
struct Page {
    requests: AtomicU32,
    _padding: [u8; 60],
    replies: AtomicU32,
    number: AtomicU64,
}

/// The value of `requests` that stops the partner.
const STOP: u32 = u32::MAX;

/// A partner process that adds one to a number.
pub struct Futex {
    page: NonNull<Page>,
    waiting: Waiting,
    partner: Partner,
}

// SAFETY: the page consists of atomics, and lives as long as this value.
unsafe impl Send for Futex {}

impl Futex {
    /// Starts the partner.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or a process.
    pub fn start(waiting: Waiting) -> Outcome<Futex> {
        // SAFETY: this is a new mapping at an address that the system chooses.
        let memory = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                size_of::<Page>(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
            )
        }?;
        let page = NonNull::new(memory.cast::<Page>()).ok_or("no memory at the address zero")?;
        // SAFETY: the mapping is zeroed, which is valid for all fields, and is never unmapped in the child. `serve`
        // only loads, stores and makes system calls.
        let partner = unsafe { Partner::fork(None, || serve(page.as_ref(), waiting)) }?;
        Ok(Futex { page, waiting, partner })
    }

    /// Lets the partner add one to a number, and returns the sum.
    pub fn add_one(&mut self, n: u64) -> u64 {
        // SAFETY: the page is mapped until the drop.
        let page = unsafe { self.page.as_ref() };
        page.number.store(n, Relaxed);
        let turn = page.requests.load(Relaxed).wrapping_add(1) % STOP;
        let before = page.replies.load(Relaxed);
        notify(&page.requests, turn, self.waiting);
        wait(&page.replies, before, self.waiting);
        page.number.load(Relaxed)
    }
}

impl Drop for Futex {
    fn drop(&mut self) {
        // SAFETY: the page is mapped until the end of this function.
        let page = unsafe { self.page.as_ref() };
        notify(&page.requests, STOP, self.waiting);
        self.partner.join();
        // SAFETY: nothing else refers to the page, because the partner has ended.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), size_of::<Page>()) };
    }
}

impl std::fmt::Debug for Futex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Futex").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

/// Runs the partner.
fn serve(page: &Page, waiting: Waiting) {
    let mut seen = 0;
    loop {
        seen = wait(&page.requests, seen, waiting);
        if seen == STOP {
            return;
        }
        page.number.store(page.number.load(Relaxed) + 1, Relaxed);
        notify(&page.replies, seen, waiting);
    }
}

fn notify(word: &AtomicU32, value: u32, waiting: Waiting) {
    // ORDERING: pairs with the load in `wait`, so that the other side sees the number, which was written before.
    word.store(value, Release);
    if waiting == Waiting::Asleep {
        let _ = futex::wake(word, futex::Flags::empty(), 1);
    }
}

/// Waits until a word has another value than `old`, and returns that value.
fn wait(word: &AtomicU32, old: u32, waiting: Waiting) -> u32 {
    let mut spins: u32 = 0;
    loop {
        // ORDERING: pairs with the store in `notify`.
        let now = word.load(Acquire);
        if now != old {
            return now;
        }
        match waiting {
            // This returns when the value changes or a signal arrives. The loop then loads the word again.
            Waiting::Asleep => drop(futex::wait(word, futex::Flags::empty(), old, None)),
            // This is longer than a reply takes. Without two free cores, the other side may need this core.
            Waiting::Awake if spins < 10_000 => {
                spins += 1;
                std::hint::spin_loop();
            }
            Waiting::Awake => rustix::thread::sched_yield(),
        }
    }
}
