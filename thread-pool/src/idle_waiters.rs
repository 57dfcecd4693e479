//! Threads that wait until a pool is idle.

use std::sync::atomic::{AtomicUsize, Ordering::*, fence};

use parking_lot::{Condvar, Mutex};

/// The threads that wait until the pool is idle.
///
/// The pool is idle when all its workers sleep and no queue contains a task. So nothing has to count tasks, and only a
/// worker that falls asleep pays for this: one load.
///
/// # Why no notification is lost
///
/// A waiter counts itself and then checks whether the pool is idle. A worker first counts as sleeping, and then reads
/// the number of waiters. A fence separates the two steps in both. So the last worker to fall asleep sees the waiter,
/// or the waiter sees that all workers sleep. A waiter holds the lock from its check until it waits.
#[derive(Default)]
pub(crate) struct IdleWaiters {
    count: AtomicUsize,
    lock: Mutex<()>,
    /// Notified when a worker falls asleep or leaves while there are waiters.
    changed: Condvar,
}

impl IdleWaiters {
    /// Lets the waiters check again. Call this after a worker fell asleep or left, with a fence in between.
    pub(crate) fn notify(&self) {
        // ORDERING: the fences of both sides order this.
        if self.count.load(Relaxed) > 0 {
            self.notify_waiters();
        }
    }

    #[cold]
    fn notify_waiters(&self) {
        drop(self.lock.lock());
        self.changed.notify_all();
    }

    pub(crate) fn wait_until(&self, is_idle: impl Fn() -> bool) {
        // ORDERING: the fence below orders this.
        self.count.fetch_add(1, Relaxed);
        fence(SeqCst);
        let mut lock = self.lock.lock();
        self.changed.wait_while(&mut lock, |()| !is_idle());
        drop(lock);
        // ORDERING: a worker that reads an old number notifies no one.
        self.count.fetch_sub(1, Relaxed);
    }
}
