//! A queue in the order of priorities.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use executor_core::Task;
use parking_lot::Mutex;

use super::injector::retain;

/// Tasks with the highest priority first, and those of equal priority in the order of their arrival.
#[derive(Default)]
pub(super) struct PriorityQueue {
    /// The number of tasks. Written under the lock; read without it, so that an empty queue costs one load.
    count: AtomicUsize,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    /// One queue for each priority that has tasks. Each task has the number of its arrival.
    by_priority: BTreeMap<Reverse<i32>, VecDeque<(u64, Task)>>,
    count: usize,
    /// The number of the next arrival.
    next: u64,
}

impl PriorityQueue {
    pub(super) fn push(&self, priority: i32, task: Task) {
        let mut buckets = self.buckets.lock();
        let number = buckets.next;
        buckets.next += 1;
        buckets.by_priority.entry(Reverse(priority)).or_default().push_back((number, task));
        buckets.count += 1;
        // ORDERING: a thread that sees the count takes the lock before it takes the task. The fences of `Sleep` ensure
        // that a worker does not fall asleep without seeing it.
        self.count.store(buckets.count, Relaxed);
    }

    /// Takes the task that should start first.
    #[inline]
    pub(super) fn pop(&self) -> Option<Task> {
        if self.is_empty() { None } else { self.pop_of(|buckets| buckets.by_priority.keys().next().copied()) }
    }

    /// Takes the task that arrived first, regardless of its priority. Compares the first tasks of all priorities.
    pub(super) fn pop_oldest(&self) -> Option<Task> {
        if self.is_empty() {
            return None;
        }
        let arrival = |queue: &VecDeque<(u64, Task)>| queue.front().map(|(number, _)| *number);
        self.pop_of(|buckets| {
            let oldest = buckets.by_priority.iter().min_by_key(|(_, queue)| arrival(queue))?;
            Some(*oldest.0)
        })
    }

    /// Not inlined into the path of the tasks of priority 0, for which the queue is empty.
    #[inline(never)]
    fn pop_of(&self, choose: impl FnOnce(&Buckets) -> Option<Reverse<i32>>) -> Option<Task> {
        let mut buckets = self.buckets.lock();
        let priority = choose(&buckets)?;
        let queue = buckets.by_priority.get_mut(&priority)?;
        let (_, task) = queue.pop_front()?;
        if queue.is_empty() {
            buckets.by_priority.remove(&priority);
        }
        buckets.count -= 1;
        // ORDERING: as in `push`.
        self.count.store(buckets.count, Relaxed);
        Some(task)
    }

    /// Removes and returns the tasks for which `keep` returns `false`. The others stay where they are.
    pub(super) fn retain(&self, keep: impl Fn(&Task) -> bool) -> Vec<Task> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut removed = Vec::new();
        let mut buckets = self.buckets.lock();
        for queue in buckets.by_priority.values_mut() {
            retain(queue, |(_, task)| keep(task), &mut removed);
        }
        buckets.by_priority.retain(|_, queue| !queue.is_empty());
        buckets.count -= removed.len();
        // ORDERING: as in `push`.
        self.count.store(buckets.count, Relaxed);
        drop(buckets);
        removed.into_iter().map(|(_, task)| task).collect()
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

    /// Returns a queue with these tasks, pushed in this order.
    fn queue(tasks: &[(&str, i32)]) -> PriorityQueue {
        let queue = PriorityQueue::default();
        for (name, priority) in tasks {
            queue.push(*priority, Task::from_closure(TaskOptions::new().name(*name), || ()).0);
        }
        queue
    }

    fn names(pop: impl FnMut() -> Option<Task>) -> Vec<String> {
        std::iter::from_fn(pop).map(|task| task.name().to_string()).collect()
    }

    #[test]
    fn higher_priorities_leave_first_and_equal_ones_in_order_of_arrival() {
        let queue = queue(&[("a", 1), ("b", 5), ("c", 1), ("d", 5), ("e", 9)]);
        assert_eq!(names(|| queue.pop()), ["e", "b", "d", "a", "c"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn the_oldest_task_is_found_across_all_priorities() {
        let queue = queue(&[("a", 5), ("b", 1), ("c", 9), ("d", 5)]);
        assert_eq!(queue.pop().unwrap().name(), "c");
        assert_eq!(names(|| queue.pop_oldest()), ["a", "b", "d"]);
        assert!(queue.is_empty() && queue.pop_oldest().is_none());
    }

    #[test]
    fn removed_tasks_leave_the_others_in_order() {
        let queue = queue(&[("a", 1), ("b", 5), ("c", 1), ("d", 7), ("e", 1)]);
        let mut removed: Vec<Task> = queue.retain(|task| ["b", "c", "e"].contains(&task.name()));
        assert_eq!(removed.len(), 2);
        assert_eq!(names(|| removed.pop()), ["a", "d"]);
        assert_eq!(queue.len(), 3);
        assert_eq!(names(|| queue.pop()), ["b", "c", "e"]);
        assert!(queue.is_empty());
    }
}
