//! The events that wait for the subscriber.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use parking_lot::Mutex;

use super::span::TaskSpan;

/// How many bytes of events wait for the subscriber at most, with what each event costs besides.
pub(super) const MOST_WAITING: usize = 1 << 20;
const COST_OF_AN_EVENT: usize = 128;

/// What the callback thread does in the order of the queue.
pub(super) enum Item {
    /// A frame of a worker. The worker's task is there if the event belongs to one. So many events were left out
    /// between the frame before and this one.
    Frame { worker: Arc<Worker>, task: Option<Arc<TaskSpan>>, frame: Box<[u8]>, left_out: u64 },
    /// So many events were left out after the last one of a worker.
    LeftOut { worker: Arc<Worker>, count: u64 },
    /// What a worker sends makes no sense any more, and is not read.
    Unreadable { worker: Arc<Worker> },
    /// A task has ended. Its spans are closed here, because that calls the subscriber.
    End { task: Arc<TaskSpan> },
}

/// A worker, as its events name it.
pub(super) struct Worker {
    pub(super) name: String,
    /// How many bytes of its events wait. It changes under the lock of the queue.
    waiting: AtomicUsize,
    /// How many of its events were left out and not reported yet.
    left_out: AtomicU64,
}

impl Worker {
    pub(super) fn new(name: &str) -> Arc<Worker> {
        Arc::new(Worker { name: name.to_string(), waiting: AtomicUsize::new(0), left_out: AtomicU64::new(0) })
    }

    /// Counts an event that does not reach the subscriber.
    pub(super) fn leave_out(&self) {
        // ORDERING: nothing depends on the number but the report.
        self.left_out.fetch_add(1, Relaxed);
    }

    fn take_left_out(&self) -> u64 {
        // ORDERING: as in `leave_out`.
        self.left_out.swap(0, Relaxed)
    }
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The number of the delivery that must be scheduled, or 0 if it is.
    due: AtomicU64,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    /// Whether a delivery is due or scheduled.
    is_scheduled: bool,
    /// The number of the last delivery.
    delivery: u64,
}

impl Queue {
    /// Adds a frame, or counts it as left out if there is no space. `task` is only called if there is.
    ///
    /// A worker may use at most as much space as it leaves free. So a worker that floods the queue cannot keep the
    /// events of another one out.
    pub(super) fn push(&self, worker: &Arc<Worker>, frame: &[u8], task: impl FnOnce() -> Option<Arc<TaskSpan>>) {
        let cost = cost(frame);
        let has_space = |state: &State| {
            // ORDERING: it is read and written under the lock of the queue.
            let (own, all) = (worker.waiting.load(Relaxed) + cost, state.bytes + cost);
            own + all <= MOST_WAITING
        };
        if !has_space(&self.state.lock()) {
            return worker.leave_out();
        }
        // The lock is released meanwhile, because this takes another one. Only this reader adds frames of the worker,
        // but those of others may have come.
        let task = task();
        let mut state = self.state.lock();
        if !has_space(&state) {
            worker.leave_out();
            // The reference may be the last one by now, and must not be dropped here.
            if let Some(task) = task {
                self.add(&mut state, Item::End { task });
            }
            return;
        }
        state.bytes += cost;
        // ORDERING: as above.
        worker.waiting.fetch_add(cost, Relaxed);
        let left_out = worker.take_left_out();
        self.add(&mut state, Item::Frame { worker: worker.clone(), task, frame: frame.into(), left_out });
    }

    /// Adds the end of a task.
    pub(super) fn push_end(&self, task: Arc<TaskSpan>) {
        self.add(&mut self.state.lock(), Item::End { task });
    }

    /// Adds that a worker's pipe is no longer read.
    pub(super) fn push_unreadable(&self, worker: &Arc<Worker>) {
        self.add(&mut self.state.lock(), Item::Unreadable { worker: worker.clone() });
    }

    /// Adds what was left out at the end of a worker.
    pub(super) fn push_left_out(&self, worker: &Arc<Worker>) {
        let count = worker.take_left_out();
        if count > 0 {
            self.add(&mut self.state.lock(), Item::LeftOut { worker: worker.clone(), count });
        }
    }

    fn add(&self, state: &mut State, item: Item) {
        state.items.push_back(item);
        if !std::mem::replace(&mut state.is_scheduled, true) {
            state.delivery += 1;
            // ORDERING: a thread that adds an item reads this afterwards, so it finds its own write, or that of the
            // thread before it under the lock.
            self.due.store(state.delivery, Relaxed);
        }
    }

