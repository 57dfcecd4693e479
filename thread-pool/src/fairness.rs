//! The exceptions from the order in which a worker polls the queues. They bound the wait of every task.
//!
//! Most polls begin with what should run first: high priorities, the worker's own tasks, the injector, the queues of
//! other workers, low priorities. If tasks kept arriving in one of these, the tasks in those after it would wait
//! forever. So every 32nd poll of a worker is an exception:
//!
//! - The first, third, fifth exception and so on begin with the injector. The others, except every 512th poll, begin
//!   with the queue of another worker, a different one each time. High priorities come before both.
//! - Every 512th poll begins with one of five sources in turn, regardless of priorities: the worker's own tasks, the
//!   injector, another worker's queue, and the task that has waited longest of the low and of the high priorities.
//!
//! A worker's own scoped jobs come after high priorities and before its other tasks, the newest first
//! ([`ScopedPolls`]). Of 64 polls that find one, one takes the oldest of the worker's other tasks instead. Now and then
//! one takes the oldest scoped job, of this worker and of another one in turn: after 512 polls, then after twice as
//! many each time, and at last after every 65,536 polls. Each of these begins another branch of a recursion before the
//! current one has ended. If they were frequent, the number of waiting jobs would grow with the size of the recursion.
//! For the same reason, a worker that has scoped jobs takes none of another worker at the exceptions above.
//!
//! A poll that finds a task runs it. So between two polls that begin with the same source, a worker starts at most 63
//! tasks (injector), 127 (others), or 2,559 (any source, regardless of priorities). The polls are counted from the last
//! time when the worker found nothing at all, so priorities are exact among the first 511 tasks of a burst.

/// Counts the polls of one worker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PollCount(u32);

/// How a poll chooses its first source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum PollOrder {
    /// It begins with what should run first.
    Regular,
    /// It begins where [`PollCount::exception`] says.
    Exception,
}

/// What a worker that has scoped jobs takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopedOrder {
    /// The scoped job that was spawned last.
    Newest,
    /// The one that has waited longest.
    Oldest,
    /// The one that has waited longest at another worker. The workers are counted as in [`Source::Others`].
    OldestOfOther(usize),
    /// The task that was submitted here and has waited longest.
    Submitted,
}

/// Counts the polls of one worker that find scoped jobs of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopedPolls {
    polls: u32,
    /// The number of polls after which the next one takes the oldest job.
    until_oldest: u32,
    /// The last distance between two of these.
    distance: u32,
    /// The number of these.
    rounds: usize,
}

impl ScopedPolls {
    const FIRST: u32 = 512;
    const LAST: u32 = 1 << 16;

    /// Counts a poll and returns its order.
    #[inline]
    pub(crate) fn count(&mut self) -> ScopedOrder {
        self.polls = self.polls.wrapping_add(1);
        self.until_oldest -= 1;
        if self.until_oldest == 0 {
            self.distance = (2 * self.distance).min(ScopedPolls::LAST);
            self.until_oldest = self.distance;
            self.rounds += 1;
            return if self.rounds % 2 == 1 {
                ScopedOrder::Oldest
            } else {
                ScopedOrder::OldestOfOther(self.rounds / 2)
            };
        }
        if self.polls % 64 == 0 { ScopedOrder::Submitted } else { ScopedOrder::Newest }
    }

    /// Starts again. The caller has found nothing in any queue.
    pub(crate) fn reset(&mut self) {
        *self = ScopedPolls { rounds: self.rounds, ..ScopedPolls::default() };
    }
}

impl Default for ScopedPolls {
    fn default() -> ScopedPolls {
        ScopedPolls { polls: 0, until_oldest: ScopedPolls::FIRST, distance: ScopedPolls::FIRST, rounds: 0 }
    }
}

/// Where an exceptional poll begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exception {
    /// With high priorities, and then this source.
    AfterHigh(Source),
    /// With this source, regardless of priorities.
    First(Source),
}

/// Where tasks wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The worker's own queue.
    Own,
    /// The tasks from outside, of priority 0.
    Injector,
    /// The queues of the other workers, beginning this number of workers after this worker's successor.
    Others(usize),
    /// The oldest task of low priority.
    Low,
    /// The oldest task of high priority.
    High,
}

/// The distance between exceptions, in polls. It is a power of two because every poll tests it.
const EVERY: u32 = 32;

impl PollCount {
    /// Counts a poll and returns its order.
    #[inline]
    pub(crate) fn count(&mut self) -> PollOrder {
        self.0 = self.0.wrapping_add(1);
        if self.0 % EVERY == 0 { PollOrder::Exception } else { PollOrder::Regular }
    }

