//! Waiting inside a task until no worker is idle.

use std::sync::{Arc, atomic::Ordering::*};

use crate::{
    signal::Signal,
    sync::{AtomicU32, Mutex, fence},
};

/// The workers of a back-end that wait with a time-out, while another worker is idle and so can run what they wait for.
///
/// With a time-out, a worker runs the awaited task itself only while no other worker is idle. The back-end that has one
/// of these in its [`Host`](crate::host::Host) calls [`none_idle`](IdleWatch::none_idle) whenever its last idle worker finds
/// something to do. Then those who wait look again whether they must help.
///
/// # Why none of them sleeps through it
///
/// One who waits enters the list, and then looks for an idle worker. A worker first stops being idle, and then looks at
/// the list. Fences stand between the two steps of both, so at least one of them sees what the other did.
#[derive(Default)]
pub struct IdleWatch {
    /// The length of the list. Changes under its lock; read without it, so that a list that is empty costs one load.
    count: AtomicU32,
    waiting: Mutex<Vec<Arc<Signal>>>,
}

impl IdleWatch {
    /// To be called after the last idle worker stopped being idle.
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

    /// Has the calling thread's signal set by [`none_idle`](IdleWatch::none_idle), until the answer is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        let signal = Signal::of_this_thread();
        let mut waiting = self.waiting.lock();
        waiting.push(signal.clone());
        // ORDERING: the fence below has the order.
        self.count.store(waiting.len() as u32, Relaxed);
        drop(waiting);
        // ORDERING: pairs with the fence in `none_idle`: either that sees the count, or the look that follows here sees
        // that no worker is idle.
        fence(SeqCst);
        Entered { watch: self, signal }
    }
}

impl std::fmt::Debug for IdleWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // ORDERING: for reading by people.
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
        // A thread is in the list once for each of its nested waits; any of them will do.
        if let Some(place) = waiting.iter().position(|signal| Arc::ptr_eq(signal, &self.signal)) {
            waiting.swap_remove(place);
        }
        // ORDERING: one who sees an old count looks at the list for nothing.
        self.watch.count.store(waiting.len() as u32, Relaxed);
    }
}
