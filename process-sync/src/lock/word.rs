//! A lock that survives its holder, in one half word of shared memory.
//!
//! ```text
//! bit 31     bit 30     bits 29 to 0
//! WAITERS    ABANDONED  the number of the process that holds the lock, or 0
//! ```
//!
//! | from | to | who |
//! |---|---|---|
//! | free | held by P | any thread of P |
//! | held by P | free | the thread of P that holds it |
//! | held by P, P is dead | held by Q | a thread of Q that [takes over](OnDeath::TakeOver) |
//! | held by P, P is dead | abandoned, free | any thread that [abandons](OnDeath::Abandon) |
//! | abandoned, free | held by Q | a thread of Q that recovers |
//!
//! WAITERS is set while threads may be asleep. A thread sets it before it sleeps, and keeps it set when it gets the
//! lock after it slept, because it does not know of others. The thread that frees the lock wakes one.
//!
//! Only a dead process can be stuck in a number: numbers are never given twice, so the word of a dead holder changes
//! only by the exchange that ends its possession, and only one such exchange succeeds. Whether a process is dead is
//! asked of the kernel, and only after the lock was found held and before each sleep. A sleep is at most
//! [`LONGEST_REST`] long, so the wake-up that a dead process has not sent or has not received delays the others, and
//! does not stop them.

use std::{
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
    time::{Duration, Instant},
};

use crate::{
    place::{Place, place},
    sync::{AtomicU32, LONGEST_PAUSE, Member, SPINS, SharedMemory, pause},
};

const WAITERS: u32 = 1 << 31;
const ABANDONED: u32 = 1 << 30;
const HOLDER: u32 = ABANDONED - 1;

/// A process with a higher number could not be told from the flags.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) const HIGHEST_NUMBER: u32 = HOLDER;

/// How long a thread sleeps at first before it asks whether the holder is alive, and how long at most.
const FIRST_REST: Duration = Duration::from_millis(10);
pub(crate) const LONGEST_REST: Duration = Duration::from_millis(100);

/// How long a thread sees a holder that shows no sign of holding the lock before it takes over, and how often it looks
/// meanwhile.
const LONGEST_DOUBT: Duration = if cfg!(test) { Duration::from_millis(200) } else { Duration::from_secs(10) };
const DOUBTFUL_LOOKS: u32 = 20;

/// What a thread does about a holder that has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDeath {
    /// It becomes the holder, and knows what to do with what it finds.
    TakeOver,
    /// The lock is given to no thread before a thread takes over.
    Abandon,
}

/// The answer to a thread that wants the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Answer {
    /// The thread holds the lock, and must release it.
    Held,
    /// The thread holds the lock, which it took over from a dead process or found abandoned, and must release it.
    TakenOver,
    /// A process died with the lock, and no thread has taken over.
    Abandoned,
    /// The lock is held by another thread, and the time is over.
    TimedOut,
}

/// How long a thread sleeps before it checks again, which becomes longer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest(Duration);

impl Rest {
    pub(crate) const fn new() -> Rest {
        Rest(FIRST_REST)
    }

    /// Returns the length of the next sleep, which ends at the deadline. `None` means that the deadline has passed.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Option<Duration> {
        let rest = self.0;
        self.0 = (rest * 2).min(LONGEST_REST);
        let Some(deadline) = deadline else { return Some(rest) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { None } else { Some(rest.min(left)) }
    }
}

/// Since when a thread has seen the same word, whose holder shows no sign of holding the lock.
#[derive(Debug, Default)]
struct Doubt {
    word: u32,
    since: Option<Instant>,
    looks: u32,
}

impl Doubt {
    /// Adds a look. Returns `true` once no process can hold the lock.
    fn look(&mut self, word: u32, is_real: bool) -> bool {
        if is_real || word != self.word {
            *self = Doubt { word, since: None, looks: 0 };
        }
        if is_real {
            return false;
        }
        self.looks += 1;
        let since = *self.since.get_or_insert_with(Instant::now);
        self.looks >= DOUBTFUL_LOOKS && since.elapsed() >= LONGEST_DOUBT
    }
}

/// The lock at a place of shared memory, as one process sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockWord<'a> {
    memory: &'a SharedMemory,
    at: usize,
    member: &'a Member,
}

