//! What a client knows of the engine's queue.

use std::{collections::VecDeque, time::Duration};

use executor_core::TaskId;

/// What a client knows of the engine's queue: which tasks it has not confirmed, and when it was asked how many it has.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// The tasks that were published, and when, oldest first. Those that were confirmed since are among them.
    published: VecDeque<(Duration, TaskId)>,
    /// The number of the last question.
    number: u64,
    /// When the last question was asked, until its answer has come.
    asked: Option<Duration>,
    next_question: Duration,
}

impl Store {
    pub(super) fn published(&mut self, task: TaskId, now: Duration) {
        self.published.push_back((now, task));
    }

    /// Returns a task that was published so long ago that it should be confirmed by now, and when it was.
    pub(super) fn pop_overdue(&mut self, now: Duration, after: Duration) -> Option<(Duration, TaskId)> {
        let (then, _) = self.published.front()?;
        if now < *then + after {
            return None;
        }
        self.published.pop_front()
    }

    pub(super) fn ask_soon(&mut self) {
        self.next_question = Duration::ZERO;
    }

    /// Returns the number of a question that must be asked now. The answer to an earlier one does not count any more.
    pub(super) fn next_question(&mut self, now: Duration, every: Duration) -> Option<u64> {
        if now < self.next_question {
            return None;
        }
        self.next_question = now + every;
        self.number += 1;
        self.asked = Some(now);
        Some(self.number)
    }

    /// Returns when a question was asked to which this is the first answer.
    pub(super) fn answered(&mut self, number: u64) -> Option<Duration> {
        if number == self.number { self.asked.take() } else { None }
    }
}
