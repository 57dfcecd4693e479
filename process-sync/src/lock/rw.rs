//! A lock for one writer or many readers.

use std::{
    cell::RefCell,
    fmt,
    marker::PhantomData,
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Error, deadline};

use super::word::OnDeath;
use crate::{
    errors,
    ledger::{Ledger, Opened},
    object::{Kind, Object, STATE, impl_handle},
    sleep::EventCount,
    thread,
    waiting::{Attempt, Sleep, wait_until},
};

static KIND: Kind = Kind {
    name: "reader-writer lock",
    file: c"concurrent-futures-rwlock",
    length: 12288,
    is_mapped_whole: false,
    on_death: |object| LEDGER.on_death(object, &[EVENTS]),
};

/// The readers, and these words.
const LEDGER: Ledger<6> = Ledger::at(STATE);
const EVENTS: EventCount = EventCount::at(LEDGER.end());
/// The number of the process that writes, and its thread.
const WRITER: usize = 1;
const WRITER_THREAD: usize = 2;
/// The number of a process that waits to write. New readers let it go first.
const WAITING_WRITER: usize = 3;
/// Whether a writer has died, and no process has recovered.
const IS_ABANDONED: usize = 4;

/// A lock that one writer has alone, or any number of readers together.
///
/// A reader that dies gives back its place. A writer that dies leaves the lock abandoned, as
/// [`Lock`](crate::Lock) describes. Readers that arrive while a writer waits let it go first, except in a thread that
/// reads already.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::RwLock;
/// let lock = RwLock::new()?;
/// let (first, second) = (lock.read()?, lock.read()?);
/// drop((first, second));
/// let alone = lock.write()?;
/// # drop(alone);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct RwLock {
    object: Arc<Object>,
}

impl_handle!(RwLock, &KIND, 0);

thread_local! {
    /// The locks that this thread reads, each as often as it has a guard.
    static READS: RefCell<Vec<*const Object>> = const { RefCell::new(Vec::new()) };
}

