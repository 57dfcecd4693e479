//! What wakes a supervisor.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::sys::poller::Poller;

/// Wakes the thread that runs a supervisor. If the thread runs several, it also tells the thread which one is meant.
#[derive(Clone, Debug)]
pub(crate) struct Wake {
    poller: Arc<Poller>,
    shared: Option<(Arc<Called>, usize)>,
}

/// The supervisors of one thread that must be run, by their places.
#[derive(Debug, Default)]
pub(crate) struct Called(Mutex<Vec<usize>>);

impl Wake {
    /// Returns what wakes a supervisor that has a thread of its own.
    pub(crate) fn only(poller: Arc<Poller>) -> Wake {
        Wake { poller, shared: None }
    }

    /// Returns what wakes the supervisor at this place of a thread that runs several.
    pub(crate) fn one_of_many(poller: Arc<Poller>, called: Arc<Called>, place: usize) -> Wake {
        Wake { poller, shared: Some((called, place)) }
    }

    pub(crate) fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    pub(crate) fn notify(&self) {
        if let Some((called, place)) = &self.shared {
            called.0.lock().push(*place);
        }
        // Fails only if the descriptor is gone, and then the supervisor is gone, too.
        let _ = self.poller.notify();
    }
}

impl Called {
    /// Returns the places that were called since the last time.
    pub(crate) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.0.lock())
    }
}