impl<'a> LockWord<'a> {
    #[inline]
    pub(crate) fn new(memory: &'a SharedMemory, at: usize, member: &'a Member) -> LockWord<'a> {
        LockWord { memory, at, member }
    }

    #[inline]
    fn word(&self) -> &'a AtomicU32 {
        self.memory.half_word(self.at)
    }

    /// Takes the lock if it is free and no process died with it.
    #[inline]
    pub(crate) fn acquire_free(&self) -> bool {
        // ORDERING: Acquire pairs with the Release of the exchange by which the last holder released it.
        self.word().compare_exchange(0, self.member.number(), Acquire, Relaxed).is_ok()
    }

    /// Takes the lock, and waits until the deadline for that.
    #[inline]
    pub(crate) fn acquire(&self, on_death: OnDeath, deadline: Option<Instant>) -> Answer {
        if self.acquire_free() { Answer::Held } else { self.acquire_held(on_death, deadline, &|_| true) }
    }

    /// Takes the lock, also from a process that is alive and for a long time [not really](Doubt) its holder. `is_real`
    /// returns `true` if there is another sign that the process with this number holds the lock.
    #[inline]
    pub(crate) fn acquire_doubting(&self, is_real: &dyn Fn(u32) -> bool) -> Answer {
        if self.acquire_free() { Answer::Held } else { self.acquire_held(OnDeath::TakeOver, None, is_real) }
    }

    /// Takes the lock if that needs no wait.
    pub(crate) fn try_acquire(&self, on_death: OnDeath) -> Answer {
        if self.acquire_free() {
            return Answer::Held;
        }
        loop {
            let seen = self.word().load(Relaxed);
            if let Some(answer) = self.acquire_seen(seen, 0, on_death) {
                return answer;
            }
            if seen & HOLDER != 0 {
                return Answer::TimedOut;
            }
        }
    }

    #[cold]
    fn acquire_held(&self, on_death: OnDeath, deadline: Option<Instant>, is_real: &dyn Fn(u32) -> bool) -> Answer {
        // WAITERS once this thread has slept, because others may sleep too.
        let mut slept = 0;
        let mut rest = Rest::new();
        let mut doubt = Doubt::default();
        let mut spins = 0;
        loop {
            let seen = self.word().load(Relaxed);
            if let Some(answer) = self.acquire_seen(seen, slept, on_death) {
                return answer;
            }
            if seen & HOLDER == 0 {
                // Another thread was faster.
                continue;
            }
            if spins < SPINS {
                spins += 1;
                // Each look takes the word from its holder, so looks become rarer, and the holder can come back
                // meanwhile.
                (0..1 << spins.min(LONGEST_PAUSE)).for_each(|_| pause());
                continue;
            }
            let asleep = seen | WAITERS;
            if seen != asleep && self.word().compare_exchange(seen, asleep, Relaxed, Relaxed).is_err() {
                continue;
            }
            slept = WAITERS;
            if doubt.look(asleep, is_real(seen & HOLDER)) {
                if let Some(answer) = self.end_possession(asleep, on_death) {
                    return answer;
                }
                continue;
            }
            if !self.member.is_alive(seen & HOLDER) {
                if let Some(answer) = self.end_possession(asleep, on_death) {
                    return answer;
                }
                continue;
            }
            let Some(time) = rest.next(deadline) else { return Answer::TimedOut };
            self.memory.sleep_on(self.at, asleep, time);
        }
    }

    /// Takes the lock if the word, as it was seen, has no holder. `None` means that it has, or that the word has
    /// changed.
    fn acquire_seen(&self, seen: u32, slept: u32, on_death: OnDeath) -> Option<Answer> {
        if seen & HOLDER != 0 {
            return None;
        }
        if seen & ABANDONED != 0 && on_death == OnDeath::Abandon {
            return Some(Answer::Abandoned);
        }
        let held = self.member.number() | (seen & WAITERS) | slept;
        // ORDERING: Acquire as in `acquire_free`. Of an abandoned lock, it pairs with the Release in `end_possession`.
        self.word().compare_exchange(seen, held, Acquire, Relaxed).ok()?;
        Some(if seen & ABANDONED == 0 { Answer::Held } else { Answer::TakenOver })
    }

    /// Ends the possession of a holder that has died. `None` means that another thread did, and the word has changed.
    #[cold]
    fn end_possession(&self, seen: u32, on_death: OnDeath) -> Option<Answer> {
        match on_death {
            OnDeath::TakeOver => {
                // ORDERING: what the dead process wrote is visible, because the kernel has a lock of its own around the
                // record locks, which the process released by its death and the question took after that.
                self.word().compare_exchange(seen, self.member.number() | WAITERS, Acquire, Relaxed).ok()?;
                Some(Answer::TakenOver)
            }
            OnDeath::Abandon => {
                // ORDERING: Release passes on to the thread that recovers what this thread knows of the dead process.
                self.word().compare_exchange(seen, ABANDONED, Release, Relaxed).ok()?;
                self.memory.wake(self.at, u32::MAX);
                Some(Answer::Abandoned)
            }
        }
    }

    /// Abandons the lock if its holder has died, and wakes the threads that wait for it. A thread that takes over finds
    /// it as if it had found the dead holder itself.
    #[cold]
    pub(crate) fn end_dead_possession(&self) {
        let seen = self.word().load(Relaxed);
        let holder = seen & HOLDER;
        if holder != 0 && !self.member.is_alive(holder) {
            // If another thread was faster, the word has changed.
            let _ = self.end_possession(seen, OnDeath::Abandon);
        }
        // A wake-up may have died with its receiver.
        self.memory.wake(self.at, u32::MAX);
    }

    /// Releases the lock, which the calling thread holds.
    #[inline]
    pub(crate) fn release(&self) {
        // ORDERING: Release pairs with the Acquire of the next holder.
        if self.word().compare_exchange(self.member.number(), 0, Release, Relaxed).is_err() {
            release_and_wake(self.memory, self.at);
        }
    }

    /// Returns `true` if a living process holds the lock.
    pub(crate) fn is_held(&self) -> bool {
        let holder = self.word().load(Relaxed) & HOLDER;
        holder != 0 && self.member.is_alive(holder)
    }

    /// Returns `true` if a thread of this process holds the lock.
    #[inline]
    pub(crate) fn is_held_by_this_process(&self) -> bool {
        self.word().load(Relaxed) & HOLDER == self.member.number()
    }
}

/// Ends the release of a lock that others may wait for. It has no [`LockWord`], so that a release that wakes no thread
/// need not put one into memory for it.
#[cold]
fn release_and_wake(memory: &SharedMemory, at: usize) {
    // ORDERING: as in `release`.
    if memory.half_word(at).swap(0, Release) & WAITERS != 0 {
        place(Place::BeforeNotification);
        memory.wake(at, 1);
    }
}
