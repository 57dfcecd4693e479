//! The copies of tasks that the engine confirms at one subject.

use std::collections::VecDeque;

use executor_core::TaskId;

/// How many groups are awaited. There are never more, unless answers were lost.
const MOST: usize = 1024;

/// How many copies are confirmed one by one after one was refused: more than are on their way together.
const CAREFUL: usize = 2048;

/// The copies of tasks that are published together, for which the engine has one address.
///
/// The engine looks up each address to which it answers, and a new one costs it more than one that it has just used. So
/// what is published together is one group with one address, and is stored when the engine has answered once for each
/// copy. Its answers do not name the copy. If one of them is a refusal, all copies of the group count as refused, and
/// are published again: too many copies are denied, while one that counted as stored although it is not would be missed
/// only after half a minute. An engine that refuses has no room to waste, so copies have addresses of their own then.
#[derive(Debug, Default)]
pub(super) struct Groups {
    last: u64,
    /// The groups for which answers are missing, oldest first.
    open: VecDeque<Group>,
    careful: usize,
}

#[derive(Debug)]
struct Group {
    number: u64,
    tasks: Vec<TaskId>,
    answers: usize,
    is_refused: bool,
}

/// What has become of the copies of a group.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    Stored(Vec<TaskId>),
    Refused(Vec<TaskId>),
}

impl Groups {
    /// Copies of these tasks are about to be published. Returns the number of their group, or `None` if each needs an
    /// address of its own.
    pub(super) fn begin(&mut self, tasks: Vec<TaskId>) -> Option<u64> {
        if tasks.len() < 2 || self.careful > 0 {
            self.careful = self.careful.saturating_sub(tasks.len());
            return None;
        }
        self.last += 1;
        // Its answers are lost, and its copies are published again or were.
        if self.open.len() == MOST {
            self.open.pop_front();
        }
        self.open.push_back(Group { number: self.last, tasks, answers: 0, is_refused: false });
        Some(self.last)
    }

    /// The engine has answered for a copy of a group. Returns what has become of all, with the last answer.
    pub(super) fn answered(&mut self, number: u64, is_refused: bool) -> Option<Answered> {
        if is_refused {
            self.refused();
        }
        let at = self.open.binary_search_by_key(&number, |group| group.number).ok()?;
        let group = &mut self.open[at];
        group.answers += 1;
        group.is_refused |= is_refused;
        if group.answers < group.tasks.len() {
            return None;
        }
        let Group { tasks, is_refused, .. } = self.open.remove(at)?;
        Some(if is_refused { Answered::Refused(tasks) } else { Answered::Stored(tasks) })
    }

    /// The engine has refused a copy.
    pub(super) fn refused(&mut self) {
        self.careful = CAREFUL;
    }

    /// Forgets everything, because the connection is another one.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(count: u64) -> Vec<TaskId> {
        (1..=count).map(TaskId::from_u64).collect()
    }

    #[test]
    fn a_group_is_stored_when_each_copy_is() {
        let mut groups = Groups::default();
        assert_eq!(groups.begin(tasks(1)), None, "a single copy needs no group");
        let (one, two) = (groups.begin(tasks(2)).expect("one"), groups.begin(tasks(3)).expect("two"));
        assert_eq!(groups.answered(two, false), None);
        assert_eq!(groups.answered(one, false), None);
        assert_eq!(groups.answered(two, false), None);
        assert_eq!(groups.answered(two, false), Some(Answered::Stored(tasks(3))));
        assert_eq!(groups.answered(two, false), None, "it is done");
        assert_eq!(groups.answered(one, false), Some(Answered::Stored(tasks(2))));
        assert_eq!(groups.answered(99, false), None);
    }

    #[test]
    fn one_refusal_counts_for_all_and_for_those_that_follow() {
        let mut groups = Groups::default();
        let group = groups.begin(tasks(2)).expect("a group");
        assert_eq!(groups.answered(group, true), None);
        assert_eq!(groups.answered(group, false), Some(Answered::Refused(tasks(2))));
        for _ in 0..CAREFUL / 64 {
            assert_eq!(groups.begin(tasks(64)), None);
        }
        assert!(groups.begin(tasks(2)).is_some());
        groups.refused();
        assert_eq!(groups.begin(tasks(2)), None);
    }

    #[test]
    fn groups_without_answers_are_forgotten() {
        let mut groups = Groups::default();
        let first = groups.begin(tasks(2)).expect("a group");
        (0..MOST).for_each(|_| assert!(groups.begin(tasks(2)).is_some()));
        assert_eq!((groups.open.len(), groups.answered(first, false)), (MOST, None));
        groups.clear();
        assert_eq!(groups.answered(first + 1, false), None);
        assert_eq!(groups.begin(tasks(2)), Some(MOST as u64 + 2), "no number is used twice");
    }
}