    /// Returns where the last counted poll begins, which must be an exception.
    pub(crate) fn exception(self) -> Exception {
        Exception::of(self.0 / EVERY)
    }

    /// Starts again from 0. The caller has found nothing in any queue, so no task has waited for long.
    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    /// Returns the count of a worker that has polled this often.
    #[cfg(feature = "rayon")]
    pub(crate) fn after(polls: u32) -> PollCount {
        PollCount(polls)
    }

    #[cfg(feature = "rayon")]
    pub(crate) fn polls(self) -> u32 {
        self.0
    }
}

impl Exception {
    fn of(number: u32) -> Exception {
        if number % 16 != 0 {
            // These numbers are consecutive, although the multiples of 16 are left out.
            let others = Source::Others((number / 2 - number / 16) as usize);
            return Exception::AfterHigh(if number % 2 == 0 { others } else { Source::Injector });
        }
        let round = (number / 16) as usize;
        Exception::First(match round % 5 {
            0 => Source::Own,
            1 => Source::Injector,
            2 => Source::Others(round / 5),
            3 => Source::Low,
            _ => Source::High,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Returns the exceptions among this number of polls, each with the number of its poll.
    fn exceptions(polls: usize) -> Vec<(usize, Exception)> {
        let mut count = PollCount::default();
        (1..=polls)
            .filter_map(|poll| match count.count() {
                PollOrder::Exception => Some((poll, count.exception())),
                PollOrder::Regular => None,
            })
            .collect()
    }

    fn longest_gap(exceptions: &[(usize, Exception)], matches: impl Fn(Exception) -> bool) -> usize {
        let polls: Vec<usize> = exceptions.iter().filter(|(_, kind)| matches(*kind)).map(|(poll, _)| *poll).collect();
        polls.windows(2).map(|pair| pair[1] - pair[0]).chain(polls.first().copied()).max().unwrap()
    }

    #[test]
    fn every_source_comes_first_within_its_bound() {
        let all = exceptions(1 << 18);
        assert_eq!(longest_gap(&all, |kind| kind == Exception::AfterHigh(Source::Injector)), 64);
        assert_eq!(longest_gap(&all, |kind| matches!(kind, Exception::AfterHigh(Source::Others(_)))), 128);
        for source in [Source::Own, Source::Injector, Source::Low, Source::High] {
            assert_eq!(longest_gap(&all, |kind| kind == Exception::First(source)), 2560, "{source:?}");
        }
        assert_eq!(longest_gap(&all, |kind| matches!(kind, Exception::First(Source::Others(_)))), 2560);
    }

    #[test]
    fn every_other_worker_comes_first_within_the_bound_times_their_number() {
        let all = exceptions(1 << 18);
        for workers in [2, 3, 4, 8, 16, 61] {
            for other in 0..workers {
                let after_high =
                    |kind| matches!(kind, Exception::AfterHigh(Source::Others(round)) if round % workers == other);
                assert!(longest_gap(&all, after_high) <= 128 * workers, "{other} of {workers}");
                let first = |kind| matches!(kind, Exception::First(Source::Others(round)) if round % workers == other);
                assert!(longest_gap(&all, first) <= 2560 * workers, "{other} of {workers}");
            }
        }
    }

    #[test]
    fn priorities_are_exact_among_the_first_polls() {
        assert!(exceptions(511).iter().all(|(_, kind)| matches!(kind, Exception::AfterHigh(_))));
    }

    #[test]
    fn scoped_jobs_leave_room_for_others_and_the_oldest_is_taken_at_growing_distances() {
        let mut polls = ScopedPolls::default();
        let orders: Vec<ScopedOrder> = (0..1 << 20).map(|_| polls.count()).collect();
        let places = |matches: fn(ScopedOrder) -> bool| {
            let all = orders.iter().zip(1u32..);
            all.filter(|(order, _)| matches(**order)).map(|(_, place)| place).collect::<Vec<u32>>()
        };
        let is_oldest = |order| matches!(order, ScopedOrder::Oldest | ScopedOrder::OldestOfOther(_));
        assert_eq!(places(is_oldest)[..4], [512, 512 + 1024, 512 + 1024 + 2048, 512 + 1024 + 2048 + 4096]);
        let gap = |places: Vec<u32>| places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert_eq!(gap(places(is_oldest)), ScopedPolls::LAST);
        assert_eq!(gap(places(|order| order == ScopedOrder::Oldest)), 2 * ScopedPolls::LAST);
        assert!(gap(places(|order| order == ScopedOrder::Submitted)) <= 128);
        polls.reset();
        assert_eq!((0..512).filter(|_| is_oldest(polls.count())).count(), 1);
    }
}
