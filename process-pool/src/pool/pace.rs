//! How often a worker's replies come.

use std::time::{Duration, Instant};

/// How long the supervisor waits between reads while replies come so often that a wake-up for each would cost more than
/// the task.
pub(crate) const BACKOFF: Duration = Duration::from_micros(100);

/// From this many tasks completed in one read on, more replies are expected soon.
const MANY: usize = 8;

/// See the [module](self).
pub(super) struct Pace {
    last_read: Instant,
}

impl Pace {
    pub(super) fn from(now: Instant) -> Pace {
        Pace { last_read: now }
    }

    /// Records a read that has completed some tasks and has left the worker others. Returns `true` if the next read
    /// should be after the [`BACKOFF`], without a doorbell: tasks end more often than that, and those that are left
    /// keep the worker busy until then.
    pub(super) fn is_fast(&mut self, completed: usize, left: usize, now: Instant) -> bool {
        let time = now.saturating_duration_since(std::mem::replace(&mut self.last_read, now));
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        if completed >= MANY {
            return true;
        }
        if completed == 0 {
            return false;
        }
        let each = time / number(completed);
        each < BACKOFF && each.saturating_mul(number(left)) >= BACKOFF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a read after this time is followed by a backoff.
    fn after(time: Duration, completed: usize, left: usize) -> bool {
        let start = Instant::now();
        Pace::from(start).is_fast(completed, left, start + time)
    }

    #[test]
    fn tasks_that_end_often_are_fast_if_the_worker_has_more() {
        assert!(after(BACKOFF / 2, 1, 2));
        assert!(after(BACKOFF, 4, 4));
        assert!(!after(BACKOFF / 2, 1, 1), "the worker would be idle before the next read");
        assert!(!after(BACKOFF, 4, 3));
        assert!(!after(BACKOFF / 2, 1, 0));
    }

    #[test]
    fn tasks_that_end_rarely_are_not_fast() {
        assert!(!after(BACKOFF, 1, 100));
        assert!(!after(BACKOFF * 3, 2, 100));
        assert!(!after(Duration::ZERO, 0, 100), "no task has ended");
    }

    #[test]
    fn many_tasks_at_once_are_fast_whenever_the_last_read_was() {
        assert!(after(Duration::from_secs(1), MANY, 0));
        assert!(!after(Duration::from_secs(1), MANY - 1, 0));
    }

    #[test]
    fn the_time_is_that_since_the_last_read() {
        let start = Instant::now();
        let mut pace = Pace::from(start);
        let late = start + Duration::from_secs(1);
        assert!(!pace.is_fast(1, 9, late));
        assert!(pace.is_fast(1, 9, late + BACKOFF / 2));
        assert!(!pace.is_fast(1, 9, late), "a clock that goes back is no time");
    }
}
