//! The restart policy. It decides whether and when a worker is started after another has failed, and when the pool
//! breaks.
//!
//! A pool breaks only because of a reason that will most likely not pass. While another worker serves, or may still
//! begin to, the pool does not break: failing starts go on with pauses, because they cost no task. When no worker is
//! left, a few failures in a row break the pool if none of its workers was ever ready, because the next one most likely
//! fails as well. It takes more attempts, with pauses, if workers were ready before, if they were killed from outside,
//! or if the system lacks a resource that may soon be free again. Either way the number of starts without a worker that
//! serves is bounded.
//!
//! While no worker has ever been ready, the workers that are starting show whether any can be. After enough failures
//! the pool waits for their outcome: otherwise slow starts, one of which is always in progress, would replace each
//! other for a long time.

use std::{io, time::Duration};

use crate::sys::advice::may_pass;

/// How many starts may fail in a row for a reason that most likely does not pass.
const MOST_FAILURES: u32 = 3;

/// How many starts may fail for a reason that may pass. If workers are killed from outside, the limit is larger by the
/// number of the pool's workers.
const MOST_PASSING_FAILURES: u32 = 8;

/// How many workers in a row may be ready and die without a task before the next are started with pauses.
const MOST_USELESS_WORKERS: u32 = 5;

/// The shortest pause before another attempt. The longest is fifty of them.
const PAUSE: Duration = Duration::from_millis(200);

/// How long an empty slot waits for the workers that are starting to show whether any worker can become ready.
const WAIT: Duration = Duration::from_secs(10);

/// The failures since the last success.
#[derive(Debug)]
pub(super) struct RestartPolicy {
    width: u32,
    /// Whether any worker was ever ready.
    has_served: bool,
    /// Workers that died by themselves before they were ready, or that the system refused to start.
    failed: u32,
    /// Workers that were killed before they were ready.
    killed: u32,
    /// Workers that were ready and died without ever having had a task.
    useless: u32,
}

/// A summary of a worker's life, as far as it matters for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It died by itself before it was ready.
    Failed,
    /// It reported that it could not become ready, and why.
    Declined,
    /// It was killed from outside before it was ready.
    Killed,
    /// It was ready, and died without ever having had a task.
    Useless,
    /// It has had a task, or was ended by the pool itself.
    Served,
}

/// The next step for a slot without a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    StartNow,
    StartAfter(Duration),
    BreakPool,
}

impl RestartPolicy {
    pub(super) fn new(width: usize) -> RestartPolicy {
        let mut policy = RestartPolicy { width: 0, has_served: false, failed: 0, killed: 0, useless: 0 };
        policy.set_width(width);
        policy
    }

    /// Changes the number of the pool's workers.
    pub(super) fn set_width(&mut self, width: usize) {
        self.width = u32::try_from(width).unwrap_or(u32::MAX / 2);
    }

    /// Records that a worker is ready. Returns `true` if empty slots have waited for this.
    #[must_use]
    pub(super) fn on_ready(&mut self) -> bool {
        let has_waited = !self.has_served && self.failed + self.killed > 0;
        self.has_served = true;
        self.failed = 0;
        self.killed = 0;
        has_waited
    }

    /// Decides the next step after the death of a worker. `others` tells whether another worker serves, or was started
    /// and has not failed yet.
    pub(super) fn on_death(&mut self, life: Life, others: bool) -> Next {
        self.useless = if life == Life::Useless { self.useless.saturating_add(1) } else { 0 };
        match life {
            Life::Failed => {
                let most = if self.has_served { MOST_PASSING_FAILURES } else { MOST_FAILURES };
                self.count_failure(most, others)
            }
            // Another worker would report the same, so one such worker is enough.
            Life::Declined => match self.count_failure(1, others) {
                Next::StartNow => Next::StartAfter(PAUSE),
                next => next,
            },
            Life::Killed => {
                self.killed = self.killed.saturating_add(1);
                match self.killed.saturating_sub(self.width) {
                    0..MOST_FAILURES => Next::StartNow,
                    more if more < MOST_PASSING_FAILURES => Next::StartAfter(pause(more - MOST_FAILURES + 1)),
                    more if others => self.after_many(more),
                    _ => Next::BreakPool,
                }
            }
            // Such deaths are not caused by tasks and may go on, so restarts without pauses would never end.
            Life::Useless if self.useless > MOST_USELESS_WORKERS => {
                Next::StartAfter(pause(self.useless - MOST_USELESS_WORKERS))
            }
            Life::Useless | Life::Served => Next::StartNow,
        }
    }

    /// Decides the next step after the system has refused to start a worker, for this reason.
    pub(super) fn on_refused(&mut self, cause: &io::Error, others: bool) -> Next {
        let most = if may_pass(cause) { MOST_PASSING_FAILURES } else { MOST_FAILURES };
        match self.count_failure(most, others) {
            // The system would refuse an immediate attempt, too.
            Next::StartNow => Next::StartAfter(pause(self.failed)),
            next => next,
        }
    }

    fn count_failure(&mut self, most: u32, others: bool) -> Next {
        self.failed = self.failed.saturating_add(1);
        match self.failed {
            failed if failed >= most && !others => Next::BreakPool,
            failed if failed >= most => self.after_many(failed),
            failed if failed < MOST_FAILURES => Next::StartNow,
            failed => Next::StartAfter(pause(failed - MOST_FAILURES + 1)),
        }
    }

