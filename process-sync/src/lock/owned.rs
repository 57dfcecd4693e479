//! A lock word that knows which thread holds it.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use executor_core::Error;

use super::word::{Answer, LockWord, OnDeath};
use crate::{
    errors,
    object::Object,
    place::{Place, place},
    thread,
};

/// The place of such a lock in the memory of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnedLock {
    at: usize,
}

/// The offset of the owner, which only the holder of the lock writes. It is 0 before the lock is released.
const OWNER: usize = 8;

impl OwnedLock {
    /// The lock takes 16 bytes from an offset on that is a multiple of eight.
    pub(crate) const fn at(at: usize) -> OwnedLock {
        OwnedLock { at }
    }

    #[inline(always)]
    fn word(self, object: &Object) -> LockWord<'_> {
        LockWord::new(&object.memory, self.at, &object.member)
    }

    /// Takes the lock, and waits until the deadline for that. Returns `true` if it was taken over from a process that
    /// died.
    ///
    /// # Errors
    ///
    /// - `Broken` in a forked child.
    /// - `InvalidState` if this thread holds the lock, and would wait for itself.
    /// - `Abandoned` if a process died with the lock, unless this thread takes over.
    /// - `Timeout` at the deadline.
    #[inline(always)]
    pub(crate) fn acquire(self, object: &Object, on_death: OnDeath, deadline: Option<Instant>) -> Result<bool, Error> {
        if object.member.is_here() {
            place(Place::BeforeLock);
            if self.word(object).acquire_free() {
                self.set_owner(object);
                return Ok(false);
            }
        }
        self.acquire_held(object, on_death, deadline)
    }

    #[cold]
    #[inline(never)]
    fn acquire_held(self, object: &Object, on_death: OnDeath, deadline: Option<Instant>) -> Result<bool, Error> {
        object.check()?;
        if self.is_mine(object) {
            let message = format!("this thread holds the {} already, and would wait for itself", object.name());
            return Err(errors::invalid_state(message));
        }
        let answer = self.word(object).acquire(on_death, deadline);
        match answer {
            Answer::Held | Answer::TakenOver => {
                self.set_owner(object);
                Ok(answer == Answer::TakenOver)
            }
            Answer::Abandoned => Err(errors::abandoned(object.name())),
            Answer::TimedOut => Err(errors::timed_out(object.name(), "its holder")),
        }
    }

    /// Takes the lock if that needs no wait. Returns `true` if it did.
    pub(crate) fn try_acquire(self, object: &Object) -> Result<bool, Error> {
        object.check()?;
        match self.word(object).try_acquire(OnDeath::Abandon) {
            Answer::Held | Answer::TakenOver => {
                self.set_owner(object);
                Ok(true)
            }
            Answer::Abandoned => Err(errors::abandoned(object.name())),
            Answer::TimedOut => Ok(false),
        }
    }

    #[inline(always)]
    fn set_owner(self, object: &Object) {
        object.memory.word(self.at + OWNER).store(thread::current(&object.member), Relaxed);
    }

    /// Returns `true` if the calling thread holds the lock.
    #[inline]
    pub(crate) fn is_mine(self, object: &Object) -> bool {
        // ORDERING: only this thread writes its own number, and removes it before it releases the lock.
        self.word(object).is_held_by_this_process()
            && object.memory.word(self.at + OWNER).load(Relaxed) == thread::current(&object.member)
    }

    /// Releases the lock, which the calling thread holds. Does nothing in a forked child.
    #[inline(always)]
    pub(crate) fn release(self, object: &Object) {
        if object.member.is_here() {
            object.memory.word(self.at + OWNER).store(0, Relaxed);
            self.word(object).release();
        }
    }

    /// Does what [`Kind::on_death`](crate::object::Kind::on_death) says.
    pub(crate) fn on_death(self, object: &Object) {
        self.word(object).end_dead_possession();
    }

    /// Returns `true` if a living process holds the lock.
    pub(crate) fn is_held(self, object: &Object) -> bool {
        self.word(object).is_held()
    }
}
