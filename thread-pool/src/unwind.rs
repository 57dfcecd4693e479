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
