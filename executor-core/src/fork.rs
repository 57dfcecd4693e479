//! Noticing that this process is a forked copy of another one.
//!
//! A fork copies the memory of a pool, and none of its threads: whoever waits for such a pool in the child waits for
//! ever. So pools and tasks remember the [`Generation`] they were made in, and compare. Reading it is one load, unlike
//! asking the system for the process id.
//!
//! A new pool may be built in the child if the parent had no other threads. If it had, locks of other libraries, that
//! of `parking_lot`'s table of waiting threads among them, may be held in the child for ever, which POSIX says of
//! everything but a few functions.
//!
//! ```
//! let born = executor_core::fork::generation();
//! assert!(born.check().is_ok(), "nobody has forked since");
//! ```
#![allow(unsafe_code)]

use std::{
    ptr::null_mut,
    sync::{
        Once,
        atomic::{
            AtomicPtr, AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
};

use crate::{Error, ErrorKind};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the start of the program and this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u32);

/// The generation of this process.
#[inline]
pub fn generation() -> Generation {
    watch();
    // ORDERING: the child of a fork has one thread, the one that wrote it.
    Generation(FORKS.load(Relaxed))
}

impl Generation {
    /// # Errors
    ///
    /// [`ErrorKind::Broken`] if this process was forked since.
    pub fn check(self) -> Result<(), Error> {
        if self == generation() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Broken,
            "this executor belongs to the parent of this forked process, and its workers did not come along: \
             build a new one in the child, if its parent had no other threads, or start a program there",
        ))
    }
}

/// A value that the child of a fork gets anew: what lies in its parent's may be locked for ever, by a thread that did
/// not come along.
#[derive(Debug)]
pub(crate) struct Own<T>(AtomicPtr<(Generation, T)>);

impl<T: Default + Sync> Own<T> {
    pub(crate) const fn new() -> Own<T> {
        Own(AtomicPtr::new(null_mut()))
    }

    /// This process's. It lives as long as the process, for others may be looking at it.
    pub(crate) fn get(&self) -> &T {
        let now = generation();
        loop {
            // ORDERING: Acquire pairs with the Release of who puts it in: it is initialised.
            let found = self.0.load(Acquire);
            // SAFETY: what is in here came from a box that is never freed.
            if let Some((born, value)) = unsafe { found.as_ref() }
                && *born == now
            {
                return value;
            }
            let fresh = Box::into_raw(Box::new((now, T::default())));
            if self.0.compare_exchange(found, fresh, AcqRel, Acquire).is_err() {
                // SAFETY: it comes from a box, and nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

static WATCHED: Once = Once::new();

#[inline]
fn watch() {
    if !WATCHED.is_completed() {
        watch_first();
    }
}

#[cfg(unix)]
#[cold]
fn watch_first() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Relaxed);
    }
    WATCHED.call_once(|| {
        // SAFETY: the handler only touches an atomic, which is allowed in the child of a fork. A failure (no memory)
        // leaves forks unnoticed, as they would be without this.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

#[cfg(not(unix))]
#[cold]
fn watch_first() {
    WATCHED.call_once(|| {});
}
