//! What tasks note of themselves, where neither the pool nor the end of their process can change it.
//!
//! A piece of memory that the program and all workers share: for each attempt of each task a mark at its start and one
//! at its end, which are the id of the process that made them. A mark is made once; making it again is counted. What a
//! pool says is held against this.
//!
//! The file behind it has no name. Workers find it among the descriptors of the program, in `/proc`.
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

/// How many counters a journal has, beside the marks.
pub(super) const COUNTERS: usize = 512;

/// The bytes in front of the marks.
const HEAD: usize = 8 * COUNTERS;

/// The counter of what should not have happened: a mark was made twice, or for an attempt that there is no room for.
const MISDEEDS: usize = 0;

/// How many bytes an attempt takes: a mark for its start, a mark for its end.
const ATTEMPT: usize = 8;

/// The journal, for the one who made it. With it goes the memory.
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
    /// Tells it from a journal that had the same descriptor before.
    number: u64,
    tasks: u32,
    attempts: u32,
}

/// What is noted of one attempt.
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
    /// A journal of so many tasks, each of which may be attempted so many times.
    pub(super) fn new(tasks: u32, attempts: u32) -> Journal {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let file = rustix::fs::memfd_create("journal", MemfdFlags::CLOEXEC).expect("memory for a journal");
        let key = Key {
            maker: process::id(),
            descriptor: file.as_raw_fd(),
            // ORDERING: the counter only has to give different numbers.
            number: COUNT.fetch_add(1, Relaxed),
            tasks,
            attempts,
        };
        rustix::fs::ftruncate(&file, key.length() as u64).expect("memory for a journal");
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

    /// The journal, in whatever process this is.
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

// SAFETY: the mapping is plain memory that is not bound to a thread, and every access to it is an atomic.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    fn map(file: impl AsFd, key: Key) -> io::Result<Pages> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: no address is asked for, so the mapping overlaps nothing. The file has the length, and nobody shrinks
        // it.
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), key.length(), protection, flags, file, 0) }?;
        Ok(Pages { start: NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?, key })
    }

    /// A counter that tasks and the program share.
    pub(super) fn counter(&self, number: usize) -> &AtomicU64 {
        assert!(number < COUNTERS - 1, "there is such a counter");
        self.word(number + 1)
    }

    fn word(&self, number: usize) -> &AtomicU64 {
        // SAFETY: inside of the head, aligned, and only ever accessed as this atomic.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(8 * number).cast()) }
    }

    /// The two marks of an attempt; they are counted from 1 on. None: there is no room for it.
    fn cells(&self, task: u32, attempt: u32) -> Option<(&AtomicU32, &AtomicU32)> {
        if task >= self.key.tasks || attempt == 0 || attempt > self.key.attempts {
            return None;
        }
        let number = task as usize * self.key.attempts as usize + attempt as usize - 1;
        // SAFETY: inside of the mapping, by the comparison above.
        let at = unsafe { self.start.as_ptr().add(HEAD + number * ATTEMPT) };
        // SAFETY: two aligned words that are only ever accessed as these atomics.
        unsafe { Some((AtomicU32::from_ptr(at.cast()), AtomicU32::from_ptr(at.add(4).cast()))) }
    }

    /// In a task: says that it has started.
    pub(super) fn start(&self, task: u32, attempt: u32) {
        self.mark(self.cells(task, attempt).map(|(started, _)| started));
    }

    /// In a task: says that it has come to its end.
    pub(super) fn end(&self, task: u32, attempt: u32) {
        self.mark(self.cells(task, attempt).map(|(_, ended)| ended));
    }

    fn mark(&self, cell: Option<&AtomicU32>) {
        let made = cell.is_some_and(|cell| cell.compare_exchange(0, process::id(), SeqCst, SeqCst).is_ok());
        if !made {
            self.word(MISDEEDS).fetch_add(1, SeqCst);
        }
    }

    /// How often something was noted that must not happen: an attempt that was run twice, or that nobody asked for.
    pub(super) fn misdeeds(&self) -> u64 {
        self.word(MISDEEDS).load(SeqCst)
    }

    /// What is noted of an attempt.
    pub(super) fn marks(&self, task: u32, attempt: u32) -> Marks {
        let (started, ended) = self.cells(task, attempt).expect("an attempt that there is room for");
        let read = |cell: &AtomicU32| Some(cell.load(SeqCst)).filter(|pid| *pid != 0);
        Marks { started: read(started), ended: read(ended) }
    }

    /// What is noted of all attempts of a task.
    pub(super) fn attempts(&self, task: u32) -> impl Iterator<Item = Marks> {
        (1..=self.key.attempts).map(move |attempt| self.marks(task, attempt))
    }

    /// In how many attempts of a task it has started.
    pub(super) fn starts(&self, task: u32) -> usize {
        self.attempts(task).filter(|marks| marks.started.is_some()).count()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `map`, and nothing borrows from it any more. A failure leaves it mapped.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.key.length()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_made_once_and_a_second_one_is_noticed() {
        let journal = Journal::new(3, 2);
        let pages = journal.key().open();
        pages.start(2, 1);
        let own = Some(process::id());
        assert_eq!(journal.marks(2, 1), Marks { started: own, ended: None });
        pages.end(2, 1);
        assert_eq!(journal.marks(2, 1), Marks { started: own, ended: own });
        assert_eq!((journal.starts(2), journal.starts(1), journal.misdeeds()), (1, 0, 0));
        pages.start(2, 1);
        assert_eq!(journal.misdeeds(), 1);
        pages.end(1, 3);
        pages.start(3, 1);
        assert_eq!(journal.misdeeds(), 3);
    }
}
