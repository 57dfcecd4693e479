//! A thread that waits for many tasks.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use crate::{
    signal::Signal,
    spin::{self, LONG_BACKOFF},
    sync::Mutex,
};

/// Collects the indices of done tasks. It is in the list of waiters of each of these tasks.
pub(crate) struct Group {
    done: Mutex<VecDeque<usize>>,
    /// The signal of the waiting thread: the thread that made the group, unless the group moved.
    signal: Mutex<Arc<Signal>>,
}

impl Default for Group {
    fn default() -> Group {
        Group { done: Mutex::default(), signal: Mutex::new(Signal::of_this_thread()) }
    }
}

impl Group {
    /// Adds the index of a task that is done.
    pub(crate) fn completed(&self, index: usize) {
        self.done.lock().push_back(index);
        let signal = self.signal.lock().clone();
        signal.set();
    }

    /// Returns the index of the next done task, in the order of completion.
    pub(crate) fn next(&self) -> Option<usize> {
        self.done.lock().pop_front()
    }

    /// Waits until [`next`](Group::next) may return a task, or until the deadline. It spins first and then sleeps.
    pub(crate) fn wait(&self, deadline: Option<Instant>) {
        spin::with_own_budget(|budget| {
            if !budget.spin_with_backoff(LONG_BACKOFF, || !self.done.lock().is_empty()) {
                let asleep = Instant::now();
                self.sleep(deadline);
                budget.slept(asleep.elapsed());
            }
        });
    }

    fn sleep(&self, deadline: Option<Instant>) {
        let signal = Signal::of_this_thread();
        *self.signal.lock() = signal.clone();
        // Checked after the signal is in place, so that a completion in between sets this one.
        if self.done.lock().is_empty() {
            signal.wait(deadline);
        }
    }
}
