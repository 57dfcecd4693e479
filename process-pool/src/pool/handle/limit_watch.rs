//! The time that a task with a time limit has run, computed without trusting the worker.
//!
//! A worker's claims and its clock are in memory that its tasks can write to, so both may have any value, and a
//! different one each time. Two facts are certain: when a task was sent, and which outcomes have arrived. So:
//!
//! - Items are counted by the outcomes that were received. A claim may be one item ahead of them; a claim that goes
//!   back is ignored.
//! - The worker's clock counts only at the first check of an item, and then only between the earliest time at which
//!   that item can have started and now.
//!
//! Whatever a worker writes, the number of checks on a task without outcomes is bounded, and then its time is over.

use std::time::{Duration, Instant};

use crate::transport::{Claim, ITEM_MODULUS};

/// How long a reply may take in any case. After that, each second must bring at least `REPLY_RATE` bytes of it.
const REPLY_TIME: Duration = Duration::from_secs(2);
const REPLY_RATE: u64 = 4 << 20;

/// The facts about a task at the time of a check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) now: Instant,
    /// Its claim, or `None` on a link without claims.
    pub(crate) claim: Option<Claim>,
    /// How long ago the running item started by the worker's clock, or `None` if that is in the future.
    pub(crate) age: Option<Duration>,
    /// Whether it was seen to run before.
    pub(crate) was_seen: bool,
    /// When it was sent, or its last outcome came.
    pub(crate) since: Instant,
    /// The same, but not before the end of the previous task.
    pub(crate) front_since: Instant,
    /// How many of its items have an outcome, and how many have none.
    pub(crate) received: u64,
    pub(crate) open: u64,
    /// Whether a part of a reply has arrived.
    pub(crate) is_in_a_reply: bool,
    /// How many bytes have ever come from the worker.
    pub(crate) bytes: u64,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitCheck {
    /// It has not used up its time. The next check is due after this time.
    InTime(Duration),
    /// It has used up its time, and its claim names the item that runs. It must be condemned at exactly that item.
    Over { item: Option<u64> },
    /// It has used up its time, and its claim cannot be trusted. It must be condemned by force.
    OverForced,
}

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitWatch {
    /// The item that is assumed to run.
    item: u64,
    start: Instant,
    /// When its reply began to arrive, and how many bytes had arrived by then.
    reply: Option<(Instant, u64)>,
    /// When it was first found to be over its limit and could not be condemned.
    overdue: Option<Instant>,
}

impl LimitWatch {
    /// Checks the first task of a worker, which has this time limit.
    pub(crate) fn check(watch: &mut Option<Box<LimitWatch>>, facts: &Facts, limit: Duration) -> LimitCheck {
        // No claim can undo an outcome that was received.
        if watch.as_ref().is_some_and(|watch| watch.item < facts.received) {
            *watch = None;
        }
        let started = match facts.claim {
            // Without claims, it started when it was sent.
            None => Some((facts.received, facts.since)),
            Some(Claim::Offered) if watch.is_none() && !facts.was_seen => None,
            Some(Claim::Offered) => Some((facts.received, facts.front_since)),
            Some(Claim::Running { item }) => Some((facts.item(item), facts.start())),
            Some(Claim::Finished | Claim::Gone) => Some((facts.received, facts.front_since)),
        };
        let Some((item, start)) = started else { return LimitCheck::InTime(limit) };
        let watch = match watch {
            Some(watch) if watch.item >= item => watch,
            _ => watch.insert(Box::new(LimitWatch { item, start, reply: None, overdue: None })),
        };
        let replies = match facts.claim {
            None => facts.is_in_a_reply,
            Some(claim) => claim == Claim::Finished,
        };
        if replies {
            watch.reply.get_or_insert((facts.now, facts.bytes));
        }
        watch.judge(facts, limit)
    }

