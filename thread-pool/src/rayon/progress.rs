//! How many tasks of an executor over rayon are not over, and how far it is closed, in one word.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering::*},
    time::Instant,
};

use parking_lot::{Condvar, Mutex};

/// The word, and where others wait for its end.
#[derive(Default)]
pub(super) struct Progress {
    /// The stage in the lowest bits, the number of tasks above.
    word: AtomicUsize,
    lock: Mutex<()>,
    /// Closed, and nothing is under way any more.
    over: Condvar,
}

/// How far it is closed, in this order. 0 is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// What there is still runs.
    Draining = 1,
    /// What has not started is withdrawn by whoever finds it.
    Cancelling = 2,
}

const STAGE: usize = 0b11;
const ONE_TASK: usize = 0b100;

impl Progress {
    /// A task more. False: it is closed, and there is none.
    #[must_use]
    pub(super) fn begin(&self) -> bool {
        // ORDERING: the word itself decides between `begin` and `close`. What a task does is published by `finish`.
        let counted = self.word.fetch_update(Relaxed, Relaxed, |word| (word & STAGE == 0).then_some(word + ONE_TASK));
        counted.is_ok()
    }

    /// A task is over.
    pub(super) fn finish(&self) {
        // ORDERING: Release pairs with the Acquire in `wait`: all that the tasks did happens before the end of `join`.
        let after = self.word.fetch_sub(ONE_TASK, AcqRel) - ONE_TASK;
        if is_over(after) {
            self.announce();
        }
    }

    /// Moves the stage on; it never moves back.
    pub(super) fn close(&self, stage: Stage) {
        let advance = |word: usize| Some(word & !STAGE | (word & STAGE).max(stage as usize));
        // ORDERING: as in `finish`. An update that always answers `Some` always succeeds.
        let _ = self.word.fetch_update(AcqRel, Relaxed, advance);
        if is_over(self.word.load(Relaxed)) {
            self.announce();
        }
    }

    /// Whether tasks are withdrawn instead of run.
    pub(super) fn is_past_running(&self) -> bool {
        // ORDERING: a job that sees the stage late runs one task more, as one that had come earlier.
        self.word.load(Relaxed) & STAGE >= Stage::Cancelling as usize
    }

    fn announce(&self) {
        // Under the lock, so that nobody is between looking at the word and waiting.
        drop(self.lock.lock());
        self.over.notify_all();
    }

    /// Waits until it is closed and no task is left. False: not by the deadline.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        // ORDERING: Acquire pairs with the Release in `finish`.
        let is_over = || is_over(self.word.load(Acquire));
        let mut lock = self.lock.lock();
        while !is_over() {
            match deadline {
                None => self.over.wait(&mut lock),
                Some(deadline) => {
                    if self.over.wait_until(&mut lock, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        is_over()
    }
}

fn is_over(word: usize) -> bool {
    word & STAGE != 0 && word / ONE_TASK == 0
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ORDERING: for reading by people.
        let word = self.word.load(Relaxed);
        f.debug_struct("Progress").field("unfinished", &(word / ONE_TASK)).field("stage", &(word & STAGE)).finish()
    }
}
