//! The order in which the queues are looked at, and the exceptions from it that keep every task's wait bounded.
//!
//! In most looks a worker takes what it should run first: high priorities, its own tasks, those from outside, other
//! workers', low priorities. Any of these can come without end, and what is behind it would wait for ever. So every
//! 32nd look of a worker begins somewhere else:
//!
//! - Every 64th begins with the tasks from outside, and every 64th, but for one in eight, with another worker's, a
//!   different one each time. High priorities still come before both.
//! - Every 512th begins with one of five, in turn, whatever the priorities say: the worker's own tasks, those from
//!   outside, another worker's, and the task that has waited longest of the low and of the high priorities.
//!
//! A look that finds a task runs it, so this is the bound: between two looks that begin at the same place, a worker
//! starts at most 63 tasks (outside), 127 (others), or 2,559 (any place, whatever the priorities). The looks are
//! counted from the last time when the worker found nothing at all. So priorities are exact among the first 511 tasks
//! of a burst.

/// Counts the looks of one worker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turns(u32);

/// Where a look begins that does not begin with what should run first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// High priorities, and then this.
    Next(Place),
    /// This, whatever the priorities say.
    First(Place),
}

/// Where tasks wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The worker's own queue.
    Own,
    /// Tasks from outside, of priority 0.
    Outside,
    /// Other workers' queues, beginning with the one that is so many further on.
    Others(usize),
    /// The oldest task of low priority.
    Low,
    /// The oldest task of high priority.
    High,
}

/// A power of two, because this is asked at every look.
const EVERY: u32 = 32;

impl Turns {
    /// Counts a look. True: it begins where [`turn`](Turns::turn) says.
    #[inline]
    pub(crate) fn count(&mut self) -> bool {
        self.0 = self.0.wrapping_add(1);
        self.0.is_multiple_of(EVERY)
    }

    /// Where the look begins that was counted last.
    pub(crate) fn turn(self) -> Turn {
        Turn::of(self.0 / EVERY)
    }

    /// Nothing waits anywhere, so nothing has waited for long.
    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    /// Those of a worker that has looked so many times.
    #[cfg(feature = "rayon")]
    pub(crate) fn after(looks: u32) -> Turns {
        Turns(looks)
    }

    #[cfg(feature = "rayon")]
    pub(crate) fn looks(self) -> u32 {
        self.0
    }
}

impl Turn {
    fn of(number: u32) -> Turn {
        if !number.is_multiple_of(16) {
            // Consecutive numbers, although those that are multiples of 16 are left out.
            let others = Place::Others((number / 2 - number / 16) as usize);
            return Turn::Next(if number.is_multiple_of(2) { others } else { Place::Outside });
        }
        let round = (number / 16) as usize;
        Turn::First(match round % 5 {
            0 => Place::Own,
            1 => Place::Outside,
            2 => Place::Others(round / 5),
            3 => Place::Low,
            _ => Place::High,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The turns of so many looks, each with the number of its look.
    fn turns(looks: usize) -> Vec<(usize, Turn)> {
        let mut turns = Turns::default();
        (1..=looks).filter_map(|look| if turns.count() { Some((look, turns.turn())) } else { None }).collect()
    }

    fn longest_gap(turns: &[(usize, Turn)], is_it: impl Fn(Turn) -> bool) -> usize {
        let looks: Vec<usize> = turns.iter().filter(|(_, turn)| is_it(*turn)).map(|(look, _)| *look).collect();
        looks.windows(2).map(|pair| pair[1] - pair[0]).chain(looks.first().copied()).max().unwrap()
    }

    #[test]
    fn every_place_gets_its_turn_within_its_bound() {
        let turns = turns(1 << 18);
        assert_eq!(longest_gap(&turns, |turn| turn == Turn::Next(Place::Outside)), 64);
        assert_eq!(longest_gap(&turns, |turn| matches!(turn, Turn::Next(Place::Others(_)))), 128);
        for place in [Place::Own, Place::Outside, Place::Low, Place::High] {
            assert_eq!(longest_gap(&turns, |turn| turn == Turn::First(place)), 2560, "{place:?}");
        }
        assert_eq!(longest_gap(&turns, |turn| matches!(turn, Turn::First(Place::Others(_)))), 2560);
    }

    #[test]
    fn every_other_worker_comes_first_within_the_bound_times_their_number() {
        let turns = turns(1 << 18);
        for workers in [2, 3, 4, 8, 16, 61] {
            for other in 0..workers {
                let next = |turn| matches!(turn, Turn::Next(Place::Others(round)) if round % workers == other);
                assert!(longest_gap(&turns, next) <= 128 * workers, "{other} of {workers}");
                let first = |turn| matches!(turn, Turn::First(Place::Others(round)) if round % workers == other);
                assert!(longest_gap(&turns, first) <= 2560 * workers, "{other} of {workers}");
            }
        }
    }

    #[test]
    fn priorities_are_exact_among_the_first_looks() {
        assert!(turns(511).iter().all(|(_, turn)| matches!(turn, Turn::Next(_))));
    }
}
