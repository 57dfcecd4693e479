//! Waiting inside a task until no worker is idle.

use std::sync::{Arc, atomic::Ordering::*};

use crate::{
    signal::Signal,
    sync::{AtomicU32, Mutex, fence},
};

/// The workers of a back-end that wait with a time-out, because another worker is idle and can run the awaited task.
///
/// With a time-out, a worker runs the awaited task itself only while no other worker is idle. A back-end whose
/// [`Host`](crate::host::Host) has one of these calls [`none_idle`](IdleWatch::none_idle) whenever its last idle worker
/// finds something to do. Then the waiting workers check again whether they must run the awaited task.
///
/// # Why no wake-up is lost
///
/// A waiting worker enters the list, and then checks for an idle worker. An idle worker first stops being idle, and
/// then reads the list. A fence separates the two steps in both, so at least one of them sees what the other did.
#[derive(Default)]
pub struct IdleWatch {
    /// The length of the list. It changes under the lock, and is read without it, so that an empty list costs one load.
    count: AtomicU32,
    waiting: Mutex<Vec<Arc<Signal>>>,
}

impl IdleWatch {
    /// Wakes the waiting workers. Call this after the last idle worker stopped being idle.
    #[inline]
    pub fn none_idle(&self) {
        // ORDERING: pairs with the fence in `enter`.
        fence(SeqCst);
        if self.count.load(Relaxed) > 0 {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_all(&self) {
        let waiting = self.waiting.lock().clone();
        waiting.iter().for_each(|signal| signal.set());
    }

    /// Adds the calling thread's signal to those that [`none_idle`](IdleWatch::none_idle) sets, until the returned
    /// value is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        let signal = Signal::of_this_thread();
        let mut waiting = self.waiting.lock();
        waiting.push(signal.clone());
        // ORDERING: the fence below orders this.
        self.count.store(waiting.len() as u32, Relaxed);
        drop(waiting);
        // ORDERING: pairs with the fence in `none_idle`: either that sees the count, or the check after this sees that
        // no worker is idle.
        fence(SeqCst);
        Entered { watch: self, signal }
    }
}

impl std::fmt::Debug for IdleWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // ORDERING: the number is only shown.
        f.debug_struct("IdleWatch").field("waiting", &self.count.load(Relaxed)).finish()
    }
}

/// See [`IdleWatch::enter`].
#[must_use]
pub(crate) struct Entered<'a> {
    watch: &'a IdleWatch,
    signal: Arc<Signal>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut waiting = self.watch.waiting.lock();
        // A thread is in the list once for each of its nested waits, and may remove any of these entries.
        if let Some(place) = waiting.iter().position(|signal| Arc::ptr_eq(signal, &self.signal)) {
            waiting.swap_remove(place);
        }
        // ORDERING: a thread that sees an old count reads an empty list, which does no harm.
        self.watch.count.store(waiting.len() as u32, Relaxed);
    }
}
