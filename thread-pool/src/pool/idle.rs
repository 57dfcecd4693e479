//! Waiting until a pool has nothing to do.

use std::sync::atomic::{AtomicUsize, Ordering::*, fence};

use executor_core::task;
use parking_lot::{Condvar, Mutex};

use super::Pool;

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
pub(super) struct IdleWaiters {
    count: AtomicUsize,
    lock: Mutex<()>,
    /// Notified when a worker falls asleep or leaves while there are waiters.
    changed: Condvar,
}

impl IdleWaiters {
    /// Lets the waiters check again. Call this after a worker fell asleep or left, with a fence in between.
    fn notify(&self) {
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

    fn wait_until(&self, is_idle: impl Fn() -> bool) {
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

impl Pool {
    /// Waits until the pool is idle. Returns `false` if the calling thread is one of its workers, or the pool is a
    /// forked copy.
    pub(crate) fn wait_idle(&self) -> bool {
        if self.is_forked_copy() || self.threads.has_current_thread() || task::worker_host() == self.host() {
            return false;
        }
        self.idle_waiters.wait_until(|| self.is_idle());
        true
    }

    fn is_idle(&self) -> bool {
        if self.exit_gate.is_empty() {
            return true;
        }
        if !self.sleep.all_sleep(self.threads.len()) {
            return false;
        }
        // A task that moves between queues is in none of them for a moment.
        self.wait_for_sweep();
        !self.has_work()
    }

    /// Returns `true` if there is work for a worker that counts as sleeping already. If not, it will sleep.
    pub(crate) fn has_work_for_sleeper(&self) -> bool {
        let work = self.has_work();
        if !work {
            // A fence precedes this in `Sleep::fall_asleep`.
            self.idle_waiters.notify();
        }
        work
    }

    /// Notes that a worker has left.
    pub(super) fn left_for_waiters(&self) {
        // ORDERING: pairs with the fence of the waiter.
        fence(SeqCst);
        self.idle_waiters.notify();
    }
}
