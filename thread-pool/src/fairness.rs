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
}
