//! A thread that waits for a task of a host.

use std::{
    fmt,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use crate::{
    TaskId, deadline, spin,
    sync::AtomicU64,
    task::state::{Event, State},
};

/// A thread that waits for a task of a [`Host`](super::Host).
#[derive(Clone, Copy)]
pub struct Waiting<'a> {
    pub(crate) task: TaskId,
    pub(crate) state: &'a State,
    pub(crate) place: &'a AtomicU64,
    pub(crate) deadline: Option<Instant>,
    /// How long the thread pauses between two spins.
    pub(crate) backoff: Duration,
    /// Whether the thread polls for an async runtime, and so does not block.
    pub(crate) is_polling: bool,
}

impl Waiting<'_> {
    /// Returns whether the thread polls for an async runtime, and the task is one of many that it has submitted before.
    /// Such a thread need not read replies: another thread reads them, and wakes it.
    pub fn polls_one_of_many(&self) -> bool {
        self.is_polling && self.backoff == spin::LONG_BACKOFF
    }

    /// Returns whether the result can be read, so that the wait is over.
    pub fn is_ready(&self) -> bool {
        self.state.snapshot().has(Event::Readable)
    }

    /// Returns whether the deadline of the wait has passed.
    pub fn has_timed_out(&self) -> bool {
        deadline::has_passed(self.deadline)
    }

    /// Returns the place that was last given to [`Task::place`](crate::Task::place), and 0 before.
    pub fn place(&self) -> u64 {
        // ORDERING: an outdated place does no harm, because the host compares it with its own list of tasks.
        self.place.load(Relaxed)
    }
}

impl fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("task", &self.task).field("deadline", &self.deadline).finish()
    }
}