impl RwLock {
    /// Makes a lock that nothing holds.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn new() -> Result<RwLock, Error> {
        Ok(RwLock::with(Object::create(&KIND, 0, |_| {})?))
    }

    fn with(object: Arc<Object>) -> RwLock {
        RwLock { object }
    }

    /// Waits until no writer holds the lock, and reads until the guard is dropped.
    ///
    /// # Errors
    ///
    /// - [`Abandoned`](executor_core::ErrorKind::Abandoned) after a writer died; see [`recover`](RwLock::recover).
    /// - [`InvalidState`](executor_core::ErrorKind::InvalidState) if this thread writes.
    /// - [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
    pub fn read(&self) -> Result<ReadGuard<'_>, Error> {
        self.read_until(None)
    }

    /// Reads as [`read`](RwLock::read) does, but does not wait longer than this.
    ///
    /// # Errors
    ///
    /// As [`read`](RwLock::read), and [`Timeout`](executor_core::ErrorKind::Timeout).
    pub fn read_timeout(&self, timeout: Duration) -> Result<ReadGuard<'_>, Error> {
        self.read_until(deadline::after(Some(timeout)))
    }

    /// Returns a guard if that needs no wait.
    ///
    /// # Errors
    ///
    /// As [`read`](RwLock::read).
    pub fn try_read(&self) -> Result<Option<ReadGuard<'_>>, Error> {
        self.object.check()?;
        Ok(self.attempt_read(Attempt::First)?.map(|()| ReadGuard::new(self)))
    }

    /// Waits until nothing holds the lock, and holds it alone until the guard is dropped.
    ///
    /// # Errors
    ///
    /// As [`read`](RwLock::read), and [`InvalidState`](executor_core::ErrorKind::InvalidState) also if this thread
    /// reads.
    pub fn write(&self) -> Result<WriteGuard<'_>, Error> {
        self.write_until(OnDeath::Abandon, None)
    }

    /// Writes as [`write`](RwLock::write) does, but does not wait longer than this.
    ///
    /// # Errors
    ///
    /// As [`write`](RwLock::write), and [`Timeout`](executor_core::ErrorKind::Timeout).
    pub fn write_timeout(&self, timeout: Duration) -> Result<WriteGuard<'_>, Error> {
        self.write_until(OnDeath::Abandon, deadline::after(Some(timeout)))
    }

    /// Returns a guard if that needs no wait.
    ///
    /// # Errors
    ///
    /// As [`write`](RwLock::write).
    pub fn try_write(&self) -> Result<Option<WriteGuard<'_>>, Error> {
        self.object.check()?;
        Ok(self.attempt_write(OnDeath::Abandon, Attempt::First)?.map(|()| WriteGuard::new(self, true)))
    }

    /// Writes even if a writer has died. A healthy lock is written. A thread that holds the lock already, or a forked
    /// child, gets a guard that does nothing.
    pub fn recover(&self) -> WriteGuard<'_> {
        self.write_until(OnDeath::TakeOver, None).unwrap_or_else(|_| WriteGuard::new(self, false))
    }

    fn read_until(&self, deadline: Option<Instant>) -> Result<ReadGuard<'_>, Error> {
        self.object.check()?;
        let attempt = |attempt| self.attempt_read(attempt);
        match wait_until(&self.object, EVENTS, Sleep::for_holder(), deadline, attempt)? {
            Some(()) => Ok(ReadGuard::new(self)),
            None => Err(errors::timed_out(KIND.name, "the writer")),
        }
    }

    fn write_until(&self, on_death: OnDeath, deadline: Option<Instant>) -> Result<WriteGuard<'_>, Error> {
        self.object.check()?;
        let attempt = |attempt| self.attempt_write(on_death, attempt);
        match wait_until(&self.object, EVENTS, Sleep::for_holder(), deadline, attempt) {
            Ok(Some(())) => Ok(WriteGuard::new(self, true)),
            ended => {
                self.stop_waiting_to_write();
                ended?;
                Err(errors::timed_out(KIND.name, "its holders"))
            }
        }
    }

    fn attempt_read(&self, _: Attempt) -> Result<Option<()>, Error> {
        let mut state = LEDGER.open(&self.object);
        self.look_for_writer(&mut state, OnDeath::Abandon)?;
        if *state.word(WRITER) != 0 {
            return Ok(None);
        }
        let waiting = *state.word(WAITING_WRITER);
        if waiting != 0 && !self.is_read_by_this_thread() && self.is_alive(waiting) {
            return Ok(None);
        }
        state.add(1)?;
        state.commit();
        Ok(Some(()))
    }

    fn attempt_write(&self, on_death: OnDeath, attempt: Attempt) -> Result<Option<()>, Error> {
        if self.is_read_by_this_thread() {
            let message = format!("this thread reads with the {} already, and would wait for itself", KIND.name);
            return Err(errors::invalid_state(message));
        }
        let mut state = LEDGER.open(&self.object);
        self.look_for_writer(&mut state, on_death)?;
        if attempt == Attempt::BeforeSleep {
            state.holders.sweep(&self.object.member);
        }
        let me = u64::from(self.object.member.number());
        if *state.word(WRITER) != 0 || state.holders.total() > 0 {
            if attempt == Attempt::BeforeSleep {
                *state.word(WAITING_WRITER) = me;
                state.commit();
            }
            return Ok(None);
        }
        *state.word(WRITER) = me;
        *state.word(WRITER_THREAD) = thread::current(&self.object.member);
        *state.word(WAITING_WRITER) = 0;
        *state.word(IS_ABANDONED) = 0;
        state.commit();
        Ok(Some(()))
    }

    /// Finds out whether the writer has died, and what that means for this thread.
    fn look_for_writer(&self, state: &mut Opened<'_, 6>, on_death: OnDeath) -> Result<(), Error> {
        let writer = *state.word(WRITER);
        if writer != 0 {
            if *state.word(WRITER_THREAD) == thread::current(&self.object.member) {
                let message = format!("this thread writes with the {} already, and would wait for itself", KIND.name);
                return Err(errors::invalid_state(message));
            }
            if !self.is_alive(writer) {
                *state.word(WRITER) = 0;
                *state.word(IS_ABANDONED) = 1;
                state.commit();
                EVENTS.notify_all(&self.object.memory);
            }
        }
        let is_abandoned = *state.word(IS_ABANDONED) != 0;
        if is_abandoned && on_death == OnDeath::Abandon { Err(errors::abandoned(KIND.name)) } else { Ok(()) }
    }

    fn is_alive(&self, number: u64) -> bool {
        u32::try_from(number).is_ok_and(|number| self.object.member.is_alive(number))
    }

    fn is_read_by_this_thread(&self) -> bool {
        READS.with_borrow(|reads| reads.contains(&Arc::as_ptr(&self.object)))
    }

    /// A writer that gave up lets readers in. Another writer of this process that still waits says so again.
    fn stop_waiting_to_write(&self) {
        let mut state = LEDGER.open(&self.object);
        if *state.word(WAITING_WRITER) == u64::from(self.object.member.number()) {
            *state.word(WAITING_WRITER) = 0;
            state.commit();
            drop(state);
            EVENTS.notify_all(&self.object.memory);
        }
    }

    fn stop_reading(&self) {
        READS.with_borrow_mut(|reads| {
            if let Some(at) = reads.iter().rposition(|object| *object == Arc::as_ptr(&self.object)) {
                reads.swap_remove(at);
            }
        });
        if !self.object.member.is_here() {
            return;
        }
        let mut state = LEDGER.open(&self.object);
        state.holders.remove(self.object.member.number(), 1);
        let is_last = state.holders.total() == 0;
        state.commit();
        drop(state);
        if is_last {
            EVENTS.notify_all(&self.object.memory);
        }
    }

    fn stop_writing(&self) {
        if !self.object.member.is_here() {
            return;
        }
        let mut state = LEDGER.open(&self.object);
        *state.word(WRITER) = 0;
        *state.word(WRITER_THREAD) = 0;
        state.commit();
        drop(state);
        EVENTS.notify_all(&self.object.memory);
    }
}

impl fmt::Debug for RwLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = LEDGER.look(&self.object)[WRITER] != 0;
        f.debug_struct("RwLock").field("written", &written).finish_non_exhaustive()
    }
}

/// Reads with a [`RwLock`] until it is dropped. It stays in its thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct ReadGuard<'a> {
    lock: &'a RwLock,
    not_send: PhantomData<*const ()>,
}

impl<'a> ReadGuard<'a> {
    fn new(lock: &'a RwLock) -> ReadGuard<'a> {
        READS.with_borrow_mut(|reads| reads.push(Arc::as_ptr(&lock.object)));
        ReadGuard { lock, not_send: PhantomData }
    }
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        self.lock.stop_reading();
    }
}

impl fmt::Debug for ReadGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadGuard").finish_non_exhaustive()
    }
}

/// Holds a [`RwLock`] alone until it is dropped. It stays in its thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct WriteGuard<'a> {
    lock: &'a RwLock,
    held: bool,
    not_send: PhantomData<*const ()>,
}

impl<'a> WriteGuard<'a> {
    fn new(lock: &'a RwLock, held: bool) -> WriteGuard<'a> {
        WriteGuard { lock, held, not_send: PhantomData }
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        if self.held {
            self.lock.stop_writing();
        }
    }
}

impl fmt::Debug for WriteGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteGuard").finish_non_exhaustive()
    }
}
