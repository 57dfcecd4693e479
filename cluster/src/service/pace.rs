//! How long tasks take, without their time in a queue.

use std::time::{Duration, Instant};

/// For how long ends are counted together. Tasks that start together also end together, which says nothing.
const WINDOW: Duration = Duration::from_millis(20);

/// How long tasks take, without the time in which they wait for others in the executor's queue.
///
/// While all slots are busy, the number of tasks that end in a time tells that. While they are not, no task waits.
#[derive(Debug)]
pub(super) struct Pace {
    slots: u32,
    began: Instant,
    ended: u32,
    /// What the last window says, which is too much if not all slots were busy.
    estimate: Duration,
}

impl Pace {
    pub(super) fn new(slots: usize, now: Instant) -> Pace {
        Pace { slots: u32::try_from(slots).unwrap_or(u32::MAX), began: now, ended: 0, estimate: Duration::MAX }
    }

    /// A task has ended, so long after it was given to the executor. Returns how long it ran, about.
    pub(super) fn ended(&mut self, took: Duration, now: Instant) -> Duration {
        self.ended += 1;
        let window = now.saturating_duration_since(self.began);
        if window >= WINDOW {
            self.estimate = window.saturating_mul(self.slots) / self.ended;
            (self.began, self.ended) = (now, 0);
        }
        took.min(self.estimate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays tasks that take this long on 4 slots, with so many in the executor, and returns the last estimate.
    fn play(takes: Duration, in_executor: u32) -> Duration {
        let start = Instant::now();
        let mut pace = Pace::new(4, start);
        let mut last = Duration::ZERO;
        for round in 1..20_000 {
            // Four end together, after the others before them.
            let now = start + takes * round;
            let took = takes * (in_executor / 4).clamp(1, round);
            (0..4).for_each(|_| last = pace.ended(took, now));
        }
        last
    }

    #[test]
    fn the_time_in_the_queue_does_not_count() {
        for takes in [10, 100, 1000, 50_000].map(Duration::from_micros) {
            for in_executor in [4, 40, 400] {
                let said = play(takes, in_executor);
                assert!(said <= takes.mul_f64(1.3) && said >= takes.mul_f64(0.7), "{said:?} for {takes:?}");
            }
        }
    }

    #[test]
    fn slots_that_are_free_do_not_make_tasks_longer() {
        let start = Instant::now();
        let mut pace = Pace::new(4, start);
        for n in 1..100 {
            let said = pace.ended(Duration::from_micros(10), start + Duration::from_secs(n));
            assert_eq!(said, Duration::from_micros(10));
        }
    }
}
