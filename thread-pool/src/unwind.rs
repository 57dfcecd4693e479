//! A guard against panics of the pool's own code.

/// Aborts the program when it is dropped, unless it was disarmed. It guards code whose end other threads rely on.
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
