//! The tasks that no worker has: higher priorities first, and in the order of submission within one.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use super::job::Job;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Queue {
    /// Those of priority 0, which mostly are all.
    usual: VecDeque<Job>,
    /// The others. There is no lane that is empty.
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
        self.usual.is_empty() && self.lanes.is_empty()
    }

    fn lane(&mut self, priority: i32) -> &mut VecDeque<Job> {
        match priority {
            0 => &mut self.usual,
            other => self.lanes.entry(Reverse(other)).or_default(),
        }
    }

    /// The priority whose turn it is.
    fn first(&self) -> Option<i32> {
        let other = self.lanes.first_key_value().map(|(Reverse(priority), _)| *priority);
        let usual = (!self.usual.is_empty()).then_some(0);
        other.max(usual)
    }

    /// Accepts a task.
    pub(crate) fn push_back(&mut self, mut job: Job) {
        self.waiting += 1;
        self.accepted += 1;
        job.number = self.accepted;
        self.lane(job.task.priority()).push_back(job);
    }

    /// Puts a task back to where it was: behind those that were accepted before it, which mostly are none.
    pub(crate) fn put_back(&mut self, job: Job) {
        self.waiting += 1;
        let lane = self.lane(job.task.priority());
        lane.insert(lane.partition_point(|other| other.number < job.number), job);
    }

    /// The priority and the number of the next task.
    pub(crate) fn front(&self) -> Option<(i32, u64)> {
        let priority = self.first()?;
        let lane = if priority == 0 { &self.usual } else { self.lanes.get(&Reverse(priority))? };
        Some((priority, lane.front()?.number))
    }

    /// The next task. Those that were cancelled meanwhile come along in `left`, to be dropped outside of the lock.
    pub(crate) fn pop(&mut self, left: &mut Vec<Job>) -> Option<Job> {
        loop {
            let priority = self.first()?;
            let lane = self.lane(priority);
            let job = lane.pop_front();
            if lane.is_empty() && priority != 0 {
                self.lanes.remove(&Reverse(priority));
            }
            let job = job?;
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
        let mut lanes = std::mem::take(&mut self.lanes);
        let less_urgent = lanes.split_off(&Reverse(-1));
        let usual = std::mem::take(&mut self.usual);
        lanes.into_values().flatten().chain(usual).chain(less_urgent.into_values().flatten()).collect()
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
