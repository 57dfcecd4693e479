//! Whether and when the next worker is started after one has failed to start, and when the pool is broken.
//!
//! A pool is only broken by a reason that does not pass. As long as another worker serves, or may yet, it is not:
//! failing starts go on with pauses, because whatever is wrong with them costs nobody a task. Where none is left, a few
//! failures in a row are enough if no worker of the pool has ever been ready: the next one will meet the same. Where
//! workers were ready before, or were killed from outside, or the system lacks what may be free again in a moment, it
//! takes more attempts, with pauses. Either way the number of starts without a worker that serves is bounded.

use std::{io, time::Duration};

use rustix::io::Errno;

/// So many starts may fail in a row, for a reason that will most likely not pass.
const MOST_FAILURES: u32 = 3;

/// So many may fail, for one that may pass; and so many more than the pool is wide may be killed from outside.
const MOST_PASSING_FAILURES: u32 = 8;

/// So many workers may end that were ready and had no task yet, in a row, until the next are started with pauses.
const MOST_USELESS_WORKERS: u32 = 5;

/// The shortest pause before another attempt. The longest is fifty of them.
const PAUSE: Duration = Duration::from_millis(200);

/// What has failed since it last went well.
#[derive(Debug)]
pub(super) struct RestartPolicy {
    width: u32,
    /// Whether any worker was ever ready.
    has_served: bool,
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
    /// It said that it cannot serve, and why.
    Declined,
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

impl RestartPolicy {
    pub(super) fn new(width: usize) -> RestartPolicy {
        let width = u32::try_from(width).unwrap_or(u32::MAX / 2);
        RestartPolicy { width, has_served: false, failed: 0, killed: 0, useless: 0 }
    }

    /// A worker is ready.
    pub(super) fn one_is_ready(&mut self) {
        self.has_served = true;
        self.failed = 0;
        self.killed = 0;
    }

