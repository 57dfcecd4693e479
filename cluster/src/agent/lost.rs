//! The runs whose outcomes were dropped.

use std::collections::HashSet;

/// The numbers of runs whose outcomes were dropped because their client was away for too long. If the client comes
/// back, it must not take such a task for one that never ran.
#[derive(Debug, Default)]
pub(super) struct Lost {
    numbers: HashSet<u64>,
    /// All numbers below this count as lost. It moves when there are too many to remember, and then a task may fail
    /// that never ran, but none runs twice.
    below: u64,
}

/// How many numbers are remembered.
const MOST: usize = 1 << 16;

impl Lost {
    pub(super) fn insert(&mut self, number: u64) {
        if self.numbers.len() >= MOST {
            self.below = self.numbers.drain().max().map_or(self.below, |last| self.below.max(last + 1));
        }
        self.numbers.insert(number);
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        number < self.below || self.numbers.contains(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_never_forgotten_even_if_there_is_too_much_of_it() {
        let mut lost = Lost::default();
        let numbers = || (0..3 * MOST as u64).map(|number| number * 2 + 1);
        numbers().for_each(|number| lost.insert(number));
        assert!(numbers().all(|number| lost.contains(number)));
        assert!(lost.numbers.len() <= MOST);
        assert!(!lost.contains(6 * MOST as u64 + 1));
    }
}
