//! The memory, the futex, the doorbell and the clock of the model checker; see `model.rs`.
#![allow(unsafe_code)]

use std::{
    cell::Cell,
    collections::BTreeMap,
    ffi::CStr,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

pub(super) use loom::sync::atomic::{AtomicU64, fence};
use loom::{
    cell::UnsafeCell,
    sync::{Condvar, Mutex, atomic::AtomicU32},
};

use super::layout;

/// Fails, because the two processes of a model share no file.
pub(super) fn create_file(_: &CStr, _: usize) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The memory. Two accesses that no ordering keeps apart are an error in it.
#[derive(Debug)]
pub(super) struct SharedMemory {
    words: BTreeMap<usize, AtomicU64>,
    half_words: BTreeMap<usize, AtomicU32>,
    /// The bytes of both directions.
    data: Vec<Byte>,
    /// The kernel's part of the one futex: the lock under which it compares, and the thread that sleeps.
    futex: (Mutex<()>, Condvar),
}

impl SharedMemory {
    pub(super) fn map(_: impl AsFd, _: usize) -> io::Result<SharedMemory> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn new() -> SharedMemory {
        let plain = [
            layout::TO_WORKER_TAIL,
            layout::TO_WORKER_HEAD,
            layout::TO_PARENT_TAIL,
            layout::TO_PARENT_HEAD,
            layout::TAKEN,
            layout::STARTED_AT,
            layout::STOP,
            layout::REPORT + layout::REPORT_READ,
            layout::REPORT + layout::REPORT_BOUNDARY,
            layout::REPORT + layout::REPORT_FACTS,
        ];
        let flags = [layout::WORKER_SLEEPS, layout::PARENT_SLEEPS, layout::PARENT_WANTS_ROOM];
        SharedMemory {
            words: plain.into_iter().chain((0..layout::SLOTS).map(layout::claim_offset)).map(fresh).collect(),
            half_words: flags.into_iter().map(|offset| (offset, AtomicU32::new(0))).collect(),
            data: (layout::TO_WORKER_DATA..layout::LENGTH).map(|_| Byte(UnsafeCell::new(0))).collect(),
            futex: (Mutex::new(()), Condvar::new()),
        }
    }

    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        &self.words[&offset]
    }

    pub(super) fn half_word(&self, offset: usize) -> &AtomicU32 {
        &self.half_words[&offset]
    }

    pub(super) fn copy_in(&self, offset: usize, bytes: &[u8]) {
        for (cell, byte) in self.cells(offset, bytes.len()).iter().zip(bytes) {
            cell.write(*byte);
        }
    }

    pub(super) fn copy_out(&self, offset: usize, into: &mut [u8]) {
        for (cell, byte) in self.cells(offset, into.len()).iter().zip(into) {
            *byte = cell.read();
        }
    }

    pub(super) fn append_out(&self, offset: usize, length: usize, into: &mut Vec<u8>) {
        into.extend(self.cells(offset, length).iter().map(Byte::read));
    }

    fn cells(&self, offset: usize, length: usize) -> &[Byte] {
        let start = offset - layout::TO_WORKER_DATA;
        &self.data[start..start + length]
    }

    /// Sleeps as the kernel does: it compares under a lock that [`wake`](SharedMemory::wake) also takes.
    pub(super) fn sleep_on(&self, offset: usize, expected: u32) -> io::Result<()> {
        assert_eq!(offset, layout::WORKER_SLEEPS);
        let (lock, woken) = &self.futex;
        let guard = lock.lock().expect("a model does not panic under a lock");
        if self.half_word(offset).load(loom::sync::atomic::Ordering::Relaxed) == expected {
            drop(woken.wait(guard).expect("a model does not panic under a lock"));
        }
        Ok(())
    }

    pub(super) fn wake(&self, offset: usize) {
        assert_eq!(offset, layout::WORKER_SLEEPS);
        let (lock, woken) = &self.futex;
        let guard = lock.lock().expect("a model does not panic under a lock");
        woken.notify_one();
        drop(guard);
    }
}

fn fresh(offset: usize) -> (usize, AtomicU64) {
    (offset, AtomicU64::new(0))
}

/// A byte whose accesses are checked by the model checker.
#[derive(Debug)]
struct Byte(UnsafeCell<u8>);

// SAFETY: the model checker ends the model before an access that races with another.
unsafe impl Sync for Byte {}

impl Byte {
    fn write(&self, byte: u8) {
        // SAFETY: the model checker has just found that no other thread may access this byte.
        self.0.with_mut(|pointer| unsafe { pointer.write(byte) });
    }

    fn read(&self) -> u8 {
        // SAFETY: the model checker has just found that no thread may be writing this byte.
        self.0.with(|pointer| unsafe { pointer.read() })
    }
}

/// The parent's doorbell. It rings until it is drained.
#[derive(Clone, Debug)]
pub(super) struct Doorbell(Arc<(Mutex<bool>, Condvar)>);

impl Doorbell {
    pub(super) fn on(_: Arc<OwnedFd>) -> Doorbell {
        Doorbell::new()
    }

    pub(super) fn new() -> Doorbell {
        Doorbell(Arc::new((Mutex::new(false), Condvar::new())))
    }

    pub(super) fn ring(&self) -> io::Result<()> {
        let (rings, rung) = &*self.0;
        *rings.lock().expect("a model does not panic under a lock") = true;
        rung.notify_one();
        Ok(())
    }

    pub(super) fn drain(&self) {
        *self.0.0.lock().expect("a model does not panic under a lock") = false;
    }

    /// Sleeps until the doorbell rings. The parent has no other way to sleep.
    pub(super) fn wait(&self) {
        let (rings, rung) = &*self.0;
        let mut rings = rings.lock().expect("a model does not panic under a lock");
        while !*rings {
            rings = rung.wait(rings).expect("a model does not panic under a lock");
        }
    }
}

thread_local! {
    /// All threads of a model run in one thread of the system, and several models may run at the same time.
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// Returns the time that the model has set.
pub(super) fn monotonic_now() -> Duration {
    Duration::from_nanos(NOW.get())
}

pub(super) fn set_time(nanoseconds: u64) {
    NOW.set(nanoseconds);
}
