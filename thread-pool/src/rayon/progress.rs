//! One word that counts the unfinished tasks of an executor over rayon and says how far the executor is closed.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering::*},
    time::Instant,
};

use executor_core::deadline;
use parking_lot::{Condvar, Mutex};

/// The word, and where `join` waits.
#[derive(Default)]
pub(super) struct Progress {
    /// The [`Closing`] in the lowest bits, or 0 if the executor is open, and the number of tasks above.
    word: AtomicUsize,
    lock: Mutex<()>,
    /// Notified when the executor is closed and has no task left.
    finished: Condvar,
}

/// How far an executor is closed. It never goes back to an earlier value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closing {
    /// The tasks that wait still run.
    Draining = 1,
    /// The tasks that wait are cancelled by the thread that finds them.
    Cancelling = 2,
}

const CLOSING: usize = 0b11;
const ONE_TASK: usize = 0b100;

impl Progress {
    /// Counts a new task. Returns `false`, and counts nothing, if the executor is closed.
    #[must_use]
    pub(super) fn try_begin(&self) -> bool {
        // ORDERING: the word alone decides between `try_begin` and `close`. `finish` publishes what a task did.
        let counted = self.word.fetch_update(Relaxed, Relaxed, |word| (word & CLOSING == 0).then_some(word + ONE_TASK));
        counted.is_ok()
    }

    /// Stops counting a task.
    pub(super) fn finish(&self) {
        // ORDERING: Release pairs with the Acquire in `wait`: all that the tasks did happens before the end of `join`.
        let after = self.word.fetch_sub(ONE_TASK, AcqRel) - ONE_TASK;
        if is_finished(after) {
            self.notify();
        }
    }

    /// Closes the executor this far, unless it is already closed further.
    pub(super) fn close(&self, closing: Closing) {
        let advance = |word: usize| Some(word & !CLOSING | (word & CLOSING).max(closing as usize));
        // ORDERING: as in `finish`. The update cannot fail, because `advance` always returns `Some`.
        let _ = self.word.fetch_update(AcqRel, Relaxed, advance);
        if is_finished(self.word.load(Relaxed)) {
            self.notify();
        }
    }

    /// Returns `true` if tasks that wait are still run, and `false` if they are cancelled.
    pub(super) fn runs_tasks(&self) -> bool {
        // ORDERING: a job that reads an old value runs one more task, as if it had come earlier.
        self.word.load(Relaxed) & CLOSING < Closing::Cancelling as usize
    }

    fn notify(&self) {
        // A waiter holds the lock from its check of the word until it waits, so it does not miss the notification.
        drop(self.lock.lock());
        self.finished.notify_all();
    }

    /// Waits until the executor is closed and has no task left. Returns `false` if that is not so by the deadline.
    pub(super) fn wait(&self, until: Option<Instant>) -> bool {
        // ORDERING: Acquire pairs with the Release in `finish`.
        let is_finished = || is_finished(self.word.load(Acquire));
        let mut lock = self.lock.lock();
        deadline::wait_while(&self.finished, &mut lock, until, |()| !is_finished())
    }
}

/// Returns `true` if the executor is closed and has no task left.
fn is_finished(word: usize) -> bool {
    word & CLOSING != 0 && word / ONE_TASK == 0
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ORDERING: the values are only for display.
        let word = self.word.load(Relaxed);
        f.debug_struct("Progress").field("unfinished", &(word / ONE_TASK)).field("stage", &(word & CLOSING)).finish()
    }
}
