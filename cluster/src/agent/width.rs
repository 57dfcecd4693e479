//! How many tasks an agent takes.

use std::time::Duration;

/// Tasks that take less than this are taken ahead of free slots, because asking for one takes about half as long. With
/// half as many, a slot would have none while the next are asked for, and each question would ask for fewer.
const SHORT: Duration = Duration::from_millis(2);
/// While tasks take longer than this, none waits in the agent for a slot: it would wait for longer than it takes to
/// fetch it.
const LONG: Duration = Duration::from_secs(1);
/// The most tasks that are taken ahead, for each slot.
const AHEAD: u32 = 128;

/// How many tasks an agent takes: how many may start, and how many are pulled, so that some are there when others end.
#[derive(Debug)]
pub(super) struct Width {
    slots: usize,
    /// How long a task takes, as a moving average.
    average: Duration,
}

impl Width {
    pub(super) fn new(slots: usize) -> Width {
        Width { slots, average: SHORT }
    }

    pub(super) fn record(&mut self, took: Duration) {
        // One long task among many short ones is enough to stop taking ahead for a while, and not for ever.
        self.average = (self.average * 7 + took.min(LONG * 8)) / 8;
    }

    /// Returns how many tasks may run or be asked for. A task beyond the slots starts within [`SHORT`] or so, and
    /// cannot be cancelled any more.
    pub(super) fn startable(&self) -> usize {
        self.slots.saturating_add(self.ahead())
    }

    /// Returns how many of these are ahead of free slots.
    pub(super) fn ahead(&self) -> usize {
        let nanoseconds = self.average.as_nanos().max(1);
        let ahead = (SHORT.as_nanos() / nanoseconds).saturating_sub(1).min(AHEAD as u128) as usize;
        self.slots.saturating_mul(ahead)
    }

    /// Returns how many tasks the agent has at most, with those that wait for a slot and can be cancelled.
    pub(super) fn pulled(&self) -> usize {
        let reserve = if self.average < LONG { self.startable() } else { 0 };
        self.startable().saturating_add(reserve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(took: Duration) -> Width {
        let mut width = Width::new(4);
        (0..100).for_each(|_| width.record(took));
        width
    }

    #[test]
    fn only_short_tasks_are_taken_ahead_and_only_long_ones_are_not_kept_ready() {
        let short = after(Duration::from_micros(5));
        assert_eq!((short.startable(), short.pulled()), (4 * 129, 8 * 129));
        let middle = after(Duration::from_millis(5));
        assert_eq!((middle.startable(), middle.pulled()), (4, 8));
        let long = after(Duration::from_secs(60));
        assert_eq!((long.startable(), long.pulled()), (4, 4));
        assert_eq!((Width::new(2).startable(), after(Duration::ZERO).startable()), (2, 4 * 129));
    }

    #[test]
    fn what_is_taken_ahead_takes_no_longer_than_a_short_task() {
        for (took, ahead) in [(2000, 0), (1100, 0), (1000, 1), (500, 3), (100, 19)] {
            let width = after(Duration::from_micros(took));
            assert_eq!((width.ahead(), width.startable()), (4 * ahead, 4 + 4 * ahead), "{took}");
        }
    }

    #[test]
    fn one_long_task_stops_taking_ahead_at_once() {
        let mut width = after(Duration::from_micros(5));
        width.record(Duration::from_secs(5));
        assert_eq!(width.startable(), 4);
        (0..200).for_each(|_| width.record(Duration::from_micros(5)));
        assert_eq!(width.startable(), 4 * 129);
    }
}
