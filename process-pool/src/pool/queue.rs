//! The tasks that no worker has: higher priorities first, and in the order of submission within one.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use super::job::Job;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Queue {
    lanes: BTreeMap<Reverse<i32>, VecDeque<Job>>,
    /// Of all jobs in the lanes, how many are waiting; the rest were cancelled, and are dropped when their turn comes.
    waiting: usize,
    /// How many were ever accepted.
    accepted: u64,
}

impl Queue {
    /// How many tasks wait, for the bound of a bounded pool.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing is in here, not even what was cancelled.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.values().all(VecDeque::is_empty)
    }

    /// Accepts a task.
    pub(crate) fn push_back(&mut self, mut job: Job) {
        self.waiting += 1;
        self.accepted += 1;
        job.number = self.accepted;
        self.lanes.entry(Reverse(job.task.priority())).or_default().push_back(job);
    }

    /// Puts a task back to where it was: behind those that were accepted before it, which mostly are none.
    pub(crate) fn put_back(&mut self, job: Job) {
        self.waiting += 1;
        let lane = self.lanes.entry(Reverse(job.task.priority())).or_default();
        lane.insert(lane.partition_point(|other| other.number < job.number), job);
    }

    /// The priority and the number of the next task.
    pub(crate) fn front(&self) -> Option<(i32, u64)> {
        let lane = self.lanes.iter().find_map(|(Reverse(priority), lane)| Some((*priority, lane.front()?)));
        lane.map(|(priority, job)| (priority, job.number))
    }

    /// The next task. Those that were cancelled meanwhile come along in `left`, to be dropped outside of the lock.
    pub(crate) fn pop(&mut self, left: &mut Vec<Job>) -> Option<Job> {
        loop {
            let mut lane = self.lanes.first_entry()?;
            let Some(job) = lane.get_mut().pop_front() else {
                lane.remove();
                continue;
            };
            if job.task.has_left_queue() {
                left.push(job);
                continue;
            }
            self.waiting = self.waiting.saturating_sub(1);
            return Some(job);
        }
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> Vec<Job> {
        self.waiting = 0;
        std::mem::take(&mut self.lanes).into_values().flatten().collect()
    }

    /// Notes that a task in here was cancelled.
    pub(crate) fn left(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Notes that a task that was popped turned out to be cancelled, of which [`left`](Queue::left) is going to hear.
    pub(crate) fn popped_in_vain(&mut self) {
        self.waiting += 1;
    }
}
