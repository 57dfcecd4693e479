//! A lane in the order of priorities.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use executor_core::Task;
use parking_lot::Mutex;

use super::usual::take_out;

/// Tasks, the highest priority first, and among equals the first that came.
#[derive(Default)]
pub(super) struct Ordered {
    /// How many there are. Written under the lock; read without it, so that an empty lane costs one load.
    count: AtomicUsize,
    queues: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    /// A queue for each priority that has tasks, each with the number of its arrival.
    by_priority: BTreeMap<Reverse<i32>, VecDeque<(u64, Task)>>,
    count: usize,
    /// The number of the next to come.
    next: u64,
}

impl Ordered {
    pub(super) fn push(&self, priority: i32, task: Task) {
        let mut queues = self.queues.lock();
        let number = queues.next;
        queues.next += 1;
        queues.by_priority.entry(Reverse(priority)).or_default().push_back((number, task));
        queues.count += 1;
        // ORDERING: whoever sees the count takes the lock before the task. That a worker about to sleep does not miss
        // it is the affair of the fences of `Sleep`.
        self.count.store(queues.count, Relaxed);
    }

    /// Takes the task that should start first.
    #[inline]
    pub(super) fn pop(&self) -> Option<Task> {
        if self.is_empty() { None } else { self.pop_of(|queues| queues.by_priority.keys().next().copied()) }
    }

    /// Takes the task that came first, whatever its priority. Looks at every priority that has tasks.
    pub(super) fn pop_oldest(&self) -> Option<Task> {
        if self.is_empty() {
            return None;
        }
        let arrival = |queue: &VecDeque<(u64, Task)>| queue.front().map(|(number, _)| *number);
        self.pop_of(|queues| {
            let oldest = queues.by_priority.iter().min_by_key(|(_, queue)| arrival(queue))?;
            Some(*oldest.0)
        })
    }

    /// Not inlined into the way of the usual tasks, for which the lane is empty.
    #[inline(never)]
    fn pop_of(&self, choose: impl FnOnce(&Queues) -> Option<Reverse<i32>>) -> Option<Task> {
        let mut queues = self.queues.lock();
        let priority = choose(&queues)?;
        let queue = queues.by_priority.get_mut(&priority)?;
        let (_, task) = queue.pop_front()?;
        if queue.is_empty() {
            queues.by_priority.remove(&priority);
        }
        queues.count -= 1;
        // ORDERING: as in `push`.
        self.count.store(queues.count, Relaxed);
        Some(task)
    }

    /// Takes out what is not to be kept, and returns it. The rest stays where it is.
    pub(super) fn take_out(&self, keep: impl Fn(&Task) -> bool) -> Vec<Task> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut taken = Vec::new();
        let mut queues = self.queues.lock();
        for queue in queues.by_priority.values_mut() {
            take_out(queue, |(_, task)| keep(task), &mut taken);
        }
        queues.by_priority.retain(|_, queue| !queue.is_empty());
        queues.count -= taken.len();
        // ORDERING: as in `push`.
        self.count.store(queues.count, Relaxed);
        drop(queues);
        taken.into_iter().map(|(_, task)| task).collect()
    }

    pub(super) fn len(&self) -> usize {
        // ORDERING: as in `push`.
        self.count.load(Relaxed)
    }

    pub(super) fn is_empty(&self) -> bool {
        // ORDERING: as in `push`.
        self.count.load(Relaxed) == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use executor_core::TaskOptions;

    use super::*;

    /// A lane with these, in this order.
    fn lane(tasks: &[(&str, i32)]) -> Ordered {
        let lane = Ordered::default();
        for (name, priority) in tasks {
            lane.push(*priority, Task::from_closure(TaskOptions::new().name(*name), || ()).0);
        }
        lane
    }

    fn names(pop: impl FnMut() -> Option<Task>) -> Vec<String> {
        std::iter::from_fn(pop).map(|task| task.name().to_string()).collect()
    }

    #[test]
    fn higher_ones_come_first_and_equal_ones_in_the_order_of_arrival() {
        let lane = lane(&[("a", 1), ("b", 5), ("c", 1), ("d", 5), ("e", 9)]);
        assert_eq!(names(|| lane.pop()), ["e", "b", "d", "a", "c"]);
        assert!(lane.is_empty());
    }

    #[test]
    fn the_oldest_one_is_found_among_all_priorities() {
        let lane = lane(&[("a", 5), ("b", 1), ("c", 9), ("d", 5)]);
        assert_eq!(lane.pop().unwrap().name(), "c");
        assert_eq!(names(|| lane.pop_oldest()), ["a", "b", "d"]);
        assert!(lane.is_empty() && lane.pop_oldest().is_none());
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest_in_order() {
        let lane = lane(&[("a", 1), ("b", 5), ("c", 1), ("d", 7), ("e", 1)]);
        let mut taken: Vec<Task> = lane.take_out(|task| ["b", "c", "e"].contains(&task.name()));
        assert_eq!(taken.len(), 2);
        assert_eq!(names(|| taken.pop()), ["a", "d"]);
        assert_eq!(lane.len(), 3);
        assert_eq!(names(|| lane.pop()), ["b", "c", "e"]);
        assert!(lane.is_empty());
    }
}
