//! How long tasks take, without their time in a queue.

use std::time::{Duration, Instant};

/// For how long ends are counted together. Tasks that start together also end together, which says nothing.
const WINDOW: Duration = Duration::from_millis(20);

/// How long tasks take, without the time in which they wait for others in the executor's queue.
///
/// It is the time for which slots had a task, divided by the tasks that ended in it. The time in which slots have none,
/// because tasks come more slowly than they could run, says nothing.
#[derive(Debug)]
pub(super) struct Pace {
    slots: usize,
    /// How many tasks are in the executor, and since when so many.
    running: usize,
    since: Instant,
    /// When the window began, for how long slots had tasks in it, and how many tasks have ended in it.
    began: Instant,
    busy: Duration,
    ended: u32,
    /// What the last window says.
    estimate: Duration,
}

impl Pace {
    pub(super) fn new(slots: usize, now: Instant) -> Pace {
        let (busy, estimate) = (Duration::ZERO, Duration::MAX);
        Pace { slots, running: 0, since: now, began: now, busy, ended: 0, estimate }
    }

    /// A task is given to the executor.
    pub(super) fn started(&mut self, now: Instant) {
        self.pass(now);
        self.running += 1;
    }

    /// A task has ended, so long after it was given to the executor. Returns how long it ran, about.
    pub(super) fn ended(&mut self, took: Duration, now: Instant) -> Duration {
        self.pass(now);
        self.running = self.running.saturating_sub(1);
        self.ended += 1;
        if now.saturating_duration_since(self.began) >= WINDOW {
            self.estimate = self.busy / self.ended;
            (self.began, self.busy, self.ended) = (now, Duration::ZERO, 0);
        }
        took.min(self.estimate)
    }

    fn pass(&mut self, now: Instant) {
        let slots = u32::try_from(self.running.min(self.slots)).unwrap_or(u32::MAX);
        self.busy = self.busy.saturating_add(now.saturating_duration_since(self.since).saturating_mul(slots));
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays tasks that take this long on 4 slots, with so many in the executor, and returns the last estimate. After
    /// four have ended, none comes for a time.
    fn play(takes: Duration, in_executor: u32, pause: Duration) -> Duration {
        let mut now = Instant::now();
        let mut pace = Pace::new(4, now);
        (0..in_executor).for_each(|_| pace.started(now));
        let mut last = Duration::ZERO;
        for round in 1..20_000 {
            now += takes;
            // Four end together, after the others before them.
            let took = (takes + pause) * (in_executor / 4).clamp(1, round);
            (0..4).for_each(|_| last = pace.ended(took, now));
            now += pause;
            (0..4).for_each(|_| pace.started(now));
        }
        last
    }

    fn check(said: Duration, takes: Duration) {
        assert!(said <= takes.mul_f64(1.3) && said >= takes.mul_f64(0.7), "{said:?} for {takes:?}");
    }

    #[test]
    fn the_time_in_the_queue_does_not_count() {
        for takes in [10, 100, 1000, 50_000].map(Duration::from_micros) {
            for in_executor in [4, 40, 400] {
                check(play(takes, in_executor, Duration::ZERO), takes);
            }
        }
    }

    #[test]
    fn slots_that_are_free_do_not_make_tasks_longer() {
        for takes in [10, 100, 1000].map(Duration::from_micros) {
            check(play(takes, 4, Duration::from_millis(3)), takes);
        }
        let start = Instant::now();
        let mut pace = Pace::new(4, start);
        for n in 1..100 {
            let now = start + Duration::from_secs(n);
            pace.started(now - Duration::from_micros(10));
            let said = pace.ended(Duration::from_micros(10), now);
            assert_eq!(said, Duration::from_micros(10));
        }
    }
}
