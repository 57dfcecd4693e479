//! Two processes, one word of shared memory each way, and a futex for each.
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

/// How the two wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Asleep, from the first moment on.
    Asleep,
    /// Awake, so that no system call is made: what two free cores allow.
    Awake,
}

impl Waiting {
    /// What it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Waiting::Asleep => "futex ping-pong",
            Waiting::Awake => "shared memory ping-pong, both awake",
        }
    }
}

/// What both see. Each side counts up its own word, after which the number belongs to the other.
#[repr(C)]
struct Page {
    asked: AtomicU32,
    _apart: [u8; 60],
    answered: AtomicU32,
    number: AtomicU64,
}

/// What `asked` is when it is over.
const OVER: u32 = u32::MAX;

/// A partner process that adds one to a number.
pub struct Futex {
    page: NonNull<Page>,
    waiting: Waiting,
    partner: Partner,
}

// SAFETY: the page consists of atomics, and lives as long as this.
unsafe impl Send for Futex {}

impl Futex {
    /// Starts the partner.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or a process.
    pub fn start(waiting: Waiting) -> Outcome<Futex> {
        // SAFETY: a new mapping, in a place that the system chooses.
        let memory = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                size_of::<Page>(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
            )
        }?;
        let page = NonNull::new(memory.cast::<Page>()).ok_or("no memory at the address zero")?;
        // SAFETY: the mapping is zeroed, which all fields may be, and is never unmapped in the child. `answer` only
        // loads, stores and makes system calls.
        let partner = unsafe { Partner::fork(None, || answer(page.as_ref(), waiting)) }?;
        Ok(Futex { page, waiting, partner })
    }

    /// Has the partner add one, and waits for the answer.
    pub fn add_one(&mut self, n: u64) -> u64 {
        // SAFETY: mapped until the drop.
        let page = unsafe { self.page.as_ref() };
        page.number.store(n, Relaxed);
        let turn = page.asked.load(Relaxed).wrapping_add(1) % OVER;
        let before = page.answered.load(Relaxed);
        tell(&page.asked, turn, self.waiting);
        wait(&page.answered, before, self.waiting);
        page.number.load(Relaxed)
    }
}

impl Drop for Futex {
    fn drop(&mut self) {
        // SAFETY: mapped until the end of this.
        let page = unsafe { self.page.as_ref() };
        tell(&page.asked, OVER, self.waiting);
        self.partner.join();
        // SAFETY: nobody else has it: the partner is gone.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), size_of::<Page>()) };
    }
}

impl std::fmt::Debug for Futex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Futex").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

/// The partner.
fn answer(page: &Page, waiting: Waiting) {
    let mut seen = 0;
    loop {
        seen = wait(&page.asked, seen, waiting);
        if seen == OVER {
            return;
        }
        page.number.store(page.number.load(Relaxed) + 1, Relaxed);
        tell(&page.answered, seen, waiting);
    }
}

fn tell(word: &AtomicU32, value: u32, waiting: Waiting) {
    // ORDERING: pairs with the load in `wait`: the number was written before.
    word.store(value, Release);
    if waiting == Waiting::Asleep {
        let _ = futex::wake(word, futex::Flags::empty(), 1);
    }
}

/// Waits until a word is another, and answers which.
fn wait(word: &AtomicU32, old: u32, waiting: Waiting) -> u32 {
    let mut looks: u32 = 0;
    loop {
        // ORDERING: pairs with the store in `tell`.
        let now = word.load(Acquire);
        if now != old {
            return now;
        }
        match waiting {
            // Another value, or a signal: looked at again.
            Waiting::Asleep => drop(futex::wait(word, futex::Flags::empty(), old, None)),
            // Long enough for an answer. Without two free cores the other needs this one.
            Waiting::Awake if looks < 10_000 => {
                looks += 1;
                std::hint::spin_loop();
            }
            Waiting::Awake => rustix::thread::sched_yield(),
        }
    }
}
