//! A state in shared memory that is changed as a whole: a lock, and two copies of the state, one of which counts.
//!
//! README.md in this folder has the argument why a process can die anywhere in here.

#[cfg(all(test, loom))]
mod model;

use std::{
    marker::PhantomData,
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
    time::{Duration, Instant},
};

use bytemuck::Pod;

use crate::{
    lock::word::{Answer, LockWord, OnDeath},
    place::{Place, place},
    sync::{Member, SharedMemory, fence, pause},
};

/// The lock, the version, and the two copies, each from a cache line of its own on.
const VERSION: usize = 8;
const COPIES: usize = 64;
const LINE: usize = 64;

/// How often a reader without the lock tries to find a copy that is not being changed.
const LOOKS: usize = 64;
/// How long it then waits for the lock, before it takes what it finds.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// The place of a monitor in the memory of an object, and the type of its state.
///
/// A state consists of words. It may be followed by further bytes, which are changed together with it.
#[derive(Debug)]
pub(crate) struct Monitor<S> {
    at: usize,
    /// The size of a copy, further bytes included.
    size: usize,
    state: PhantomData<fn() -> S>,
}

impl<S> Clone for Monitor<S> {
    fn clone(&self) -> Monitor<S> {
        *self
    }
}

impl<S> Copy for Monitor<S> {}

impl<S: Pod> Monitor<S> {
    /// A monitor at an offset that is a multiple of 64.
    #[cfg_attr(not(loom), allow(dead_code))]
    pub(crate) const fn at(at: usize) -> Monitor<S> {
        Monitor::with_further(at, 0)
    }

    /// A monitor whose state is followed by so many bytes.
    pub(crate) const fn with_further(at: usize, further: usize) -> Monitor<S> {
        assert!(at & (LINE - 1) == 0 && size_of::<S>() & 7 == 0 && align_of::<S>() == align_of::<u64>());
        Monitor { at, size: size_of::<S>() + further, state: PhantomData }
    }

    /// Returns the offset after the monitor, a multiple of 64.
    pub(crate) const fn end(self) -> usize {
        self.copy(2)
    }

    /// Returns the offset of the copy that counts in this version.
    const fn copy(self, version: u64) -> usize {
        let copies = if version == 2 { 2 } else { version & 1 };
        self.at + COPIES + copies as usize * self.size.div_ceil(LINE) * LINE
    }

    fn lock<'a>(self, memory: &'a SharedMemory, member: &'a Member) -> LockWord<'a> {
        LockWord::new(memory, self.at, member)
    }

    /// Enters, waits for other threads for that, and takes over from a dead process.
    #[inline]
    pub(crate) fn enter<'a>(self, memory: &'a SharedMemory, member: &'a Member) -> Entered<'a, S> {
        let mut entered = self.enter_unread(memory, member);
        entered.read();
        entered
    }

    /// Enters, and leaves it to the caller to [read](Entered::read) the state, at the place where it stays.
    #[inline(always)]
    pub(crate) fn enter_unread<'a>(self, memory: &'a SharedMemory, member: &'a Member) -> Entered<'a, S> {
        place(Place::BeforeLock);
        match self.lock(memory, member).acquire(OnDeath::TakeOver, None) {
            Answer::Held | Answer::TakenOver => {}
            Answer::Abandoned | Answer::TimedOut => unreachable!("it takes over and has no deadline"),
        }
        self.entered(memory, member)
    }

