//! What the calling thread runs at this moment.
#![allow(unsafe_code)]

use std::{cell::Cell, mem, sync::Arc};

use super::{Remote, cell::TaskRef};
use crate::sync::thread_local;

/// A task that is being run, borrowed from the one who runs it: to note it down costs no counting.
#[derive(Clone, Copy)]
pub(super) enum Running<'a> {
    /// One of this process.
    Here(&'a TaskRef),
    /// One that another process has submitted.
    Remote(&'a Arc<Remote>),
}

thread_local! {
    // Only `run_as` writes it, and only `look` reads it. What it refers to lives as long as it stands here.
    static CURRENT: Cell<Option<Running<'static>>> = const { Cell::new(None) };
}

/// Runs code as this task.
#[inline]
pub(super) fn run_as<R>(running: Running<'_>, code: impl FnOnce() -> R) -> R {
    /// Puts the outer task back, also when the code unwinds.
    struct Restore(Option<Running<'static>>);
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            let _ = CURRENT.try_with(|current| current.set(self.0));
        }
    }
    // SAFETY: the borrow outlives this call, and before the call is over, by a panic too, `Restore` has taken it away
    // again. Until then it is reached through `look` alone, on this thread, which shows it for less than its lifetime.
    let running = unsafe { mem::transmute::<Running<'_>, Running<'static>>(running) };
    // A thread whose locals are gone already is ending. What it still runs, runs without knowing about itself.
    let _restore = CURRENT.try_with(|current| Restore(current.replace(Some(running))));
    code()
}

/// Looks at the task that the calling code runs in. The reference ends with the look, whoever looks.
pub(super) fn look<R>(see: impl for<'a> FnOnce(Running<'a>) -> R) -> Option<R> {
    CURRENT.try_with(Cell::get).ok().flatten().map(see)
}
