//! Waiting until a pool has nothing to do.

use std::sync::atomic::{Ordering::SeqCst, fence};

use executor_core::task;

use super::Pool;

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
        if !self.sleep.all_sleep() {
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
