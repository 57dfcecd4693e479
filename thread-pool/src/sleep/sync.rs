//! What the protocol is built of: the real things, or, under `--cfg loom`, those that a model checker plays through in
//! every order.

#[cfg(loom)]
pub(super) use model::*;
#[cfg(not(loom))]
pub(super) use real::*;

#[cfg(not(loom))]
mod real {
    pub(in crate::sleep) use std::sync::atomic::{AtomicBool, AtomicU32, fence};

    pub(in crate::sleep) use crossbeam_utils::sync::{Parker, Unparker};
    pub(in crate::sleep) use parking_lot::Mutex;
}

#[cfg(loom)]
mod model {
    pub(in crate::sleep) use loom::sync::atomic::{AtomicBool, AtomicU32, fence};

    use loom::sync::{Arc, Condvar, MutexGuard};

    /// `parking_lot`'s lock, by its looks.
    pub(in crate::sleep) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(in crate::sleep) fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(in crate::sleep) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("a model does not panic under a lock")
        }
    }

    /// `crossbeam_utils`' parker, by its looks.
    pub(in crate::sleep) struct Parker(Unparker);

    #[derive(Clone)]
    pub(in crate::sleep) struct Unparker(Arc<(Mutex<bool>, Condvar)>);

    impl Parker {
        pub(in crate::sleep) fn new() -> Parker {
            Parker(Unparker(Arc::new((Mutex::new(false), Condvar::new()))))
        }

        pub(in crate::sleep) fn unparker(&self) -> &Unparker {
            &self.0
        }

        pub(in crate::sleep) fn park(&self) {
            let (token, changed) = &*self.0.0;
            let mut token = token.lock();
            while !*token {
                token = changed.wait(token).expect("a model does not panic under a lock");
            }
            *token = false;
        }
    }

    impl Unparker {
        pub(in crate::sleep) fn unpark(&self) {
            let (token, changed) = &*self.0;
            *token.lock() = true;
            changed.notify_one();
        }
    }
}