    /// Returns the next item.
    pub(super) fn next(&self) -> Option<Item> {
        let mut state = self.state.lock();
        let item = state.items.pop_front();
        match &item {
            Some(Item::Frame { worker, frame, .. }) => {
                state.bytes -= cost(frame);
                // ORDERING: as in `push`.
                worker.waiting.fetch_sub(cost(frame), Relaxed);
            }
            Some(_) => {}
            None => {
                state.is_scheduled = false;
                // Frees the memory that a burst has needed.
                state.items.shrink_to(64);
            }
        }
        item
    }

    /// Returns the number of the delivery that must be scheduled, if one must.
    pub(super) fn due(&self) -> Option<u64> {
        // ORDERING: Acquire pairs with the exchange in `note_scheduled`. A thread that finds nothing due then schedules
        // its own callbacks behind the delivery that another thread has scheduled.
        Some(self.due.load(Acquire)).filter(|due| *due > 0)
    }

    /// Notes that a delivery is scheduled. Two threads may schedule the same one, and the second finds nothing to do.
    pub(super) fn note_scheduled(&self, delivery: u64) {
        // ORDERING: Release pairs with `due`. If it fails, another delivery is due by now.
        let _ = self.due.compare_exchange(delivery, 0, Release, Relaxed);
    }

    /// Returns how many bytes wait.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }
}

fn cost(frame: &[u8]) -> usize {
    frame.len() + COST_OF_AN_EVENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(queue: &Queue) -> Vec<(String, u64)> {
        std::iter::from_fn(|| queue.next())
            .map(|item| match item {
                Item::Frame { worker, left_out, .. } => (worker.name.clone(), left_out),
                Item::LeftOut { worker, count } => (format!("{} at its end", worker.name), count),
                Item::Unreadable { worker } => (format!("{} unreadable", worker.name), 0),
                Item::End { .. } => ("end".into(), 0),
            })
            .collect()
    }

    #[test]
    fn what_does_not_fit_is_counted_and_reported_with_the_next_event() {
        let (queue, worker) = (Queue::default(), Worker::new("one"));
        let frame = [0; 1000];
        for _ in 0..100_000 {
            queue.push(&worker, &frame, || None);
            assert!(queue.bytes() <= MOST_WAITING / 2);
        }
        let first = frames(&queue);
        assert_eq!(first.len(), MOST_WAITING / 2 / (1000 + COST_OF_AN_EVENT));
        assert!(first.iter().all(|(_, left_out)| *left_out == 0));
        queue.push(&worker, &frame, || None);
        queue.push(&worker, &frame, || None);
        assert_eq!(frames(&queue), [("one".into(), 100_000 - first.len() as u64), ("one".into(), 0)]);
        worker.leave_out();
        queue.push_left_out(&worker);
        queue.push_left_out(&worker);
        assert_eq!(frames(&queue), [("one at its end".into(), 1)]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn a_worker_that_floods_the_queue_leaves_space_for_others() {
        let queue = Queue::default();
        let frame = [0; 1000];
        for number in 0..4 {
            let worker = Worker::new("one that floods");
            (0..2000).for_each(|_| queue.push(&worker, &frame, || None));
            let other = Worker::new("another");
            queue.push(&other, &frame, || None);
            assert_eq!(other.take_left_out(), 0, "after {number} others");
        }
    }

    #[test]
    fn a_delivery_is_due_until_it_is_scheduled_and_again_after_the_queue_was_emptied() {
        let (queue, worker) = (Queue::default(), Worker::new("one"));
        assert_eq!(queue.due(), None);
        queue.push(&worker, &[1], || None);
        queue.push(&worker, &[2], || None);
        assert_eq!((queue.due(), queue.due()), (Some(1), Some(1)));
        queue.note_scheduled(1);
        assert_eq!(queue.due(), None);
        assert!(queue.next().is_some() && queue.next().is_some());
        queue.push(&worker, &[3], || None);
        assert_eq!(queue.due(), None, "the callback thread has not seen the end yet");
        assert!(queue.next().is_some() && queue.next().is_none());
        queue.push_unreadable(&worker);
        // A thread that has scheduled the first delivery is late.
        queue.note_scheduled(1);
        assert_eq!(queue.due(), Some(2));
    }
}
