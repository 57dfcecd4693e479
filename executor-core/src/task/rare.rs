//! What few tasks have: options that are not the default, and waiters.
#![allow(unsafe_code)]

use std::{
    ptr::null_mut,
    sync::atomic::{AtomicPtr, Ordering::*},
};

use super::waiter::Waiters;
use crate::{TaskOptions, options::Settings};

/// The rare parts of a task, in an allocation of their own. A task without options has none until something waits for
/// it, so a cell spends one word on all of them.
///
/// The pointer is the standard library's also in models, which then have fewer orders to try. Loom would not follow the
/// memory that it leads to, and the lock of the list is loom's.
pub(crate) struct Rare(AtomicPtr<Parts>);

#[derive(Default)]
struct Parts {
    settings: Option<Settings>,
    waiters: Waiters,
}

impl Rare {
    /// Returns the rare parts of a task with the default options.
    #[inline]
    pub(crate) fn none() -> Rare {
        Rare(AtomicPtr::new(null_mut()))
    }

    /// Returns the rare parts of a task with these options. The default options need no allocation. The compiler knows
    /// the result for [`TaskOptions::new`], because this is part of its callers.
    #[inline]
    pub(crate) fn with_options(options: TaskOptions) -> Rare {
        if options == TaskOptions::default() {
            return Rare::none();
        }
        Rare::with_settings(Settings { options, origin: None })
    }

    /// Returns the rare parts of a task with these settings.
    pub(crate) fn with_settings(settings: Settings) -> Rare {
        Rare(AtomicPtr::new(Box::into_raw(Box::new(Parts { settings: Some(settings), waiters: Waiters::default() }))))
    }

    /// Returns the settings, if they are not the default.
    #[inline]
    pub(crate) fn settings(&self) -> Option<&Settings> {
        // ORDERING: Acquire pairs with the Release in `make`, because the pointer may be that of a list of waiters.
        // SAFETY: the pointer is null or that of a box, which is freed when this is dropped.
        unsafe { self.0.load(Acquire).as_ref() }?.settings.as_ref()
    }

    /// Returns the list of waiters.
    #[inline]
    pub(crate) fn waiters(&self) -> &Waiters {
        // ORDERING: Acquire pairs with the Release in `make`.
        // SAFETY: as in `settings`.
        match unsafe { self.0.load(Acquire).as_ref() } {
            Some(parts) => &parts.waiters,
            None => &self.make().waiters,
        }
    }

    /// Makes the parts, or returns those that another thread has made. A thread that finishes the task may come first
    /// here, although it has seen WAITED: all threads agree on the list, and its lock orders what they do with it.
    #[cold]
    fn make(&self) -> &Parts {
        let made = Box::into_raw(Box::<Parts>::default());
        // ORDERING: Release publishes the parts. Acquire on failure pairs with it.
        match self.0.compare_exchange(null_mut(), made, Release, Acquire) {
            // SAFETY: it comes from a box, which is freed when this is dropped.
            Ok(_) => unsafe { &*made },
            Err(other) => {
                // SAFETY: it comes from a box, and the exchange failed, so no other thread has seen it.
                drop(unsafe { Box::from_raw(made) });
                // SAFETY: as in `settings`; the pointer is not null, because the exchange failed.
                unsafe { &*other }
            }
        }
    }
}

impl Drop for Rare {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: the thread that drops this has seen all that others did with it.
        let parts = self.0.load(Relaxed);
        if !parts.is_null() {
            free(parts);
        }
    }
}

#[cold]
fn free(parts: *mut Parts) {
    // SAFETY: `Rare` is dropped, and had the only pointer to the box.
    drop(unsafe { Box::from_raw(parts) });
}
