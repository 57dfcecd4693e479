//! The atomics, locks and parkers of the sleep protocol and the injector. Under `--cfg loom` they are those of loom,
//! which checks every order of their steps.

#[cfg(loom)]
pub(crate) use model::*;
#[cfg(not(loom))]
pub(crate) use real::*;

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, fence};

    use std::time::{Duration, Instant};

    pub(crate) use crossbeam_utils::sync::{Parker, Unparker};
    pub(crate) use parking_lot::Mutex;

    /// When a worker has slept for long enough. `None` is too far away to be represented.
    #[derive(Clone, Copy)]
    pub(crate) struct Deadline(Option<Instant>);

    impl Deadline {
        pub(crate) fn after(time: Duration) -> Deadline {
            Deadline(Instant::now().checked_add(time))
        }

        /// Parks the calling thread until it is woken, or until the deadline. Returns `true` if the deadline has
        /// passed.
        pub(crate) fn park(self, parker: &Parker) -> bool {
            match self.0 {
                None => parker.park(),
                Some(end) => parker.park_deadline(end),
            }
            self.0.is_some_and(|end| Instant::now() >= end)
        }
    }
}

#[cfg(loom)]
mod model {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, fence};

    use std::time::Duration;

    use loom::sync::{Arc, Condvar, MutexGuard};

    /// A lock with the interface of `parking_lot::Mutex`.
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a model does not panic under a lock")
        }
    }

    /// A parker with the interface of `crossbeam_utils::sync::Parker`.
    pub(crate) struct Parker(Unparker);

    #[derive(Clone)]
    pub(crate) struct Unparker(Arc<(Mutex<bool>, Condvar)>);

    impl Parker {
        pub(crate) fn new() -> Parker {
            Parker(Unparker(Arc::new((Mutex::new(false), Condvar::new()))))
        }

        pub(crate) fn unparker(&self) -> &Unparker {
            &self.0
        }

        pub(crate) fn park(&self) {
            let (token, changed) = &*self.0.0;
            let mut token = token.lock();
            while !*token {
                token = changed.wait(token).expect("a model does not panic under a lock");
            }
            *token = false;
        }
    }

    /// A deadline that has always passed, because it may pass at any time.
    #[derive(Clone, Copy)]
    pub(crate) struct Deadline;

    impl Deadline {
        pub(crate) fn after(_: Duration) -> Deadline {
            Deadline
        }

        pub(crate) fn park(self, parker: &Parker) -> bool {
            *parker.0.0.0.lock() = false;
            true
        }
    }

    impl Unparker {
        pub(crate) fn unpark(&self) {
            let (token, changed) = &*self.0;
            *token.lock() = true;
            changed.notify_one();
        }
    }
}
