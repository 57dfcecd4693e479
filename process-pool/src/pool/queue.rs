//! The tasks that no worker has: higher priorities first, and in the order of submission within one.
//!
//! So that a low priority means late and not never, the oldest task of all has its turn after [`TURN`] tasks that were
//! taken while others of another priority waited. It then goes before all others until it has started, even if a worker
//! that was given it gives it back.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use executor_core::{TaskId, codec::Bytes};

use super::job::Job;

/// So many more shells of cancelled tasks than tasks that wait are borne, before they are swept out.
const EMPTY_ENTRIES: usize = 64;

/// So many tasks may be taken by their priority while others wait, before one is taken by its age.
const TURN: u32 = 2048;

/// Room for so many tasks is kept when a burst is over.
const KEPT: usize = 1024;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Queue {
    /// Those of priority 0, which mostly are all.
    normal: VecDeque<Job>,
    /// The others. There is no lane that is empty.
    by_priority: BTreeMap<Reverse<i32>, VecDeque<Job>>,
    /// Of all jobs in the lanes, how many are waiting; the rest are shells of what was cancelled.
    waiting: usize,
    /// How many tasks were taken by their priority since one was taken by its age. It goes on counting when nothing
    /// waits, because what a worker has may come back.
    passed: u32,
    /// How many were ever accepted, and how many of them when it was last looked for room that is not used.
    accepted: u64,
    accepted_before: u64,
}

impl Queue {
    /// How many tasks wait, for the bound of a bounded pool.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing is in here, not even what was cancelled.
    pub(crate) fn is_empty(&self) -> bool {
        self.normal.is_empty() && self.by_priority.is_empty()
    }

    fn queue_of(&mut self, priority: i32) -> &mut VecDeque<Job> {
        match priority {
            0 => &mut self.normal,
            other => self.by_priority.entry(Reverse(other)).or_default(),
        }
    }

    /// The priority whose turn it is.
    fn first(&self) -> Option<i32> {
        let other = self.by_priority.first_key_value().map(|(Reverse(priority), _)| *priority);
        let usual = (!self.normal.is_empty()).then_some(0);
        other.max(usual)
    }

    /// Accepts a task.
    #[inline]
    pub(crate) fn push_back(&mut self, mut job: Job) {
        self.waiting += 1;
        self.accepted += 1;
        job.number = self.accepted;
        job.task.note_place(job.number);
        self.queue_of(job.rank()).push_back(job);
    }

    /// Puts a task back to where it was: behind those that were accepted before it, which mostly are none.
    pub(crate) fn put_back(&mut self, job: Job) {
        self.waiting += 1;
        let lane = self.queue_of(job.rank());
        lane.insert(lane.partition_point(|other| other.number < job.number), job);
    }

    /// The priority and the number of the next task.
    pub(crate) fn front(&self) -> Option<(i32, u64)> {
        let priority = self.first()?;
        let lane = if priority == 0 { &self.normal } else { self.by_priority.get(&Reverse(priority))? };
        Some((priority, lane.front()?.number))
    }

    /// The next task. Those that were cancelled meanwhile come along in `left`, to be dropped outside of the lock.
    pub(crate) fn pop(&mut self, left: &mut Vec<Job>) -> Option<Job> {
        loop {
            let first = self.first()?;
            let turn = if self.by_priority.is_empty() { None } else { self.turn() };
            let priority = turn.unwrap_or(first);
            let lane = self.queue_of(priority);
            let job = lane.pop_front();
            if lane.is_empty() && priority != 0 {
                self.by_priority.remove(&Reverse(priority));
            }
            let mut job = job?;
            job.is_due |= turn.is_some();
            if job.task.has_left_queue() {
                left.push(job);
                continue;
            }
            self.waiting = self.waiting.saturating_sub(1);
            return Some(job);
        }
    }