    fn judge(&mut self, facts: &Facts, limit: Duration) -> LimitCheck {
        if let Some((since, before)) = self.reply {
            let come = Duration::from_secs(facts.bytes.saturating_sub(before) / REPLY_RATE);
            let left = (REPLY_TIME + come).saturating_sub(facts.now.saturating_duration_since(since));
            return if left.is_zero() { LimitCheck::OverForced } else { LimitCheck::InTime(left) };
        }
        let left = limit.saturating_sub(facts.now.saturating_duration_since(self.start));
        if !left.is_zero() {
            return LimitCheck::InTime(left);
        }
        match facts.claim {
            None => LimitCheck::Over { item: None },
            Some(_) if self.overdue.is_some_and(|at| facts.now >= at + last_chance(limit)) => LimitCheck::OverForced,
            Some(Claim::Running { item }) => LimitCheck::Over { item: Some(item) },
            Some(_) => LimitCheck::OverForced,
        }
    }

    /// Applies `postpone` to every time that it has recorded.
    pub(crate) fn postpone(&mut self, postpone: impl Fn(&mut Instant)) {
        postpone(&mut self.start);
        if let Some((since, _)) = &mut self.reply {
            postpone(since);
        }
        if let Some(overdue) = &mut self.overdue {
            postpone(overdue);
        }
    }

    /// Records that the task was over its limit and could not be condemned, because its claim had changed. Either it
    /// has just ended or gone on to its next item, and an outcome will come; or the claim is false. Returns when the
    /// next check is due.
    pub(crate) fn note_overdue(&mut self, now: Instant, limit: Duration) -> Duration {
        self.overdue.get_or_insert(now);
        last_chance(limit)
    }
}

/// Returns how much longer an outcome may take to arrive once the task's time is over.
fn last_chance(limit: Duration) -> Duration {
    limit.clamp(Duration::from_millis(50), Duration::from_secs(1))
}

impl Facts {
    /// Returns the item that a claim can name: the first without an outcome, or the one after it if that outcome is on
    /// its way.
    fn item(&self, claimed: u64) -> u64 {
        let ahead = claimed.wrapping_sub(self.received) % ITEM_MODULUS;
        let is_ahead = ahead > 0 && ahead < ITEM_MODULUS / 2;
        self.received + u64::from(is_ahead && self.open > 1)
    }