    /// Decides after failures that would break the pool if no other worker were left.
    fn after_many(&self, failures: u32) -> Next {
        match failures.checked_sub(MOST_FAILURES) {
            _ if !self.has_served => Next::StartAfter(WAIT),
            Some(more) => Next::StartAfter(pause(more + 1)),
            None => Next::StartNow,
        }
    }
}

fn pause(times: u32) -> Duration {
    PAUSE * times.clamp(1, 50)
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    fn refusal(errno: Errno) -> io::Error {
        errno.into()
    }

    #[test]
    fn three_workers_that_die_before_any_was_ready_break_the_pool() {
        let mut policy = RestartPolicy::new(5);
        assert_eq!(policy.on_death(Life::Failed, false), Next::StartNow);
        assert_eq!(policy.on_death(Life::Failed, false), Next::StartNow);
        assert_eq!(policy.on_death(Life::Failed, false), Next::BreakPool);
        assert_eq!(RestartPolicy::new(5).on_death(Life::Declined, false), Next::BreakPool);
    }

    #[test]
    fn while_no_worker_was_ever_ready_the_ones_that_are_starting_are_waited_for() {
        let mut policy = RestartPolicy::new(8);
        assert_eq!(policy.on_death(Life::Declined, true), Next::StartAfter(WAIT));
        assert!(policy.on_ready(), "the slot has waited for this");
        assert_eq!(policy.on_death(Life::Declined, true), Next::StartAfter(PAUSE));
        assert!(!policy.on_ready());

        let mut policy = RestartPolicy::new(8);
        let nexts: Vec<Next> = (0..7).map(|_| policy.on_death(Life::Failed, true)).collect();
        assert_eq!(nexts.iter().filter(|next| **next == Next::StartNow).count(), 2);
        assert_eq!(nexts.iter().filter(|next| **next == Next::StartAfter(WAIT)).count(), 5);
        assert_eq!(policy.on_death(Life::Failed, false), Next::BreakPool);
    }

    #[test]
    fn no_failure_breaks_a_pool_while_another_worker_may_serve() {
        let mut policy = RestartPolicy::new(4);
        let _ = policy.on_ready();
        for round in 0..1000 {
            let nexts = [
                policy.on_death(Life::Failed, true),
                policy.on_death(Life::Killed, true),
                policy.on_death(Life::Declined, true),
                policy.on_refused(&refusal(Errno::NOENT), true),
                policy.on_refused(&refusal(Errno::MFILE), true),
            ];
            assert!(!nexts.contains(&Next::BreakPool));
            assert!(round < 50 || nexts.iter().all(|next| matches!(next, Next::StartAfter(_))), "no storm");
        }
        // When the last worker is gone, the pool does not wait for a failure that has lasted this long.
        assert_eq!(policy.on_death(Life::Failed, false), Next::BreakPool);
    }

    #[test]
    fn a_reason_that_may_pass_gets_more_attempts_with_pauses() {
        type Fails = fn(&mut RestartPolicy) -> Next;
        let cases: [Fails; 2] =
            [|policy| policy.on_death(Life::Failed, false), |policy| policy.on_refused(&refusal(Errno::AGAIN), false)];
        for fails in cases {
            let mut policy = RestartPolicy::new(2);
            let _ = policy.on_ready();
            let nexts: Vec<Next> = (0..MOST_PASSING_FAILURES).map(|_| fails(&mut policy)).collect();
            assert_eq!(nexts.iter().position(|next| *next == Next::BreakPool), Some(nexts.len() - 1));
            let pauses =
                nexts.iter().map(|next| if let Next::StartAfter(pause) = next { *pause } else { Duration::ZERO });
            let pauses: Duration = pauses.sum();
            assert!(pauses > Duration::from_secs(2) && pauses < Duration::from_secs(10), "{pauses:?}");
        }
        let mut policy = RestartPolicy::new(2);
        let nexts: Vec<Next> = (0..3).map(|_| policy.on_refused(&refusal(Errno::ACCESS), false)).collect();
        assert!(nexts[1] != Next::BreakPool && nexts[2] == Next::BreakPool);
    }

    #[test]
    fn workers_killed_before_they_are_ready_get_more_attempts() {
        for width in [1, 2, 5, 64] {
            let mut policy = RestartPolicy::new(width);
            let mut starts = 0;
            let mut pauses = Duration::ZERO;
            loop {
                match policy.on_death(Life::Killed, false) {
                    Next::BreakPool => break,
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
    fn a_worker_that_is_ready_resets_the_count() {
        let mut policy = RestartPolicy::new(1);
        for _ in 0..100 {
            assert_eq!(policy.on_death(Life::Failed, false), Next::StartNow);
            assert_eq!(policy.on_death(Life::Failed, false), Next::StartNow);
            let _ = policy.on_ready();
        }
    }

    #[test]
    fn workers_that_die_without_a_task_are_replaced_after_growing_bounded_pauses() {
        let mut policy = RestartPolicy::new(1);
        let nexts: Vec<Next> = (0..100).map(|_| policy.on_death(Life::Useless, false)).collect();
        assert!(nexts[..5].iter().all(|next| *next == Next::StartNow));
        assert_eq!((nexts[5], nexts[99]), (Next::StartAfter(PAUSE), Next::StartAfter(PAUSE * 50)));
        assert_eq!(policy.on_death(Life::Served, false), Next::StartNow);
        assert_eq!(policy.on_death(Life::Useless, false), Next::StartNow);
    }
}