    /// Counts a task that is taken while others may wait. Some: the lane of the oldest task, whose turn it is.
    #[cold]
    fn turn(&mut self) -> Option<i32> {
        let lanes = self.by_priority.iter().map(|(Reverse(priority), lane)| (*priority, lane));
        let lanes = lanes.chain((!self.normal.is_empty()).then_some((0, &self.normal)));
        let oldest = lanes.clone().filter_map(|(priority, lane)| Some((lane.front()?.number, priority))).min();
        self.passed += u32::from(lanes.count() > 1);
        if self.passed <= TURN {
            return None;
        }
        self.passed = 0;
        oldest.map(|(_, priority)| priority)
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> Vec<Job> {
        self.waiting = 0;
        let mut lanes = std::mem::take(&mut self.by_priority);
        let less_urgent = lanes.split_off(&Reverse(-1));
        let usual = std::mem::take(&mut self.normal);
        lanes.into_values().flatten().chain(usual).chain(less_urgent.into_values().flatten()).collect()
    }

    /// Records that a task in the queue was cancelled. `number` is where it was put, or was once. Returns its
    /// arguments, and the empty entries that were removed, both to be dropped when the lock is released. An entry
    /// without arguments stays until there are more of them than of tasks that wait.
    pub(crate) fn on_cancelled(&mut self, task: TaskId, number: u64) -> (Bytes, Vec<Job>) {
        self.waiting = self.waiting.saturating_sub(1);
        let queues = std::iter::once(&mut self.normal).chain(self.by_priority.values_mut());
        let body = queues.filter_map(|queue| find(queue, task, number)).map(Job::take_body).next();
        let removed = match self.entries() - self.waiting.min(self.entries()) > self.waiting + EMPTY_ENTRIES {
            true => self.remove_empty(),
            false => Vec::new(),
        };
        (body.unwrap_or_default(), removed)
    }

    fn entries(&self) -> usize {
        self.normal.len() + self.by_priority.values().map(VecDeque::len).sum::<usize>()
    }

    /// Takes out what was cancelled. It costs a step for each entry, of which most are.
    #[cold]
    fn remove_empty(&mut self) -> Vec<Job> {
        let mut shells = Vec::new();
        for lane in std::iter::once(&mut self.normal).chain(self.by_priority.values_mut()) {
            for _ in 0..lane.len() {
                match lane.pop_front() {
                    Some(job) if job.task.has_left_queue() => shells.push(job),
                    Some(job) => lane.push_back(job),
                    None => break,
                }
            }
        }
        self.by_priority.retain(|_, lane| !lane.is_empty());
        shells
    }

    /// Whether it has more room than is kept for nothing.
    pub(crate) fn has_spare_capacity(&self) -> bool {
        std::iter::once(&self.normal).chain(self.by_priority.values()).any(|lane| lane.capacity() > KEPT)
    }

    /// Gives back room that was not used since the last time. So much was, at most, as is here and was accepted since
    /// then.
    pub(super) fn trim(&mut self) {
        let accepted = usize::try_from(self.accepted - self.accepted_before).unwrap_or(usize::MAX);
        self.accepted_before = self.accepted;
        for lane in std::iter::once(&mut self.normal).chain(self.by_priority.values_mut()) {
            if lane.capacity() / 4 > accepted.saturating_add(lane.len()) {
                lane.shrink_to(KEPT.max(2 * lane.len()));
            }
        }
    }

    /// Notes that a task that was popped turned out to be cancelled, of which [`left`](Queue::left) is going to hear.
    pub(crate) fn popped_cancelled(&mut self) {
        self.waiting += 1;
    }
}

/// The task with this id, if it lies where it was put first, or is one of the first.
fn find(lane: &mut VecDeque<Job>, task: TaskId, number: u64) -> Option<&mut Job> {
    /// One that a worker has had is known by another number, and is back among the first.
    const FIRST: usize = 1024;
    let is_it = |job: &Job| job.task.id() == task;
    let at = match lane.binary_search_by_key(&number, |job| job.number) {
        Ok(at) if lane.get(at).is_some_and(is_it) => at,
        _ => lane.iter().take(FIRST).position(is_it)?,
    };
    lane.get_mut(at)
}