    /// Enters as [`enter`](Monitor::enter) does, and also takes over from a process that `is_real` says is not really
    /// the holder.
    #[inline]
    pub(crate) fn enter_doubting<'a>(
        self,
        memory: &'a SharedMemory,
        member: &'a Member,
        is_real: &dyn Fn(u32) -> bool,
    ) -> Entered<'a, S> {
        place(Place::BeforeLock);
        match self.lock(memory, member).acquire_doubting(is_real) {
            Answer::Held | Answer::TakenOver => {}
            Answer::Abandoned | Answer::TimedOut => unreachable!("it takes over and has no deadline"),
        }
        let mut entered = self.entered(memory, member);
        entered.read();
        entered
    }

    /// Ends the possession of a process that has died, and wakes the threads that wait to enter.
    pub(crate) fn on_death(self, memory: &SharedMemory, member: &Member) {
        self.lock(memory, member).end_dead_possession();
    }

    #[inline(always)]
    fn entered<'a>(self, memory: &'a SharedMemory, member: &'a Member) -> Entered<'a, S> {
        // ORDERING: only the holder of the lock writes the version, and the lock orders the holders.
        let version = memory.word(self.at + VERSION).load(Relaxed);
        place(Place::Inside);
        Entered { monitor: self, memory, member, version, state: S::zeroed() }
    }

    /// Returns the state as it was at one instant, without the lock where that is possible. Ends even if another
    /// process writes wildly.
    pub(crate) fn look(self, memory: &SharedMemory, member: &Member) -> S {
        let mut state = S::zeroed();
        self.look_at(memory, member, 0, bytemuck::bytes_of_mut(&mut state));
        state
    }

    /// Returns the state as it was at one instant, if no other thread is changing it.
    pub(crate) fn look_without_lock(self, memory: &SharedMemory) -> Option<S> {
        let mut state = S::zeroed();
        self.look_once(memory, 0, bytemuck::bytes_of_mut(&mut state)).then_some(state)
    }

    /// Reads the bytes after the state, as [`look`](Monitor::look) reads the state.
    pub(crate) fn look_further(self, memory: &SharedMemory, member: &Member, into: &mut [u8]) {
        self.look_at(memory, member, size_of::<S>(), into);
    }

    fn look_at(self, memory: &SharedMemory, member: &Member, offset: usize, into: &mut [u8]) {
        for _ in 0..LOOKS {
            if self.look_once(memory, offset, into) {
                return;
            }
            pause();
        }
        let lock = self.lock(memory, member);
        let answer = lock.acquire(OnDeath::TakeOver, Instant::now().checked_add(LONGEST_LOOK));
        let version = memory.word(self.at + VERSION).load(Relaxed);
        memory.copy_out(self.copy(version & 1) + offset, into);
        if answer != Answer::TimedOut {
            lock.release();
        }
    }

    /// Reads from the copy that counts. Returns `false` if it was given up meanwhile.
    fn look_once(self, memory: &SharedMemory, offset: usize, into: &mut [u8]) -> bool {
        let version = memory.word(self.at + VERSION);
        // ORDERING: Acquire pairs with the Release of the store that made this copy count.
        let before = version.load(Acquire);
        memory.copy_out(self.copy(before & 1) + offset, into);
        // ORDERING: pairs with the fence in `commit`: if the copy has anything of the second commit after this version,
        // the load below sees the first.
        fence(Acquire);
        version.load(Relaxed) == before
    }
}

/// The possession of a monitor. Dropping it leaves; what was not committed is as if it had never happened.
#[derive(Debug)]
pub(crate) struct Entered<'a, S: Pod> {
    monitor: Monitor<S>,
    memory: &'a SharedMemory,
    member: &'a Member,
    version: u64,
    /// The state, which is this thread's until it commits.
    pub(crate) state: S,
}

impl<S: Pod> Entered<'_, S> {
    /// Reads the state that was committed last.
    #[inline(always)]
    pub(crate) fn read(&mut self) {
        let copy = self.monitor.copy(self.version & 1);
        self.memory.load_words(copy, bytemuck::cast_slice_mut(std::slice::from_mut(&mut self.state)));
    }

    /// Makes the changed state count, by one store.
    #[inline]
    #[cfg_attr(not(loom), allow(dead_code))]
    pub(crate) fn commit(&mut self) {
        self.commit_with(&[]);
    }

    /// Makes the changed state and these bytes after it count, by one store.
    #[inline(always)]
    pub(crate) fn commit_with(&mut self, further: &[u8]) {
        debug_assert!(size_of::<S>() + further.len() <= self.monitor.size);
        let next = self.version.wrapping_add(1);
        let copy = self.monitor.copy(next & 1);
        // ORDERING: pairs with the fence in `look_once`. This copy was given up by the commit before, and a reader that
        // sees one of the stores below also sees that commit.
        fence(Release);
        self.memory.store_words(copy, bytemuck::cast_slice(std::slice::from_ref(&self.state)));
        if !further.is_empty() {
            self.memory.copy_in(copy + size_of::<S>(), further);
        }
        place(Place::BeforeCommit);
        // ORDERING: Release makes the copy visible before it counts.
        self.memory.word(self.monitor.at + VERSION).store(next, Release);
        self.version = next;
        place(Place::AfterCommit);
    }

    /// Returns `true` unless another process has taken over, or has overwritten the lock.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.monitor.lock(self.memory, self.member).is_held_by_this_process()
    }

    /// Leaves without a change to the lock, which another process has.
    #[cold]
    pub(crate) fn give_up(self) {
        std::mem::forget(self);
    }

    /// Reads the bytes after the state that were committed last.
    pub(crate) fn read_further(&self, into: &mut [u8]) {
        debug_assert!(size_of::<S>() + into.len() <= self.monitor.size);
        self.memory.copy_out(self.monitor.copy(self.version & 1) + size_of::<S>(), into);
    }
}

impl<S: Pod> Drop for Entered<'_, S> {
    #[inline]
    fn drop(&mut self) {
        self.monitor.lock(self.memory, self.member).release();
        place(Place::BeforeNotification);
    }
}
