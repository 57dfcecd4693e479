//! What a task and those who wait for it are built of: the real things, or, in tests under `--cfg loom`, those that a
//! model checker plays through in every order (`task/model/`).
#![allow(unsafe_code)]

#[cfg(all(test, loom))]
pub(crate) use model::*;
#[cfg(not(all(test, loom)))]
pub(crate) use real::*;

#[cfg(not(all(test, loom)))]
mod real {
    pub(crate) use std::{
        sync::atomic::{AtomicU32, AtomicU64, fence},
        thread_local,
    };

    pub(crate) use parking_lot::{Condvar, Mutex};

    /// A cell that is reached into through closures, so that a model sees when an access begins and when it is over.
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        /// For reading.
        #[inline(always)]
        pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
            access(self.0.get())
        }

        /// For writing, and for moving out.
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut()
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    use std::{
        ops::{Deref, DerefMut},
        time::Instant,
    };

    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, fence};

    /// `std::thread_local`, without its promise of a constant.
    macro_rules! local {
        ($(static $name:ident: $type:ty = const { $value:expr };)+) => {
            $(loom::thread_local! { static $name: $type = $value; })+
        };
        (static $name:ident: $type:ty = $value:expr;) => {
            loom::thread_local! { static $name: $type = $value; }
        };
    }
    pub(crate) use local as thread_local;

    /// The real one by its looks; one that is never dropped is a leak, which the model reports.
    pub(crate) struct UnsafeCell<T> {
        cell: loom::cell::UnsafeCell<T>,
        _alive: loom::alloc::Track<()>,
    }

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell { cell: loom::cell::UnsafeCell::new(value), _alive: loom::alloc::Track::new(()) }
        }

        pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
            self.cell.with(access)
        }

        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            self.cell.with_mut(access)
        }

        /// Sole access is what the caller claims to have; the model checks that all others were over before.
        pub(crate) fn get_mut(&mut self) -> &mut T {
            // SAFETY: the reference is the only one to the cell, by the signature.
            self.cell.with_mut(|value| unsafe { &mut *value })
        }
    }

    /// `parking_lot`'s lock, by its looks.
    #[derive(Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    /// None while it waits for a [`Condvar`].
    pub(crate) struct MutexGuard<'a, T>(&'a loom::sync::Mutex<T>, Option<loom::sync::MutexGuard<'a, T>>);

    const NO_PANIC: &str = "a model does not panic under a lock";
    const LOCKED: &str = "locked but for the time of a wait";

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(&self.0, Some(self.0.lock().expect(NO_PANIC)))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.1.as_deref().expect(LOCKED)
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.1.as_deref_mut().expect(LOCKED)
        }
    }

    /// `parking_lot`'s condition variable, by its looks.
    pub(crate) struct Condvar(loom::sync::Condvar);

    /// How a wait with a deadline has ended.
    pub(crate) struct WaitTimeoutResult(());

    impl Default for Condvar {
        fn default() -> Condvar {
            Condvar(loom::sync::Condvar::new())
        }
    }

    impl Condvar {
        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let inner = guard.1.take().expect(LOCKED);
            guard.1 = Some(self.0.wait(inner).expect(NO_PANIC));
        }

        /// A model has no clock, and its waits with a deadline are over as soon as others had the chance to run. That
        /// covers each moment at which time can run out, for the model may hold a thread up at any place.
        pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) -> WaitTimeoutResult {
            guard.1 = None;
            loom::thread::yield_now();
            guard.1 = Some(guard.0.lock().expect(NO_PANIC));
            WaitTimeoutResult(())
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    impl WaitTimeoutResult {
        pub(crate) fn timed_out(&self) -> bool {
            let WaitTimeoutResult(()) = self;
            true
        }
    }
}
