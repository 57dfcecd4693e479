//! A lock for threads and processes.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use executor_core::{Error, deadline};

use super::{owned::OwnedLock, word::OnDeath};
use crate::object::{Kind, Object, STATE, impl_handle};

static KIND: Kind = Kind {
    name: "lock",
    file: c"concurrent-futures-lock",
    length: 4096,
    is_mapped_whole: false,
    on_death: |object| WORD.on_death(object),
};

const WORD: OwnedLock = OwnedLock::at(STATE);

/// A lock that threads and processes take, one at a time.
///
/// It protects something outside of it, such as a file. A [`Value`](crate::Value) or an [`Array`](crate::Array) has a
/// lock of its own.
///
/// If a process dies while it holds the lock, what the lock protects may be half changed. Then `lock` fails with
/// [`Abandoned`](executor_core::ErrorKind::Abandoned) in every process until one of them calls
/// [`recover`](Lock::recover), which returns the guard, so that no other thread sees the state before it is checked. A
/// panic that drops a guard abandons nothing.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::Lock;
/// fn append(_: &str) {}
/// let lock = Lock::new()?;
/// let guard = lock.lock().or_else(|error| match error.kind() {
///     concurrent_futures::ErrorKind::Abandoned => Ok(lock.recover()), // and check the file
///     _ => Err(error),
/// })?;
/// append("one line");
/// drop(guard);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct Lock {
    pub(crate) object: Arc<Object>,
}

impl_handle!(Lock, &KIND, 0);

impl Lock {
    /// Makes a lock that nothing holds.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn new() -> Result<Lock, Error> {
        Ok(Lock::with(Object::create(&KIND, 0, |_| {})?))
    }

    fn with(object: Arc<Object>) -> Lock {
        Lock { object }
    }

    /// Waits for the lock and holds it until the guard is dropped.
    ///
    /// # Errors
    ///
    /// - [`Abandoned`](executor_core::ErrorKind::Abandoned) after a process died with the lock; see
    ///   [`recover`](Lock::recover).
    /// - [`InvalidState`](executor_core::ErrorKind::InvalidState) if this thread holds the lock.
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
    #[inline]
    pub fn lock(&self) -> Result<Guard<'_>, Error> {
        WORD.acquire(&self.object, OnDeath::Abandon, None)?;
        Ok(Guard::held(self))
    }

    /// Waits for the lock as [`lock`](Lock::lock) does, but not longer than this.
    ///
    /// # Errors
    ///
    /// As [`lock`](Lock::lock), and [`Timeout`](executor_core::ErrorKind::Timeout).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Guard<'_>, Error> {
        WORD.acquire(&self.object, OnDeath::Abandon, deadline::after(Some(timeout)))?;
        Ok(Guard::held(self))
    }

    /// Returns the guard if no thread holds the lock. May learn late that a holder has died.
    ///
    /// # Errors
    ///
    /// [`Abandoned`](executor_core::ErrorKind::Abandoned) and [`Broken`](executor_core::ErrorKind::Broken), as
    /// [`lock`](Lock::lock).
    pub fn try_lock(&self) -> Result<Option<Guard<'_>>, Error> {
        Ok(WORD.try_acquire(&self.object)?.then(|| Guard::held(self)))
    }

    /// Holds the lock even if a process died with it. Other threads and processes can lock it again after that.
    ///
    /// A healthy lock is locked. A thread that holds the lock, or a forked child, gets a guard that does nothing.
    pub fn recover(&self) -> Guard<'_> {
        let held = WORD.acquire(&self.object, OnDeath::TakeOver, None).is_ok();
        Guard { lock: self, held, not_send: PhantomData }
    }

    /// Returns `true` if a thread of a living process holds the lock.
    pub fn is_locked(&self) -> bool {
        WORD.is_held(&self.object)
    }

    /// Releases the lock for a wait, and takes it again.
    pub(crate) fn release(&self) {
        WORD.release(&self.object);
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("locked", &self.is_locked()).finish()
    }
}

/// Holds a [`Lock`] until it is dropped. It stays in its thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct Guard<'a> {
    lock: &'a Lock,
    held: bool,
    not_send: PhantomData<*const ()>,
}

impl<'a> Guard<'a> {
    #[inline]
    fn held(lock: &'a Lock) -> Guard<'a> {
        Guard { lock, held: true, not_send: PhantomData }
    }

    pub(crate) fn lock(&self) -> &'a Lock {
        self.lock
    }

    /// Gives up the guard without releasing the lock. Returns the lock, and whether it is held.
    pub(crate) fn keep(mut self) -> (&'a Lock, bool) {
        (self.lock, std::mem::replace(&mut self.held, false))
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.held {
            WORD.release(&self.lock.object);
        }
    }
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use executor_core::{ErrorKind, codec::handles};

    use super::*;
    use crate::roster::Member;

    #[test]
    fn the_news_of_a_death_abandons_the_lock_of_the_dead_and_no_other() {
        let lock = Lock::new().expect("a lock");
        let word = lock.object.memory.half_word(STATE);
        let file = handles::find(lock.object.file().name()).expect("it lives");
        file.receiver_ended();
        assert_eq!(word.load(Relaxed), 0);
        let guard = lock.lock().expect("free");
        file.receiver_ended();
        assert!(lock.is_locked() && lock.try_lock().expect("held").is_none());
        drop(guard);
        // A number that no process has.
        word.store(Member::home().expect("a home").number() + 1_000_000, Relaxed);
        assert!(lock.try_lock().expect("it asks for no death").is_none());
        file.receiver_ended();
        assert_eq!(lock.try_lock().expect_err("a process died with it").kind(), ErrorKind::Abandoned);
        drop(lock.recover());
        drop(lock.lock().expect("healthy"));
    }
}
