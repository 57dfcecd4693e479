//! Semaphores: a number of permits that threads and processes take and give back.

use std::{fmt, sync::Arc, time::Duration};

use executor_core::{Error, deadline};

use crate::{
    errors,
    ledger::Ledger,
    object::{Kind, Object, STATE, impl_handle},
    sleep::EventCount,
    waiting::{Attempt, Sleep, wait_until},
};

static KIND: Kind = Kind {
    name: "semaphore",
    file: c"concurrent-futures-semaphore",
    length: 12288,
    is_mapped_whole: false,
    on_death: |object| LEDGER.on_death(object, &[EVENTS]),
};
static BOUNDED_KIND: Kind = Kind {
    name: "bounded semaphore",
    file: c"concurrent-futures-semaphore",
    length: KIND.length,
    is_mapped_whole: false,
    on_death: |object| LEDGER.on_death(object, &[EVENTS]),
};

/// The processes with permits, and these words.
const LEDGER: Ledger<4> = Ledger::at(STATE);
const EVENTS: EventCount = EventCount::at(LEDGER.end());
const AVAILABLE: usize = 1;
/// The most permits that there can be, held ones included.
const BOUND: usize = 2;

/// A number of permits. [`acquire`](Semaphore::acquire) takes one, and dropping the [`Permit`] gives it back.
///
/// The permits of a process that dies come back by themselves. Programs that count on purpose use
/// [`Permit::forget`] and [`release`](Semaphore::release), of which a death undoes nothing.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::Semaphore;
/// let downloads = Semaphore::new(2)?;
/// let (first, _second) = (downloads.acquire(None)?, downloads.acquire(None)?);
/// assert!(downloads.try_acquire()?.is_none());
/// drop(first);
/// assert_eq!(downloads.available(), 1);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct Semaphore {
    object: Arc<Object>,
}

impl_handle!(Semaphore, &KIND, 0);

/// A [`Semaphore`] that never has more permits than at first.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::BoundedSemaphore;
/// let connections = BoundedSemaphore::new(1)?;
/// let permit = connections.acquire(None)?;
/// let error = connections.release(1).unwrap_err();
/// assert_eq!(error.kind(), concurrent_futures::ErrorKind::InvalidState);
/// # drop(permit);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct BoundedSemaphore {
    object: Arc<Object>,
}

impl_handle!(BoundedSemaphore, &BOUNDED_KIND, 0);

impl Semaphore {
    /// Makes a semaphore with so many permits, which may be none.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn new(permits: usize) -> Result<Semaphore, Error> {
        // As many as `available` can return.
        Ok(Semaphore::with(create(&KIND, permits, usize::MAX as u64)?))
    }
}

impl BoundedSemaphore {
    /// Makes a semaphore with so many permits, which may be none, and never more.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn new(permits: usize) -> Result<BoundedSemaphore, Error> {
        Ok(BoundedSemaphore::with(create(&BOUNDED_KIND, permits, permits as u64)?))
    }
}

/// Both have the same methods.
macro_rules! permits {
    ($type:ident) => {
        impl $type {
            fn with(object: Arc<Object>) -> $type {
                $type { object }
            }

            /// Waits for a permit, and keeps it until it is dropped.
            ///
            /// # Errors
            ///
            /// [`Timeout`](executor_core::ErrorKind::Timeout), and [`Broken`](executor_core::ErrorKind::Broken) in a
            /// forked child.
            pub fn acquire(&self, timeout: impl Into<Option<Duration>>) -> Result<Permit<'_>, Error> {
                acquire(&self.object, timeout.into())
            }

            /// Returns a permit if one is available.
            ///
            /// # Errors
            ///
            /// [`Broken`](executor_core::ErrorKind::Broken) in a forked child.
            pub fn try_acquire(&self) -> Result<Option<Permit<'_>>, Error> {
                self.object.check()?;
                Ok(attempt(&self.object, Attempt::BeforeSleep)?.map(|()| Permit { object: &self.object }))
            }

            /// Adds so many permits.
            ///
            /// # Errors
            ///
            /// [`InvalidState`](executor_core::ErrorKind::InvalidState) if there would be more than the bound, or than
            /// can be counted. Permits that are held count, because they come back.
            pub fn release(&self, permits: usize) -> Result<(), Error> {
                release(&self.object, permits)
            }

            /// Returns how many permits can be acquired now.
            pub fn available(&self) -> usize {
                usize::try_from(LEDGER.look(&self.object)[AVAILABLE]).unwrap_or(usize::MAX)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type)).field("available", &self.available()).finish()
            }
        }
    };
}

