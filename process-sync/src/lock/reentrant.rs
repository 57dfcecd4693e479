//! A lock that its holder can take again.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use executor_core::{Error, deadline};

use super::{owned::OwnedLock, word::OnDeath};
use crate::{
    errors,
    object::{Kind, Object, STATE, impl_handle},
};

static KIND: Kind = Kind {
    name: "reentrant lock",
    file: c"concurrent-futures-rlock",
    length: 4096,
    is_mapped_whole: false,
    on_death: |object| WORD.on_death(object),
};

const WORD: OwnedLock = OwnedLock::at(STATE);
/// How often the holder has the lock. Only the holder reads and writes it.
const DEPTH: usize = STATE + 16;

/// A [`Lock`](crate::Lock) that the thread that holds it can take again. It is free when the last guard is dropped.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::RLock;
/// let lock = RLock::new()?;
/// let outer = lock.lock()?;
/// let inner = lock.lock()?;
/// drop(outer);
/// assert!(lock.is_locked());
/// drop(inner);
/// assert!(!lock.is_locked());
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct RLock {
    object: Arc<Object>,
}

impl_handle!(RLock, &KIND, 0);

impl RLock {
    /// Makes a lock that nothing holds.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn new() -> Result<RLock, Error> {
        Ok(RLock::with(Object::create(&KIND, 0, |_| {})?))
    }

    fn with(object: Arc<Object>) -> RLock {
        RLock { object }
    }

    /// Waits for the lock, unless this thread holds it, and holds it until the guard is dropped.
    ///
    /// # Errors
    ///
    /// - [`Abandoned`](executor_core::ErrorKind::Abandoned) after a process died with the lock; see
    ///   [`recover`](RLock::recover).
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
    pub fn lock(&self) -> Result<RGuard<'_>, Error> {
        self.acquire(OnDeath::Abandon, None)
    }

    /// Waits for the lock as [`lock`](RLock::lock) does, but not longer than this.
    ///
    /// # Errors
    ///
    /// As [`lock`](RLock::lock), and [`Timeout`](executor_core::ErrorKind::Timeout).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<RGuard<'_>, Error> {
        self.acquire(OnDeath::Abandon, deadline::after(Some(timeout)))
    }

    /// Returns the guard if no other thread holds the lock. May learn late that a holder has died.
    ///
    /// # Errors
    ///
    /// As [`lock`](RLock::lock).
    pub fn try_lock(&self) -> Result<Option<RGuard<'_>>, Error> {
        self.object.check()?;
        if WORD.is_mine(&self.object) {
            return self.enter_again().map(Some);
        }
        Ok(WORD.try_acquire(&self.object)?.then(|| self.entered()))
    }

    /// Holds the lock even if a process died with it. A healthy lock is locked. A forked child gets a guard that does
    /// nothing.
    pub fn recover(&self) -> RGuard<'_> {
        self.acquire(OnDeath::TakeOver, None).unwrap_or_else(|_| RGuard::new(self, false))
    }

    /// Returns `true` if a thread of a living process holds the lock.
    pub fn is_locked(&self) -> bool {
        WORD.is_held(&self.object)
    }

    fn acquire(&self, on_death: OnDeath, deadline: Option<Instant>) -> Result<RGuard<'_>, Error> {
        self.object.check()?;
        if WORD.is_mine(&self.object) {
            return self.enter_again();
        }
        WORD.acquire(&self.object, on_death, deadline)?;
        Ok(self.entered())
    }

    fn entered(&self) -> RGuard<'_> {
        self.object.memory.word(DEPTH).store(1, Relaxed);
        RGuard::new(self, true)
    }

    fn enter_again(&self) -> Result<RGuard<'_>, Error> {
        let depth = self.object.memory.word(DEPTH);
        let deeper = depth.load(Relaxed).checked_add(1).ok_or_else(|| errors::overwritten(KIND.name))?;
        depth.store(deeper, Relaxed);
        Ok(RGuard::new(self, true))
    }

    fn leave(&self) {
        if !self.object.member.is_here() {
            return;
        }
        let depth = self.object.memory.word(DEPTH);
        match depth.load(Relaxed).saturating_sub(1) {
            0 => WORD.release(&self.object),
            left => depth.store(left, Relaxed),
        }
    }
}

impl fmt::Debug for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLock").field("locked", &self.is_locked()).finish()
    }
}

/// Holds an [`RLock`] until it is dropped. It stays in its thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct RGuard<'a> {
    lock: &'a RLock,
    held: bool,
    not_send: PhantomData<*const ()>,
}

impl<'a> RGuard<'a> {
    fn new(lock: &'a RLock, held: bool) -> RGuard<'a> {
        RGuard { lock, held, not_send: PhantomData }
    }
}

impl Drop for RGuard<'_> {
    fn drop(&mut self) {
        if self.held {
            self.lock.leave();
        }
    }
}

impl fmt::Debug for RGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RGuard").finish_non_exhaustive()
    }
}