    /// Returns when the running item started.
    fn start(&self) -> Instant {
        match self.age {
            Some(age) => self.now.checked_sub(age).map_or(self.since, |start| start.max(self.since)),
            // A worker's clock that is ahead of this one is false.
            None => self.front_since,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(300);
    const HARDLY: Duration = Duration::from_millis(1);

    fn facts(sent: Instant, after: Duration, claim: Option<Claim>, age: Option<Duration>) -> Facts {
        Facts {
            now: sent + after,
            claim,
            age,
            was_seen: false,
            since: sent,
            front_since: sent,
            received: 0,
            open: 1,
            is_in_a_reply: false,
            bytes: 0,
        }
    }

    #[test]
    fn the_limit_counts_from_the_start_by_the_workers_clock() {
        let (sent, mut watch) = (Instant::now(), None);
        let runs = Some(Claim::Running { item: 0 });
        let waits = facts(sent, LIMIT, Some(Claim::Offered), Some(LIMIT));
        assert_eq!(LimitWatch::check(&mut watch, &waits, LIMIT), LimitCheck::InTime(LIMIT));
        let first = facts(sent, 2 * LIMIT, runs, Some(HARDLY));
        assert_eq!(LimitWatch::check(&mut watch, &first, LIMIT), LimitCheck::InTime(LIMIT - HARDLY));
        let later = facts(sent, 3 * LIMIT, runs, Some(LIMIT + HARDLY));
        assert_eq!(LimitWatch::check(&mut watch, &later, LIMIT), LimitCheck::Over { item: Some(0) });
    }

    #[test]
    fn a_false_clock_counts_no_further_back_than_the_task_was_sent() {
        let (sent, runs) = (Instant::now(), Some(Claim::Running { item: 0 }));
        let back = facts(sent, HARDLY, runs, Some(Duration::from_secs(1000)));
        assert_eq!(LimitWatch::check(&mut None, &back, LIMIT), LimitCheck::InTime(LIMIT - HARDLY));
        let ahead = facts(sent, LIMIT, runs, None);
        assert_eq!(LimitWatch::check(&mut None, &ahead, LIMIT), LimitCheck::Over { item: Some(0) });
    }

    #[test]
    fn each_item_of_a_batch_has_the_whole_limit() {
        let (sent, mut watch) = (Instant::now(), None);
        let mut check = |after: Duration, received, item| {
            let claim = Some(Claim::Running { item });
            let facts = Facts { received, open: 10 - received, ..facts(sent, after, claim, Some(HARDLY)) };
            LimitWatch::check(&mut watch, &facts, LIMIT)
        };
        let fresh = LimitCheck::InTime(LIMIT - HARDLY);
        assert_eq!(check(HARDLY, 0, 0), fresh);
        assert_eq!(check(LIMIT, 0, 1), fresh, "its outcome is on its way");
        assert_eq!(check(2 * LIMIT, 1, 1), LimitCheck::Over { item: Some(1) });
        assert_eq!(check(2 * LIMIT, 2, 2), fresh);
        assert_eq!(check(3 * LIMIT, 2, 4), fresh);
        assert_eq!(check(4 * LIMIT, 2, 5), LimitCheck::Over { item: Some(5) }, "no outcome, no more time");
    }

    #[test]
    fn items_are_counted_beyond_the_modulus_of_claims() {
        let sent = Instant::now();
        let claim = Some(Claim::Running { item: 0 });
        let last = Facts { received: ITEM_MODULUS - 1, open: 5, ..facts(sent, LIMIT, claim, Some(HARDLY)) };
        let mut watch = None;
        assert_eq!(LimitWatch::check(&mut watch, &last, LIMIT), LimitCheck::InTime(LIMIT - HARDLY));
        assert_eq!(watch.map(|watch| watch.item), Some(ITEM_MODULUS));
    }

    #[test]
    fn a_reply_has_time_of_its_own_and_more_for_each_byte_that_comes() {
        let (sent, mut watch) = (Instant::now(), None);
        let mut check = |after: Duration, bytes| {
            let facts = Facts { bytes, ..facts(sent, after, Some(Claim::Finished), Some(HARDLY)) };
            LimitWatch::check(&mut watch, &facts, LIMIT)
        };
        assert_eq!(check(LIMIT, 0), LimitCheck::InTime(REPLY_TIME));
        assert_eq!(check(LIMIT + REPLY_TIME, 10 * REPLY_RATE), LimitCheck::InTime(Duration::from_secs(10)));
        assert_eq!(check(LIMIT + 7 * REPLY_TIME, 10 * REPLY_RATE + 100), LimitCheck::OverForced);
    }

    fn claims() -> impl Strategy<Value = Option<Claim>> {
        prop_oneof![
            Just(Some(Claim::Offered)),
            (0..ITEM_MODULUS).prop_map(|item| Some(Claim::Running { item })),
            (0..4_u64).prop_map(|item| Some(Claim::Running { item })),
            Just(Some(Claim::Finished)),
            Just(Some(Claim::Gone)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The first claim says that the task runs. The later claims may be anything, and no outcome comes.
        #[test]
        fn a_task_is_over_after_a_few_checks_whatever_its_worker_writes(
            first in 0..3_u64,
            open in 1..5_u64,
            reports in proptest::collection::vec((claims(), proptest::option::of(0..400_u64), any::<u16>()), 40),
        ) {
            let (sent, mut watch) = (Instant::now(), None);
            let (mut after, mut checks, mut ended) = (LIMIT, 0, false);
            let begin = (Some(Claim::Running { item: first }), Some(0), 0);
            for (claim, age, bytes) in std::iter::once(begin).chain(reports) {
                checks += 1;
                let age = age.map(Duration::from_millis);
                let facts = Facts { open, bytes: bytes.into(), ..facts(sent, after, claim, age) };
                match LimitWatch::check(&mut watch, &facts, LIMIT) {
                    LimitCheck::InTime(left) => after += left,
                    // The claim has changed before the task could be condemned.
                    LimitCheck::Over { .. } => after += watch.as_mut().expect("it runs").note_overdue(facts.now, LIMIT),
                    LimitCheck::OverForced => {
                        ended = true;
                        break;
                    }
                }
            }
            prop_assert!(ended && checks <= 10, "{checks} checks");
            prop_assert!(after <= 5 * LIMIT + 2 * REPLY_TIME, "{after:?}");
        }
    }
}
