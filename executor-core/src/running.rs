//! The task that the calling thread is running.
//!
//! This module depends only on the trait [`Running`]. So modules that the task depends on, such as `catch`, can read
//! its name.
#![allow(unsafe_code)]

use std::{any::Any, cell::Cell, mem, ptr::NonNull};

use crate::sync::thread_local;

/// A task that a thread can run: one of this process, or one that another process submitted.
///
/// It is `Sync`, because several threads can run parts of one task.
pub(crate) trait Running: Any + Sync {
    /// Returns the name that errors show.
    fn name(&self) -> &str;

    /// Returns the task itself, so that code above can find its type. The compiler converts it since Rust 1.86.
    fn as_any(&self) -> &dyn Any;
}

thread_local! {
    // Only `run_as` writes this, and only `with_current` and `current` read it. The referent lives as long as it is
    // stored here.
    static CURRENT: Cell<Option<&'static dyn Running>> = const { Cell::new(None) };
}

/// Runs code as this task. The task is borrowed, because counting a reference would cost two atomic operations.
#[inline]
pub(crate) fn run_as<R>(running: &dyn Running, code: impl FnOnce() -> R) -> R {
    /// Restores the outer task, even if the code unwinds.
    struct Restore(Option<&'static dyn Running>);
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            let _ = CURRENT.try_with(|current| current.set(self.0));
        }
    }
    // SAFETY: the borrow outlives this call, and `Restore` removes it from `CURRENT` before the call ends, even by a
    // panic. Until then only `with_current` reads it, on this thread, and lends it only during a call.
    let running = unsafe { mem::transmute::<&dyn Running, &'static dyn Running>(running) };
    // A thread whose thread-locals are gone is ending. Code that it still runs has no current task.
    let _restore = CURRENT.try_with(|current| Restore(current.replace(Some(running))));
    code()
}

/// Returns a pointer to the task that the calling code runs in. It is valid until that code has ended.
#[inline]
pub(crate) fn current() -> Option<NonNull<dyn Running>> {
    CURRENT.try_with(Cell::get).ok().flatten().map(NonNull::from)
}

/// Calls `read` with the task that the calling code runs in, if there is one.
pub(crate) fn with_current<R>(read: impl FnOnce(&dyn Running) -> R) -> Option<R> {
    CURRENT.try_with(Cell::get).ok().flatten().map(read)
}

/// Returns the name of the task that the calling code runs in, for errors.
pub(crate) fn current_name() -> String {
    with_current(|running| running.name().to_string()).unwrap_or_else(|| "unknown".to_string())
}
