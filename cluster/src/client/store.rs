//! What a client knows of the engine's queue.

use std::{collections::VecDeque, num::NonZeroU64, time::Duration};

use executor_core::TaskId;

/// What a client knows of the engine's queue: which copies it has confirmed, and how it is noticed that some have
/// vanished.
///
/// Confirmations, and the first publications of tasks, are numbered by one counter. The engine delivers in the order in
/// which it has stored. So when a task is delivered, every copy that was confirmed before its first publication was
/// delivered too, or is gone. If no agent has asked for such a task after one more interval of checks, which is longer
/// than an agent keeps a message, the task is *overtaken*, and must be published again.
///
/// What nothing overtakes, as the last task, is noticed by its number: the engine has fewer messages than the client
/// has confirmed copies.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// The confirmed copies, each with the number of its confirmation, oldest first. Tasks that have left the queue are
    /// among them.
    confirmed: VecDeque<(u64, TaskId)>,
    /// How many queued tasks have a confirmed copy.
    count: usize,
    /// How many numbers were given.
    numbers: u64,
    /// The highest first publication of a task that was delivered, until now and until the beginning of the interval.
    delivered: u64,
    delivered_before: u64,
    /// The number of the last question.
    question: u64,
    /// How many numbers had been given when the last question was asked, until its answer has come.
    asked: Option<u64>,
    next_check: Duration,
    /// When `delivered_before` changes next.
    next_mark: Duration,
}

impl Store {
    /// A task is published for the first time. Returns the number of that.
    pub(super) fn published(&mut self) -> NonZeroU64 {
        NonZeroU64::MIN.saturating_add(self.next())
    }

    /// A copy was confirmed. Returns the number of that.
    pub(super) fn confirmed(&mut self, task: TaskId) -> u64 {
        // Numbers begin at 1.
        let number = self.next() + 1;
        self.confirmed.push_back((number, task));
        self.count += 1;
        number
    }

    fn next(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers - 1
    }

    /// A task with a confirmed copy has left the queue, or must be published again.
    pub(super) fn forget(&mut self) {
        self.count -= 1;
    }

    /// A task was delivered whose first publication has this number.
    pub(super) fn delivered(&mut self, published: u64) {
        self.delivered = self.delivered.max(published);
    }

    pub(super) fn check_now(&mut self) {
        self.next_check = Duration::ZERO;
    }

    /// Some copies have vanished, and perhaps others have too. So the next check, whose usual distance is `every`, is
    /// soon.
    pub(super) fn check_soon(&mut self, now: Duration, every: Duration) {
        self.next_check = self.next_check.min(now + every / 8);
    }

    pub(super) fn is_check_due(&self, now: Duration) -> bool {
        now >= self.next_check
    }

    /// Begins a check. Returns the number of the question how many messages the engine has, and the number of the last
    /// copy that may be overtaken. The answer to an earlier question does not count any more.
    pub(super) fn check(&mut self, now: Duration, every: Duration) -> (u64, u64) {
        self.next_check = now + every;
        self.question += 1;
        self.asked = Some(self.numbers);
        // Agents have had the whole interval for their questions, even if there were checks within it.
        let overtaken = if now >= self.next_mark {
            self.next_mark = now + every;
            std::mem::replace(&mut self.delivered_before, self.delivered)
        } else {
            0
        };
        (self.question, overtaken)
    }

    /// The engine has answered a question. Returns how many copies have vanished, at least.
    pub(super) fn answered(&mut self, question: u64, messages: u64) -> usize {
        if question != self.question {
            return 0;
        }
        let Some(asked) = self.asked.take() else { return 0 };
        let later = self.confirmed.len() - self.confirmed.partition_point(|(number, _)| *number <= asked);
        let earlier = self.count.saturating_sub(later);
        earlier.saturating_sub(usize::try_from(messages).unwrap_or(usize::MAX))
    }

    /// Returns the oldest copy, with the number of its confirmation.
    pub(super) fn oldest(&self) -> Option<(u64, TaskId)> {
        self.confirmed.front().copied()
    }

    pub(super) fn pop_oldest(&mut self) {
        self.confirmed.pop_front();
    }
}
