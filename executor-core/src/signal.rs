//! The signal on which a thread sleeps until it is notified.

use std::{sync::Arc, time::Instant};

use crate::deadline;
use crate::sync::{Condvar, Mutex, thread_local};

/// A flag that a thread can sleep on. Each thread has one for all its waits, even nested ones: every wait checks its
/// own condition each time it wakes, so a signal for another wait does no harm.
#[derive(Default)]
pub(crate) struct Signal {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Returns the signal of the calling thread.
    pub(crate) fn of_this_thread() -> Arc<Signal> {
        thread_local! {
            static SIGNAL: Arc<Signal> = Arc::default();
        }
        // A thread whose thread-locals are gone can still wait, on a new signal.
        SIGNAL.try_with(Arc::clone).unwrap_or_default()
    }

    /// Wakes the thread.
    pub(crate) fn set(&self) {
        let mut set = self.set.lock();
        if !*set {
            *set = true;
            self.changed.notify_all();
        }
    }

    /// Sleeps until [`set`](Self::set) was called since the last wait, or until the deadline. The caller must check its
    /// condition again, because it may be woken for another reason.
    pub(crate) fn wait(&self, until: Option<Instant>) {
        let mut set = self.set.lock();
        deadline::wait_while(&self.changed, &mut set, until, |set| !*set);
        *set = false;
    }
}
