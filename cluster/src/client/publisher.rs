//! Which tasks wait to be published, and how many copies may be on their way.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use executor_core::TaskId;

/// How many copies may be on their way to the engine at the beginning, and at most. The most is what an engine needs
/// that confirms 50,000 copies a second and needs 20 ms for each.
const FIRST: usize = 64;
const MOST: usize = 1024;

/// How many bytes may be on their way, besides one task of any size.
const MOST_BYTES: usize = 8 << 20;

/// How long nothing is published after the engine has refused a copy, the first time and at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The place of a task among those that wait: the highest priority first, and then the order of submission.
pub(super) type Place = (Reverse<i32>, u64);

/// The tasks that wait to be published, and those that were and are not confirmed yet.
///
/// Without a bound, an engine that needs longer than usual for a confirmation would get each copy again and again, and
/// would then need longer still. So few copies are on their way at first, one more with each confirmation, and half as
/// many when one was not confirmed in time. From then on the number grows slowly.
#[derive(Debug)]
pub(super) struct Publisher {
    waiting: BTreeMap<Place, TaskId>,
    /// The tasks that were published, and when, oldest first. Some are not on their way any more.
    sent: VecDeque<(Duration, TaskId)>,
    /// How many copies are on their way, and how many bytes they have.
    copies: usize,
    bytes: usize,
    /// How many copies may be on their way.
    window: usize,
    /// The window grows by one after so many confirmations, of which `confirmed` have come.
    step: usize,
    confirmed: usize,
    /// Copies that were published before this do not make the window smaller.
    narrowed: Duration,
    /// Nothing is published before this.
    paused_until: Duration,
    pause: Duration,
}

impl Publisher {
    pub(super) fn new() -> Publisher {
        Publisher {
            waiting: BTreeMap::new(),
            sent: VecDeque::new(),
            copies: 0,
            bytes: 0,
            window: FIRST,
            step: 1,
            confirmed: 0,
            narrowed: Duration::ZERO,
            paused_until: Duration::ZERO,
            pause: SHORTEST_PAUSE,
        }
    }

    /// A task must be published.
    pub(super) fn wait(&mut self, place: Place, task: TaskId) {
        self.waiting.insert(place, task);
    }

