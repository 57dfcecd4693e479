//! A worker's report, which it leaves in shared memory in case it dies: which part of its standard error belongs to the
//! task that it runs, and what it has recorded about the cause of its end.
//!
//! Standard error is a pipe, which the parent reads at any time. The worker adds the bytes that the parent has read to
//! the bytes that are still in the pipe, and so knows how many were ever written. The sum is right only if nothing was
//! read between the two questions, so `read` is odd while the parent reads, and the worker loads it before and after it
//! asks the pipe.
//!
//! Whatever a worker writes here affects only the report of its own death.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering::*},
};

use super::{
    layout::{
        REPORT, REPORT_BOUNDARY as BOUNDARY, REPORT_FACTS as FACTS, REPORT_LENGTH as LENGTH, REPORT_READ as READ,
    },
    sync::{SharedMemory, create_file, fence},
};

/// The parent takes no more than this out of a worker's standard error in one read.
pub(crate) const STDERR_CHUNK: usize = 64 << 10;

/// The worker has begun to serve, so its end is no failure to start.
const SERVES: u64 = 1;
const STACK_OVERFLOWED: u64 = 2;
const LINK_LOST: u64 = 4;

/// The report of one worker. Parent and worker both have it.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    memory: Arc<SharedMemory>,
    offset: usize,
}

impl Report {
    pub(super) fn in_ring(memory: Arc<SharedMemory>) -> Report {
        Report { memory, offset: REPORT }
    }

    /// Makes a piece of memory that holds only a report.
    pub(crate) fn create() -> io::Result<(OwnedFd, Report)> {
        let file = create_file(c"worker-report", LENGTH)?;
        let report = Report::open(&file)?;
        Ok((file, report))
    }

    /// Maps a piece that was made by [`create`](Report::create).
    pub(crate) fn open(file: impl AsFd) -> io::Result<Report> {
        Ok(Report { memory: Arc::new(SharedMemory::map(file, LENGTH)?), offset: 0 })
    }

    /// Calls `take`, which takes bytes out of the pipe and also returns how many it has taken. `before` bytes were
    /// taken earlier. The parent calls this.
    pub(crate) fn count<R>(&self, before: u64, take: impl FnOnce() -> (R, u64)) -> R {
        let read = self.memory.word(self.offset + READ);
        // ORDERING: the lock of the pipe orders this store before the worker's second load, if the worker asked the
        // pipe after the bytes were taken. Release and the fence keep the compiler and the processor from undoing that.
        read.store(2 * before + 1, Release);
        fence(SeqCst);
        let (outcome, taken) = take();
        // ORDERING: Release pairs with the Acquire of the worker's first load: a worker that sees the new count asks a
        // pipe out of which those bytes are gone.
        read.store(2 * (before + taken), Release);
        outcome
    }

    /// Notes that the contents of the standard error up to now were written before the next task. `unread` asks the
    /// pipe how many bytes it holds. `back_off` waits a little, and returns `false` when this must not be tried again.
    /// The worker calls this.
    pub(crate) fn note_boundary(&self, unread: impl Fn() -> Option<u64>, mut back_off: impl FnMut() -> bool) {
        let read = self.memory.word(self.offset + READ);
        loop {
            // ORDERING: see `count`.
            let before = read.load(Acquire);
            let Some(unread) = unread() else { return };
            fence(SeqCst);
            let is_exact = before % 2 == 0 && read.load(Acquire) == before;
            if is_exact || !back_off() {
                // If the parent does not proceed, the bytes that it is taking count twice. The number may be too large
                // but never too small, so no output of an earlier task is attributed to a later one.
                let taken = if is_exact { before / 2 } else { read.load(Acquire) / 2 + STDERR_CHUNK as u64 };
                // ORDERING: the parent reads this when this process is gone.
                self.memory.word(self.offset + BOUNDARY).store(taken.saturating_add(unread), Release);
                return;
            }
        }
    }

    /// Returns how many bytes of the worker's standard error were written before the task that it ran. The parent calls
    /// this.
    pub(crate) fn boundary(&self) -> u64 {
        // ORDERING: the worker is gone.
        self.memory.word(self.offset + BOUNDARY).load(Acquire)
    }

    fn note(&self, fact: u64) {
        // ORDERING: each bit stands for itself, and is read when this process is gone. A signal handler must not lose a
        // bit of another thread, so this is one step.
        self.memory.word(self.offset + FACTS).fetch_or(fact, Relaxed);
    }

    fn has(&self, fact: u64) -> bool {
        // ORDERING: as in `note`.
        self.memory.word(self.offset + FACTS).load(Relaxed) & fact != 0
    }

    pub(crate) fn note_serving(&self) {
        self.note(SERVES);
    }

    /// Records a stack overflow. A signal handler may call this.
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
