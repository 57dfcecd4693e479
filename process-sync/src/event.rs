//! An event that threads and processes wait for.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::Duration,
};

use executor_core::{Error, deadline};

use crate::{
    object::{Kind, Object, STATE, impl_handle},
    place::{Place, place},
    waiting::Sleep,
};

static KIND: Kind =
    Kind { name: "event", file: c"concurrent-futures-event", length: 4096, is_mapped_whole: false, on_death: wake_all };

/// ```text
/// bits 31 to 2      bit 1      bit 0
/// number of `set`   WAITERS    SET
/// ```
const WORD: usize = STATE;
const SET: u32 = 1;
const WAITERS: u32 = 2;
const ONE_SET: u32 = 4;

/// An event that is set or not, and that threads and processes wait for.
///
/// [`set`](Event::set) takes no lock and never waits, so a signal handler may call it. It wakes everyone who waits at
/// that moment, even if the event is cleared immediately after it.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use std::time::Duration;
/// use concurrent_futures::multiprocessing::Event;
/// let ready = Event::new()?;
/// assert!(!ready.wait(Duration::from_millis(1)));
/// ready.set();
/// assert!(ready.wait(None));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub struct Event {
    object: Arc<Object>,
}

impl_handle!(Event, &KIND, 0);

impl Event {
    /// Makes an event that is not set.
    ///
    /// # Errors
    ///
    /// If the system refuses memory or descriptors.
    pub fn new() -> Result<Event, Error> {
        Ok(Event::with(Object::create(&KIND, 0, |_| {})?))
    }

    fn with(object: Arc<Object>) -> Event {
        Event { object }
    }

    fn word(&self) -> &AtomicU32 {
        self.object.memory.half_word(WORD)
    }

    /// Sets the event, and wakes everyone who waits. Does nothing in a forked child.
    pub fn set(&self) {
        if !self.object.member.is_here() {
            return;
        }
        place(Place::BeforeCommit);
        // ORDERING: Release pairs with the Acquire of those who see that it is set.
        let before =
            self.word().fetch_update(AcqRel, Relaxed, |word| Some((word & !WAITERS).wrapping_add(ONE_SET) | SET));
        place(Place::BeforeNotification);
        if before.is_ok_and(|before| before & WAITERS != 0) {
            wake_all(&self.object);
        }
    }

    /// Clears the event. Does nothing in a forked child.
    pub fn clear(&self) {
        if self.object.member.is_here() {
            self.word().fetch_and(!SET, Relaxed);
        }
    }

    /// Returns `true` if the event is set.
    pub fn is_set(&self) -> bool {
        // ORDERING: Acquire, so that what was done before `set` is visible.
        self.word().load(Acquire) & SET != 0
    }

    /// Waits until the event is set. Returns `true` if it is or was set during the wait, and `false` if the time is
    /// over, or in a forked child.
    pub fn wait(&self, timeout: impl Into<Option<Duration>>) -> bool {
        let deadline = deadline::after(timeout.into());
        // ORDERING: Acquire as in `is_set`.
        let first = self.word().load(Acquire);
        let mut seen = first;
        let mut sleep = Sleep::ForChange;
        loop {
            if seen & SET != 0 || (seen ^ first) & !(SET | WAITERS) != 0 {
                return true;
            }
            if !self.object.member.is_here() {
                return false;
            }
            let asleep = seen | WAITERS;
            // If the flag is set already, this changes nothing.
            if let Err(now) = self.word().compare_exchange(seen, asleep, Relaxed, Acquire) {
                seen = now;
                continue;
            }
            let Some(time) = sleep.next(deadline) else { return false };
            self.object.memory.sleep_on(WORD, asleep, time);
            seen = self.word().load(Acquire);
        }
    }
}

/// Wakes everyone who waits. The process that set the event may have died before it did.
fn wake_all(object: &Object) {
    object.memory.wake(WORD, u32::MAX);
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish()
    }
}
