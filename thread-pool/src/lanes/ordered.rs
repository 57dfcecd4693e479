//! A lane in the order of priorities.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use executor_core::Task;
use parking_lot::Mutex;

/// Tasks, the highest priority first, and among equals the first that came.
#[derive(Default)]
pub(super) struct Ordered {
    /// How many there are. Written under the lock; read without it, so that an empty lane costs one load.
    count: AtomicUsize,
    heap: Mutex<Heap>,
}

#[derive(Default)]
struct Heap {
    tasks: BinaryHeap<Entry>,
    /// The number of the next to come.
    next: u64,
}

struct Entry {
    rank: (i32, Reverse<u64>),
    task: Task,
}

impl Ordered {
    pub(super) fn push(&self, priority: i32, task: Task) {
        let mut heap = self.heap.lock();
        let rank = (priority, Reverse(heap.next));
        heap.next += 1;
        heap.tasks.push(Entry { rank, task });
        // ORDERING: whoever sees the count takes the lock before the task. That a worker about to sleep does not miss it
        // is the affair of the fences of `Sleep`.
        self.count.store(heap.tasks.len(), Relaxed);
    }

    pub(super) fn pop(&self) -> Option<Task> {
        if self.is_empty() {
            return None;
        }
        let mut heap = self.heap.lock();
        let entry = heap.tasks.pop();
        // ORDERING: as in `push`.
        self.count.store(heap.tasks.len(), Relaxed);
        entry.map(|entry| entry.task)
    }

    pub(super) fn is_empty(&self) -> bool {
        // ORDERING: as in `push`.
        self.count.load(Relaxed) == 0
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use executor_core::TaskOptions;

    use super::*;

    #[test]
    fn higher_ones_come_first_and_equal_ones_in_the_order_of_arrival() {
        let lane = Ordered::default();
        let mut futures = Vec::new();
        for (name, priority) in [("a", 1), ("b", 5), ("c", 1), ("d", 5), ("e", 9)] {
            let (task, future) = Task::from_closure(TaskOptions::new().name(name), || ());
            lane.push(priority, task);
            futures.push(future);
        }
        let order: Vec<String> = std::iter::from_fn(|| lane.pop()).map(|task| task.name().to_string()).collect();
        assert_eq!(order, ["e", "b", "d", "a", "c"]);
        assert!(lane.is_empty());
    }
}
