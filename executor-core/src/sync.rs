//! The synchronization primitives of tasks and waiters: the real ones, or loom's in the model tests (`task/model/`),
//! which run under `--cfg loom`.
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

    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

    /// A cell that is accessed through closures, so that the model checker sees when an access begins and ends.
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        /// Calls `access` with a pointer for reading.
        #[inline(always)]
        pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
            access(self.0.get())
        }

        /// Calls `access` with a pointer for writing or moving out.
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

    /// `std::thread_local`, for loom, which has no `const` initializers.
    macro_rules! local {
        ($(static $name:ident: $type:ty = const { $value:expr };)+) => {
            $(loom::thread_local! { static $name: $type = $value; })+
        };
        (static $name:ident: $type:ty = $value:expr;) => {
            loom::thread_local! { static $name: $type = $value; }
        };
    }
    pub(crate) use local as thread_local;

    /// The same interface as the real cell. The model reports a cell that is never dropped as a leak.
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

        /// Returns a unique reference. The model checks that all other accesses have ended.
        pub(crate) fn get_mut(&mut self) -> &mut T {
            // SAFETY: `&mut self` guarantees that no other reference to the cell exists.
            self.cell.with_mut(|value| unsafe { &mut *value })
        }
    }

    /// A mutex with the interface of `parking_lot`.
    #[derive(Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    /// A guard, whose inner guard is `None` during a wait for a [`Condvar`].
    #[derive(Debug)]
    pub struct MutexGuard<'a, T>(&'a loom::sync::Mutex<T>, Option<loom::sync::MutexGuard<'a, T>>);

    const NO_PANIC: &str = "a model does not panic while it holds a lock";
    const LOCKED: &str = "the guard is locked except during a wait";

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

    /// A condition variable with the interface of `parking_lot`.
    #[derive(Debug)]
    pub struct Condvar(loom::sync::Condvar);

    /// How a wait with a deadline has ended.
    pub(crate) struct WaitTimeoutResult(bool);

    impl Default for Condvar {
        fn default() -> Condvar {
            Condvar(loom::sync::Condvar::new())
        }
    }

    impl Condvar {
        pub(crate) fn wait_while<T>(&self, guard: &mut MutexGuard<'_, T>, mut condition: impl FnMut(&mut T) -> bool) {
            while condition(guard) {
                let inner = guard.1.take().expect(LOCKED);
                guard.1 = Some(self.0.wait(inner).expect(NO_PANIC));
            }
        }

        /// Waits as if until the deadline. A model has no clock, so the wait ends as soon as other threads had the
        /// chance to run. That covers every moment at which the deadline can pass, because the model may suspend a
        /// thread at any point.
        pub(crate) fn wait_while_until<T>(
            &self,
            guard: &mut MutexGuard<'_, T>,
            mut condition: impl FnMut(&mut T) -> bool,
            _: Instant,
        ) -> WaitTimeoutResult {
            let waits = condition(guard);
            if waits {
                guard.1 = None;
                loom::thread::yield_now();
                guard.1 = Some(guard.0.lock().expect(NO_PANIC));
            }
            WaitTimeoutResult(waits)
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    impl WaitTimeoutResult {
        pub(crate) fn timed_out(&self) -> bool {
            self.0
        }
    }
}
