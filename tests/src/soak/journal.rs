//! A record of the starts and ends of tasks, which neither the pool nor a crash can change.
//!
//! The program and all workers share a piece of memory. For each attempt of each task it has a mark for the start and
//! one for the end. A mark is the id of the process that made it. Making a mark twice is a violation. The tests compare
//! the outcomes of a pool with these marks.
//!
//! The memory is a file without a name. Workers open it through the descriptors of the program in `/proc`.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    ops::Deref,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use parking_lot::RwLock;
use rustix::{
    fs::MemfdFlags,
    mm::{MapFlags, ProtFlags},
};
use serde::{Deserialize, Serialize};

/// The number of counters of a journal.
pub(super) const COUNTERS: usize = 512;

/// The number of bytes before the marks.
const HEAD: usize = 8 * COUNTERS;

/// The counter of violations: marks that were made twice, or for an attempt that is not in the journal.
const VIOLATIONS: usize = 0;

/// The number of bytes of an attempt: a mark for its start and one for its end.
const ATTEMPT: usize = 8;

/// The journal in the program that made it. Dropping it frees the memory.
#[derive(Debug)]
pub(super) struct Journal {
    pages: Arc<Pages>,
    key: Key,
    _file: OwnedFd,
}

/// How a task finds the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    maker: u32,
    descriptor: i32,
    /// Distinguishes this journal from an earlier one with the same descriptor.
    number: u64,
    tasks: u32,
    attempts: u32,
}

/// The marks of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// The process in which it started.
    pub(super) started: Option<u32>,
    /// The process in which it ended.
    pub(super) ended: Option<u32>,
}

/// The journals that this process has open.
static OPEN: RwLock<Vec<(Key, Arc<Pages>)>> = RwLock::new(Vec::new());

impl Journal {
    /// Creates a journal for this many tasks with this many attempts each.
    pub(super) fn new(tasks: u32, attempts: u32) -> Journal {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let file = rustix::fs::memfd_create("journal", MemfdFlags::CLOEXEC).expect("there is memory for a journal");
        let key = Key {
            maker: process::id(),
            descriptor: file.as_raw_fd(),
            // ORDERING: the numbers only have to be different.
            number: COUNT.fetch_add(1, Relaxed),
            tasks,
            attempts,
        };
        rustix::fs::ftruncate(&file, key.length() as u64).expect("there is memory for a journal");
        let pages = Arc::new(Pages::map(&file, key).expect("a journal can be mapped"));
        OPEN.write().push((key, pages.clone()));
        Journal { pages, key, _file: file }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }
}

impl Deref for Journal {
    type Target = Pages;

    fn deref(&self) -> &Pages {
        &self.pages
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        OPEN.write().retain(|(key, _)| *key != self.key);
    }
}

impl Key {
    fn length(self) -> usize {
        HEAD + self.tasks as usize * self.attempts as usize * ATTEMPT
    }

    /// Returns the journal, in any process.
    pub(super) fn open(self) -> Arc<Pages> {
        let known = || OPEN.read().iter().find(|(key, _)| *key == self).map(|(_, pages)| pages.clone());
        if let Some(pages) = known() {
            return pages;
        }
        let path = format!("/proc/{}/fd/{}", self.maker, self.descriptor);
        let file = File::options().read(true).write(true).open(path).expect("the program has its journal open");
        let pages = Arc::new(Pages::map(&file, self).expect("a journal can be mapped"));
        OPEN.write().push((self, pages.clone()));
        pages
    }
}

/// The memory of a journal.
#[derive(Debug)]
pub(super) struct Pages {
    start: NonNull<u8>,
    key: Key,
}

// SAFETY: the mapping is plain memory that is not bound to a thread, and every access to it is atomic.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    fn map(file: impl AsFd, key: Key) -> io::Result<Pages> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: the kernel chooses the address, so the mapping overlaps nothing. The file has this length and is
        // never shortened.
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), key.length(), protection, flags, file, 0) }?;
        Ok(Pages { start: NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?, key })
    }

    /// Returns a counter that tasks and the program share.
    pub(super) fn counter(&self, number: usize) -> &AtomicU64 {
        assert!(number < COUNTERS - 1, "there is such a counter");
        self.word(number + 1)
    }

    fn word(&self, number: usize) -> &AtomicU64 {
        // SAFETY: the address is inside the head and aligned, and it is only accessed as this atomic.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(8 * number).cast()) }
    }

    /// Returns the two marks of an attempt. The first attempt is 1. Returns `None` if it is not in the journal.
    fn cells(&self, task: u32, attempt: u32) -> Option<(&AtomicU32, &AtomicU32)> {
        if task >= self.key.tasks || attempt == 0 || attempt > self.key.attempts {
            return None;
        }
        let number = task as usize * self.key.attempts as usize + attempt as usize - 1;
        // SAFETY: the address is inside the mapping, by the comparison above.
        let at = unsafe { self.start.as_ptr().add(HEAD + number * ATTEMPT) };
        // SAFETY: both words are aligned and only accessed as these atomics.
        unsafe { Some((AtomicU32::from_ptr(at.cast()), AtomicU32::from_ptr(at.add(4).cast()))) }
    }

    /// Notes the start of an attempt, in its worker.
    pub(super) fn start(&self, task: u32, attempt: u32) {
        self.mark(self.cells(task, attempt).map(|(started, _)| started));
    }

    /// Notes the end of an attempt, in its worker.
    pub(super) fn end(&self, task: u32, attempt: u32) {
        self.mark(self.cells(task, attempt).map(|(_, ended)| ended));
    }

    fn mark(&self, cell: Option<&AtomicU32>) {
        let made = cell.is_some_and(|cell| cell.compare_exchange(0, process::id(), SeqCst, SeqCst).is_ok());
        if !made {
            self.word(VIOLATIONS).fetch_add(1, SeqCst);
        }
    }

    /// Returns the number of violations: attempts that ran twice or that do not exist.
    pub(super) fn violations(&self) -> u64 {
        self.word(VIOLATIONS).load(SeqCst)
    }

    /// Returns the marks of an attempt.
    pub(super) fn marks(&self, task: u32, attempt: u32) -> Marks {
        let (started, ended) = self.cells(task, attempt).expect("the attempt is in the journal");
        let read = |cell: &AtomicU32| Some(cell.load(SeqCst)).filter(|pid| *pid != 0);
        Marks { started: read(started), ended: read(ended) }
    }

    /// Returns the marks of all attempts of a task.
    pub(super) fn attempts(&self, task: u32) -> impl Iterator<Item = Marks> {
        (1..=self.key.attempts).map(move |attempt| self.marks(task, attempt))
    }

    /// Returns how many attempts of a task have started.
    pub(super) fn starts(&self, task: u32) -> usize {
        self.attempts(task).filter(|marks| marks.started.is_some()).count()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, and nothing borrows from it any more.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.key.length()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_mark_is_a_violation() {
        let journal = Journal::new(3, 2);
        let pages = journal.key().open();
        pages.start(2, 1);
        let own = Some(process::id());
        assert_eq!(journal.marks(2, 1), Marks { started: own, ended: None });
        pages.end(2, 1);
        assert_eq!(journal.marks(2, 1), Marks { started: own, ended: own });
        assert_eq!((journal.starts(2), journal.starts(1), journal.violations()), (1, 0, 0));
        pages.start(2, 1);
        assert_eq!(journal.violations(), 1);
        pages.end(1, 3);
        pages.start(3, 1);
        assert_eq!(journal.violations(), 3);
    }
}
