//! What a worker leaves behind in shared memory for the case of its death: which part of its standard error belongs to
//! the task that it runs, and what its own handlers know of its end.
//!
//! ```text
//! offset  written by   contents
//!      0  parent       read       bytes taken out of the worker's standard error, times two; odd: more are being taken
//!    128  worker       boundary   bytes that were written there before the task that runs, or is next
//!    136  worker       facts      one bit for each
//! ```
//!
//! Standard error is a pipe that the parent reads whenever it comes to it. The worker adds up what the parent has read
//! and what is still in the pipe, and knows how much was ever written. The sum is only right if nothing was read
//! between the two looks, so `read` is odd while the parent reads, and the worker looks at it before and after it asks
//! the pipe.
//!
//! A ring has this among its own memory. A socket has a small piece of memory for it alone, if the system gives one.
//! Whatever a worker writes in here changes what is said of its own death, and nothing else.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering::*},
};

use super::{
    super::STDERR_AT_ONCE,
    layout,
    sync::{SharedMemory, create_file_called, fence},
};

pub(super) const READ: usize = 0;
pub(super) const BOUNDARY: usize = 128;
pub(super) const FACTS: usize = 136;
pub(super) const LENGTH: usize = 256;

/// The worker serves: what its process does from here on is not part of its start.
const SERVES: u64 = 1;
const STACK_OVERFLOWED: u64 = 2;
const LINK_LOST: u64 = 4;

/// See the [module](self).
#[derive(Clone, Debug)]
pub(crate) struct Report {
    memory: Arc<SharedMemory>,
    at: usize,
}

impl Report {
    pub(super) fn in_ring(memory: Arc<SharedMemory>) -> Report {
        Report { memory, at: layout::REPORT }
    }

    /// Makes a piece of memory that holds nothing else.
    pub(crate) fn create() -> io::Result<(OwnedFd, Report)> {
        let file = create_file_called(c"worker-report", LENGTH)?;
        let report = Report::open(&file)?;
        Ok((file, report))
    }

    /// Maps a piece that was made by [`create`](Report::create).
    pub(crate) fn open(file: impl AsFd) -> io::Result<Report> {
        Ok(Report { memory: Arc::new(SharedMemory::map(file, LENGTH)?), at: 0 })
    }

    /// Takes something out of the pipe, of which `before` bytes were taken before. `take` also returns how many it has
    /// taken. For the parent.
    pub(crate) fn count<R>(&self, before: u64, take: impl FnOnce() -> (R, u64)) -> R {
        let read = self.memory.word(self.at + READ);
        // ORDERING: the lock of the pipe orders this store before the worker's second look, if the worker's question
        // came after the bytes were taken. Release and the fence keep the compiler and the processor from undoing that.
        read.store(2 * before + 1, Release);
        fence(SeqCst);
        let (outcome, taken) = take();
        // ORDERING: Release pairs with the Acquire of the worker's first look: whoever sees the new count asks a pipe
        // out of which those bytes are gone.
        read.store(2 * (before + taken), Release);
        outcome
    }

    /// Notes that what is in the standard error up to now was written before the next task. `unread` asks the pipe. For
    /// the worker.
    pub(crate) fn note_boundary(&self, unread: impl Fn() -> Option<u64>, mut rest: impl FnMut() -> bool) {
        let read = self.memory.word(self.at + READ);
        loop {
            // ORDERING: see `count`.
            let before = read.load(Acquire);
            let Some(unread) = unread() else { return };
            fence(SeqCst);
            let is_exact = before.is_multiple_of(2) && read.load(Acquire) == before;
            if is_exact || !rest() {
                // Where the parent does not get on, what it is taking counts twice: too much rather than too little, so
                // that nothing that an earlier task has written is held against a later one.
                let taken = if is_exact { before / 2 } else { read.load(Acquire) / 2 + STDERR_AT_ONCE as u64 };
                // ORDERING: read by the parent when this process is gone.
                self.memory.word(self.at + BOUNDARY).store(taken.saturating_add(unread), Release);
                return;
            }
        }
    }

    /// How many bytes of the worker's standard error were written before the task that it ran. For the parent.
    pub(crate) fn boundary(&self) -> u64 {
        // ORDERING: the worker is gone.
        self.memory.word(self.at + BOUNDARY).load(Acquire)
    }

    fn note(&self, fact: u64) {
        // ORDERING: each bit stands for itself, and is read when this process is gone. A plain addition in a signal
        // handler must not lose another thread's bit, so this is one step.
        self.memory.word(self.at + FACTS).fetch_or(fact, Relaxed);
    }

    fn has(&self, fact: u64) -> bool {
        // ORDERING: as in `note`.
        self.memory.word(self.at + FACTS).load(Relaxed) & fact != 0
    }

    pub(crate) fn note_serving(&self) {
        self.note(SERVES);
    }

    /// May be called in a signal handler.
    pub(crate) fn note_stack_overflow(&self) {
        self.note(STACK_OVERFLOWED);
    }

    pub(crate) fn note_lost_link(&self) {
        self.note(LINK_LOST);
    }

    pub(crate) fn served(&self) -> bool {
        self.has(SERVES)
    }

    pub(crate) fn has_overflowed_its_stack(&self) -> bool {
        self.has(STACK_OVERFLOWED)
    }

    pub(crate) fn has_lost_its_link(&self) -> bool {
        self.has(LINK_LOST)
    }
}
