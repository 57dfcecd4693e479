//! Noticing that this process is a forked copy of another one.
//!
//! A fork copies the memory of a pool, and none of its threads: whoever waits for such a pool in the child waits for ever.
//! So pools and tasks remember the [`Generation`] they were made in, and compare. Reading it is one load, unlike asking
//! the system for the process id.
//!
//! ```
//! let born = executor_core::fork::generation();
//! assert!(born.check().is_ok(), "nobody has forked since");
//! ```
#![allow(unsafe_code)]

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use crate::{Error, ErrorKind};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the start of the program and this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u32);

/// The generation of this process.
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
             build a new one in the child",
        ))
    }
}

#[cfg(unix)]
fn watch() {
    static ONCE: Once = Once::new();
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Relaxed);
    }
    ONCE.call_once(|| {
        // SAFETY: the handler only touches an atomic, which is allowed in the child of a fork. A failure (no memory)
        // leaves forks unnoticed, as they would be without this.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

#[cfg(not(unix))]
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {});
}