permits!(Semaphore);
permits!(BoundedSemaphore);

fn create(kind: &'static Kind, permits: usize, bound: u64) -> Result<Arc<Object>, Error> {
    Object::create(kind, 0, |object| {
        let mut state = LEDGER.open(object);
        *state.word(AVAILABLE) = permits as u64;
        *state.word(BOUND) = bound;
        state.commit();
    })
}

fn acquire(object: &Object, timeout: Option<Duration>) -> Result<Permit<'_>, Error> {
    object.check()?;
    let deadline = deadline::after(timeout);
    match wait_until(object, EVENTS, Sleep::for_holder(), deadline, |kind| attempt(object, kind))? {
        Some(()) => Ok(Permit { object }),
        None => Err(errors::timed_out(object.name(), "a permit")),
    }
}

fn attempt(object: &Object, attempt: Attempt) -> Result<Option<()>, Error> {
    let mut state = LEDGER.open(object);
    if *state.word(AVAILABLE) == 0 && attempt == Attempt::BeforeSleep {
        *state.word(AVAILABLE) = state.holders.sweep(&object.member);
    }
    let left = match state.word(AVAILABLE).checked_sub(1) {
        Some(left) => left,
        None => return Ok(None),
    };
    *state.word(AVAILABLE) = left;
    state.add(1)?;
    state.commit();
    drop(state);
    if left > 0 {
        // The permits of a dead process come back together, and only this thread knows.
        EVENTS.notify_one(&object.memory);
    }
    Ok(Some(()))
}

fn release(object: &Object, permits: usize) -> Result<(), Error> {
    object.check()?;
    let mut state = LEDGER.open(object);
    let available = state.word(AVAILABLE).checked_add(permits as u64);
    let bound = *state.word(BOUND);
    let total = available.and_then(|available| available.checked_add(state.holders.total()));
    let (Some(available), Some(_)) = (available, total.filter(|total| *total <= bound)) else {
        let message =
            format!("a release of {permits} would exceed the bound of the {}, which is {bound}", object.name());
        return Err(errors::invalid_state(message));
    };
    *state.word(AVAILABLE) = available;
    state.commit();
    drop(state);
    notify(object, permits);
    Ok(())
}

fn notify(object: &Object, permits: usize) {
    if permits == 1 {
        EVENTS.notify_one(&object.memory);
    } else {
        EVENTS.notify_all(&object.memory);
    }
}

/// One of a semaphore's permits, which goes back when this is dropped.
#[must_use = "the permit goes back when it is dropped"]
pub struct Permit<'a> {
    object: &'a Object,
}

impl Permit<'_> {
    /// Keeps the permit from going back, even when this process ends. [`Semaphore::release`] adds one instead.
    pub fn forget(self) {
        self.give_up(0);
        std::mem::forget(self);
    }

    fn give_up(&self, returned: u64) {
        if !self.object.member.is_here() {
            return;
        }
        let mut state = LEDGER.open(self.object);
        if state.holders.remove(self.object.member.number(), 1) {
            *state.word(AVAILABLE) = state.word(AVAILABLE).saturating_add(returned);
            state.commit();
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.give_up(1);
        EVENTS.notify_one(&self.object.memory);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
