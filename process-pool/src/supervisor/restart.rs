//! How often workers may fail in a row, and how long the pool waits before it starts the next.
//!
//! A worker that ends before it is ready most likely does so for a reason that the next one will meet too, so a few are
//! enough to know. One that was killed meanwhile says less: somebody may be killing workers at random, and be done soon. So
//! of those more are borne, with pauses. Either way the number of starts is bounded.

use std::time::Duration;

/// So many workers may end by themselves before they are ready, in a row, until the pool gives up.
const MOST_FAILED_STARTS: u32 = 3;

/// So many more than the pool is wide may be killed from outside before they are ready, in a row, until the pool gives up.
const MOST_KILLED_STARTS: u32 = 8;

/// So many workers may end that were ready and had no task yet, in a row, until the next are started with pauses.
const MOST_USELESS_WORKERS: u32 = 5;

/// The shortest pause before another attempt. The longest is fifty of them.
const PAUSE: Duration = Duration::from_millis(200);

/// What has failed since it last went well.
#[derive(Debug)]
pub(super) struct Patience {
    width: u32,
    /// Workers that ended by themselves before they were ready, or that the system refused to start.
    failed: u32,
    /// Workers that were killed before they were ready.
    killed: u32,
    /// Workers that were ready and ended without ever having had a task.
    useless: u32,
}

/// How a worker's life ended, as far as the next one is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It ended by itself before it was ready.
    Failed,
    /// It was killed from outside before it was ready.
    Killed,
    /// It was ready, and ended without ever having had a task.
    Useless,
    /// It has had a task, or was ended by the pool itself.
    Served,
}

/// What to do about an empty place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    StartNow,
    StartAfter(Duration),
    GiveUp,
}

impl Patience {
    pub(super) fn new(width: usize) -> Patience {
        Patience { width: u32::try_from(width).unwrap_or(u32::MAX / 2), failed: 0, killed: 0, useless: 0 }
    }

    /// A worker is ready.
    pub(super) fn one_is_ready(&mut self) {
        self.failed = 0;
        self.killed = 0;
    }

    /// A worker has ended.
    pub(super) fn one_has_ended(&mut self, life: Life) -> Next {
        self.useless = if life == Life::Useless { self.useless + 1 } else { 0 };
        match life {
            Life::Failed => {
                self.failed += 1;
                if self.failed >= MOST_FAILED_STARTS { Next::GiveUp } else { Next::StartNow }
            }
            Life::Killed => {
                self.killed += 1;
                match self.killed.saturating_sub(self.width) {
                    0..MOST_FAILED_STARTS => Next::StartNow,
                    more if more < MOST_KILLED_STARTS => Next::StartAfter(pause(more - MOST_FAILED_STARTS + 1)),
                    _ => Next::GiveUp,
                }
            }
            // Whatever ends them has nothing to do with tasks, and is not over: going on at once would be a storm.
            Life::Useless if self.useless > MOST_USELESS_WORKERS => {
                Next::StartAfter(pause(self.useless - MOST_USELESS_WORKERS))
            }
            Life::Useless | Life::Served => Next::StartNow,
        }
    }

    /// The system has refused to start a worker. While others do the work it does not matter much when this place is filled.
    pub(super) fn one_was_refused(&mut self, others_live: bool) -> Next {
        self.failed += 1;
        if !others_live && self.failed >= MOST_FAILED_STARTS {
            return Next::GiveUp;
        }
        Next::StartAfter(pause(self.failed))
    }
}

fn pause(times: u32) -> Duration {
    PAUSE * times.clamp(1, 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_end_by_themselves_before_they_are_ready_are_given_up_soon() {
        let mut patience = Patience::new(5);
        assert_eq!(patience.one_has_ended(Life::Failed), Next::StartNow);
        assert_eq!(patience.one_has_ended(Life::Failed), Next::StartNow);
        assert_eq!(patience.one_has_ended(Life::Failed), Next::GiveUp);
    }

    #[test]
    fn workers_that_are_killed_before_they_are_ready_are_given_up_later() {
        for width in [1, 2, 5, 64] {
            let mut patience = Patience::new(width);
            let mut starts = 0;
            let mut pauses = Duration::ZERO;
            loop {
                match patience.one_has_ended(Life::Killed) {
                    Next::GiveUp => break,
                    Next::StartNow => {}
                    Next::StartAfter(pause) => pauses += pause,
                }
                starts += 1;
            }
            assert!(starts > width && starts <= width + 8, "{starts} starts for {width} workers");
            assert!(pauses > Duration::from_secs(1) && pauses < Duration::from_secs(10), "{pauses:?}");
        }
    }

    #[test]
    fn a_worker_that_is_ready_ends_the_count() {
        let mut patience = Patience::new(1);
        for _ in 0..100 {
            assert_eq!(patience.one_has_ended(Life::Failed), Next::StartNow);
            assert_eq!(patience.one_has_ended(Life::Failed), Next::StartNow);
            patience.one_is_ready();
        }
    }

    #[test]
    fn workers_that_never_have_a_task_are_replaced_with_growing_pauses_that_have_an_end() {
        let mut patience = Patience::new(1);
        let nexts: Vec<Next> = (0..100).map(|_| patience.one_has_ended(Life::Useless)).collect();
        assert!(nexts[..5].iter().all(|next| *next == Next::StartNow));
        assert_eq!((nexts[5], nexts[99]), (Next::StartAfter(PAUSE), Next::StartAfter(PAUSE * 50)));
        assert_eq!(patience.one_has_ended(Life::Served), Next::StartNow);
        assert_eq!(patience.one_has_ended(Life::Useless), Next::StartNow);
    }

    #[test]
    fn a_refusal_matters_only_where_no_worker_is_left() {
        let mut patience = Patience::new(2);
        let refusals: Vec<Next> = (0..10).map(|_| patience.one_was_refused(true)).collect();
        assert!(!refusals.contains(&Next::GiveUp));
        assert_eq!(patience.one_was_refused(false), Next::GiveUp);
    }
}