    /// A worker has ended. `others` says that another one serves, or has been started and has not failed yet.
    pub(super) fn one_has_ended(&mut self, life: Life, others: bool) -> Next {
        self.useless = if life == Life::Useless { self.useless.saturating_add(1) } else { 0 };
        match life {
            Life::Failed => {
                let most = if self.has_served { MOST_PASSING_FAILURES } else { MOST_FAILURES };
                self.one_more_failure(most, others)
            }
            // Another one would say the same, so this is a reason by itself.
            Life::Declined => match self.one_more_failure(1, others) {
                Next::StartNow => Next::StartAfter(PAUSE),
                next => next,
            },
            Life::Killed => {
                self.killed = self.killed.saturating_add(1);
                match self.killed.saturating_sub(self.width) {
                    0..MOST_FAILURES => Next::StartNow,
                    more if others || more < MOST_PASSING_FAILURES => Next::StartAfter(pause(more - MOST_FAILURES + 1)),
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

    /// The system has refused to start a worker, for this reason.
    pub(super) fn one_was_refused(&mut self, cause: &io::Error, others: bool) -> Next {
        let most = if may_pass(cause) { MOST_PASSING_FAILURES } else { MOST_FAILURES };
        match self.one_more_failure(most, others) {
            // What was refused at this moment is refused at the next one too.
            Next::StartNow => Next::StartAfter(pause(self.failed)),
            next => next,
        }
    }

    fn one_more_failure(&mut self, most: u32, others: bool) -> Next {
        self.failed = self.failed.saturating_add(1);
        match self.failed {
            failed if failed >= most && !others => Next::GiveUp,
            failed if failed < MOST_FAILURES => Next::StartNow,
            failed => Next::StartAfter(pause(failed - MOST_FAILURES + 1)),
        }
    }
}

/// Whether the system lacks something that others may give back at any moment.
fn may_pass(cause: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(cause),
        Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM | Errno::NOBUFS)
    )
}

fn pause(times: u32) -> Duration {
    PAUSE * times.clamp(1, 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(errno: Errno) -> io::Error {
        errno.into()
    }

    #[test]
    fn workers_that_end_by_themselves_before_any_was_ready_are_given_up_soon() {
        let mut policy = RestartPolicy::new(5);
        assert_eq!(policy.one_has_ended(Life::Failed, false), Next::StartNow);
        assert_eq!(policy.one_has_ended(Life::Failed, false), Next::StartNow);
        assert_eq!(policy.one_has_ended(Life::Failed, false), Next::GiveUp);
        assert_eq!(RestartPolicy::new(5).one_has_ended(Life::Declined, false), Next::GiveUp);
    }

    #[test]
    fn no_failure_breaks_a_pool_while_another_worker_may_serve() {
        let mut policy = RestartPolicy::new(4);
        policy.one_is_ready();
        for round in 0..1000 {
            let nexts = [
                policy.one_has_ended(Life::Failed, true),
                policy.one_has_ended(Life::Killed, true),
                policy.one_has_ended(Life::Declined, true),
                policy.one_was_refused(&refusal(Errno::NOENT), true),
                policy.one_was_refused(&refusal(Errno::MFILE), true),
            ];
            assert!(!nexts.contains(&Next::GiveUp));
            assert!(round < 50 || nexts.iter().all(|next| matches!(next, Next::StartAfter(_))), "no storm");
        }
        // What has not passed in all that time is not waited for when the last one is gone.
        assert_eq!(policy.one_has_ended(Life::Failed, false), Next::GiveUp);
    }

    #[test]
    fn where_workers_were_ready_before_or_the_system_lacks_something_there_are_more_attempts_and_pauses() {
        type Fails = fn(&mut RestartPolicy) -> Next;
        let cases: [Fails; 2] = [
            |policy| policy.one_has_ended(Life::Failed, false),
            |policy| policy.one_was_refused(&refusal(Errno::AGAIN), false),
        ];
        for fails in cases {
            let mut policy = RestartPolicy::new(2);
            policy.one_is_ready();
            let nexts: Vec<Next> = (0..MOST_PASSING_FAILURES).map(|_| fails(&mut policy)).collect();
            assert_eq!(nexts.iter().position(|next| *next == Next::GiveUp), Some(nexts.len() - 1));
            let pauses =
                nexts.iter().map(|next| if let Next::StartAfter(pause) = next { *pause } else { Duration::ZERO });
            let pauses: Duration = pauses.sum();
            assert!(pauses > Duration::from_secs(2) && pauses < Duration::from_secs(10), "{pauses:?}");
        }
        let mut policy = RestartPolicy::new(2);
        let nexts: Vec<Next> = (0..3).map(|_| policy.one_was_refused(&refusal(Errno::ACCESS), false)).collect();
        assert!(nexts[1] != Next::GiveUp && nexts[2] == Next::GiveUp);
    }

    #[test]
    fn workers_that_are_killed_before_they_are_ready_are_given_up_later() {
        for width in [1, 2, 5, 64] {
            let mut policy = RestartPolicy::new(width);
            let mut starts = 0;
            let mut pauses = Duration::ZERO;
            loop {
                match policy.one_has_ended(Life::Killed, false) {
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
        let mut policy = RestartPolicy::new(1);
        for _ in 0..100 {
            assert_eq!(policy.one_has_ended(Life::Failed, false), Next::StartNow);
            assert_eq!(policy.one_has_ended(Life::Failed, false), Next::StartNow);
            policy.one_is_ready();
        }
    }

    #[test]
    fn workers_that_never_have_a_task_are_replaced_with_growing_pauses_that_have_an_end() {
        let mut policy = RestartPolicy::new(1);
        let nexts: Vec<Next> = (0..100).map(|_| policy.one_has_ended(Life::Useless, false)).collect();
        assert!(nexts[..5].iter().all(|next| *next == Next::StartNow));
        assert_eq!((nexts[5], nexts[99]), (Next::StartAfter(PAUSE), Next::StartAfter(PAUSE * 50)));
        assert_eq!(policy.one_has_ended(Life::Served, false), Next::StartNow);
        assert_eq!(policy.one_has_ended(Life::Useless, false), Next::StartNow);
    }
}
