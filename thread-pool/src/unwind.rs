//! Panics of our own code.

/// Aborts the program unless it is disarmed: for code that others rely on to get to its end.
#[derive(Debug)]
#[must_use]
pub(crate) struct AbortOnUnwind;

impl AbortOnUnwind {
    pub(crate) fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("thread-pool: a panic in the pool's own code, aborting; please report it");
        std::process::abort();
    }
}

/// A caught panic leaves no pool half changed: no lock of a pool is held while user code runs, and a panic of the
/// pool's own code aborts. So executors may be used afterwards, although there are locks inside.
mod after_a_caught_panic {
    use std::panic::{RefUnwindSafe, UnwindSafe};

    use crate::{Scope, ScopedFuture, pool::Pool};

    impl UnwindSafe for Pool {}
    impl RefUnwindSafe for Pool {}

    impl UnwindSafe for Scope<'_, '_> {}
    impl RefUnwindSafe for Scope<'_, '_> {}

    impl<R> UnwindSafe for ScopedFuture<'_, R> {}
    impl<R> RefUnwindSafe for ScopedFuture<'_, R> {}

    #[cfg(feature = "rayon")]
    impl UnwindSafe for crate::RayonExecutor {}
    #[cfg(feature = "rayon")]
    impl RefUnwindSafe for crate::RayonExecutor {}
}