    /// A task need not be published any more.
    pub(super) fn withdraw(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    pub(super) fn clear_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Returns a task that must be published now.
    pub(super) fn next(&mut self, now: Duration) -> Option<TaskId> {
        let has_room = self.copies < self.window && self.bytes < MOST_BYTES;
        if !has_room || now < self.paused_until {
            return None;
        }
        self.waiting.pop_first().map(|(_, task)| task)
    }

    pub(super) fn sent(&mut self, task: TaskId, bytes: usize, now: Duration) {
        self.sent.push_back((now, task));
        self.copies += 1;
        self.bytes += bytes;
    }

    /// A copy is not awaited any more.
    pub(super) fn forget(&mut self, bytes: usize) {
        self.copies -= 1;
        self.bytes -= bytes;
        if self.copies == 0 {
            self.sent.clear();
        }
    }

    /// The engine has confirmed a copy.
    pub(super) fn confirmed(&mut self, bytes: usize) {
        self.forget(bytes);
        (self.paused_until, self.pause) = (Duration::ZERO, SHORTEST_PAUSE);
        self.confirmed += 1;
        if self.confirmed >= self.step {
            self.confirmed = 0;
            self.window = (self.window + 1).min(MOST);
        }
    }

    /// The engine has refused a copy, because it has no room for it or cannot do anything now.
    pub(super) fn refused(&mut self, bytes: usize, now: Duration) {
        self.forget(bytes);
        // The other copies that are on their way will be refused too, which counts once.
        if now >= self.paused_until {
            self.narrow();
            self.paused_until = now + self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Returns a task that was published so long ago that it should be confirmed by now, and when it was. It may be
    /// confirmed, and is forgotten here only.
    pub(super) fn pop_overdue(&mut self, now: Duration, after: Duration) -> Option<(Duration, TaskId)> {
        let (then, _) = self.sent.front()?;
        if now < *then + after {
            return None;
        }
        self.sent.pop_front()
    }

    /// A copy that was published at this time was not confirmed until now.
    pub(super) fn overdue(&mut self, then: Duration, bytes: usize, now: Duration) {
        self.forget(bytes);
        // All copies of one moment are late for one reason, which counts once.
        if then >= self.narrowed {
            self.narrow();
            self.narrowed = now;
        }
    }

    /// Everything that was on its way may be lost. Returns it, with what was confirmed lately.
    pub(super) fn connection_is_new(&mut self) -> VecDeque<(Duration, TaskId)> {
        (self.window, self.step, self.confirmed) = (FIRST, 1, 0);
        (self.paused_until, self.pause) = (Duration::ZERO, SHORTEST_PAUSE);
        std::mem::take(&mut self.sent)
    }

    fn narrow(&mut self) {
        self.window = (self.window / 2).max(1);
        (self.step, self.confirmed) = (self.window, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::from_u64(1);

    /// Publishes what may be published, and returns how much that is.
    fn publish(publisher: &mut Publisher, now: Duration) -> usize {
        let mut count = 0;
        while let Some(task) = publisher.next(now) {
            publisher.sent(task, 10, now);
            count += 1;
        }
        count
    }

    fn with_waiting(tasks: u64) -> Publisher {
        let mut publisher = Publisher::new();
        (0..tasks).for_each(|order| publisher.wait((Reverse(0), order), TASK));
        publisher
    }

    #[test]
    fn more_is_on_its_way_with_each_confirmation_and_half_as_much_after_silence() {
        let mut publisher = with_waiting(1_000_000);
        let now = Duration::from_secs(5);
        assert_eq!(publish(&mut publisher, now), FIRST);
        (0..FIRST).for_each(|_| publisher.confirmed(10));
        assert_eq!(publish(&mut publisher, now), 2 * FIRST);
        for _ in 0..10 {
            (0..publisher.copies).for_each(|_| publisher.confirmed(10));
            publish(&mut publisher, now);
        }
        assert_eq!((publisher.copies, publisher.bytes), (MOST, MOST * 10));
        let later = now + Duration::from_secs(2);
        assert_eq!(publisher.pop_overdue(now, Duration::from_secs(2)), None);
        while let Some((then, _)) = publisher.pop_overdue(later, Duration::from_secs(2)) {
            if publisher.copies > 0 {
                publisher.overdue(then, 10, later);
            }
        }
        assert_eq!(publish(&mut publisher, later), MOST / 2);
        // Now it grows slowly.
        (0..MOST / 2).for_each(|_| publisher.confirmed(10));
        assert_eq!(publish(&mut publisher, later), MOST / 2 + 1);
    }

    #[test]
    fn a_full_engine_is_asked_again_after_pauses_that_grow() {
        let mut publisher = with_waiting(1000);
        let mut now = Duration::from_secs(5);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let count = publish(&mut publisher, now);
            assert!(count > 0);
            (0..count).for_each(|_| publisher.refused(10, now));
            let began = now;
            while publish(&mut publisher, now) == 0 {
                now += Duration::from_millis(50);
            }
            (0..publisher.copies).for_each(|_| publisher.forget(10));
            pauses.push((now - began).as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(publish(&mut publisher, now), 1, "one is enough to ask");
        publisher.confirmed(10);
        assert_eq!(publish(&mut publisher, now), 2);
    }

    #[test]
    fn bytes_are_bounded_too_and_priorities_come_first() {
        let mut publisher = with_waiting(2);
        let urgent = TaskId::from_u64(2);
        publisher.wait((Reverse(1), 9), urgent);
        assert_eq!(publisher.next(Duration::ZERO), Some(urgent));
        publisher.sent(urgent, MOST_BYTES, Duration::ZERO);
        assert_eq!(publisher.next(Duration::ZERO), None);
        publisher.confirmed(MOST_BYTES);
        publisher.withdraw((Reverse(0), 0));
        assert_eq!(publisher.next(Duration::ZERO), Some(TASK));
        assert_eq!(publisher.next(Duration::ZERO), None);
    }
}
