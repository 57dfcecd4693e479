//! Detects that this process is a forked child of the process that created a pool or a task.
//!
//! A fork copies the memory of a pool but none of its threads, so waiting for such a pool in the child would never end.
//! Pools and tasks therefore store the [`Generation`] in which they were created, and compare it before they wait.
//! Reading the generation is one load, unlike asking the system for the process id.
//!
//! A new pool may be built in the child if the parent had no other threads at the fork. Otherwise a lock may be held
//! forever in the child, such as that of `parking_lot`'s table of parked threads: POSIX allows only async-signal-safe
//! functions in such a child.
//!
//! ```
//! # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
//! let born = concurrent_futures::backend::fork::generation();
//! assert!(born.check().is_ok(), "the process was not forked since");
//! ```
#![allow(unsafe_code)]

use std::{
    ptr::null_mut,
    sync::atomic::{
        AtomicPtr, AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use crate::{Error, ErrorKind};

/// The generation of this process: 0 until the handler that counts forks is registered, and then 1 more than the number
/// of forks.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Identifies this process among the one that was started and those that were forked from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u32);

/// Returns the generation of this process.
#[inline]
pub fn generation() -> Generation {
    // ORDERING: Acquire pairs with the Release in `watch`, so a thread that reads another number than 0 forks with the
    // handler. A forked child begins with one thread, and that thread wrote the number.
    match GENERATION.load(Acquire) {
        0 => watch(),
        generation => Generation(generation),
    }
}

/// Returns the generation of this process, for callers that know that [`generation`] was called before.
#[inline]
pub(crate) fn known_generation() -> Generation {
    // ORDERING: Relaxed, because the caller knows that the handler is registered.
    Generation(GENERATION.load(Relaxed))
}

impl Generation {
    /// Checks that this process is the one that this generation was read in.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Broken`] if this process was forked since.
    #[inline]
    pub fn check(self) -> Result<(), Error> {
        if self == known_generation() { Ok(()) } else { Err(forked()) }
    }
}

#[cold]
#[inline(never)]
fn forked() -> Error {
    Error::new(
        ErrorKind::Broken,
        "this executor belongs to the parent process, and a fork does not copy its workers: build a new executor in \
         the child if the parent had no other threads, or execute a new program there",
    )
}

/// A value of which a forked child creates its own instance. The copy of its parent's value may be locked forever by a
/// thread that does not exist in the child.
#[derive(Debug)]
pub(crate) struct Own<T>(AtomicPtr<(Generation, T)>);

impl<T: Default + Sync> Own<T> {
    pub(crate) const fn new() -> Own<T> {
        Own(AtomicPtr::new(null_mut()))
    }

    /// Returns this process's instance. It is never freed, because other threads may be using it.
    pub(crate) fn get(&self) -> &T {
        let now = generation();
        loop {
            // ORDERING: Acquire pairs with the Release of the exchange below, so the value is seen initialised.
            let found = self.0.load(Acquire);
            // SAFETY: the pointer is null or comes from a box that is never freed.
            if let Some((_, value)) = unsafe { found.as_ref() }.filter(|(born, _)| *born == now) {
                return value;
            }
            let fresh = Box::into_raw(Box::new((now, T::default())));
            if self.0.compare_exchange(found, fresh, AcqRel, Acquire).is_err() {
                // SAFETY: the pointer comes from a box, and the exchange failed, so no other thread has seen it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

/// Registers the handler, and returns the generation. If several threads call this concurrently, each registers it, and
/// a fork then adds more than one to the number, which still changes it. The threads must not wait for each other: if
/// the process forked during this call, the child would wait for a thread that it does not have.
#[cold]
#[inline(never)]
fn watch() -> Generation {
    #[cfg(unix)]
    {
        extern "C" fn in_child() {
            GENERATION.fetch_add(1, Relaxed);
        }
        // SAFETY: the handler only changes an atomic, which is async-signal-safe. If the call fails for lack of memory,
        // forks are not detected, as if this call did not exist.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
    // ORDERING: Release pairs with the Acquire in `generation`. Another thread may have come first.
    match GENERATION.compare_exchange(0, 1, Release, Relaxed) {
        Ok(_) => Generation(1),
        Err(other) => Generation(other),
    }
}
