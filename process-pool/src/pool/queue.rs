//! The tasks that no worker has: higher priorities first, and each priority in the order of submission.
//!
//! A low priority delays a task, but not forever: after [`TURN`] tasks were taken while tasks of another priority
//! waited, the oldest task of all is next. It then stays before all others until it has started, even if it is taken
//! back from a worker.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use executor_core::{TaskId, codec::Bytes};

use super::job::Job;

/// Entries of cancelled tasks are removed when there are this many more of them than of waiting tasks.
const EMPTY_ENTRIES: usize = 64;

/// How many tasks may be taken by priority while others wait, before one is taken by age.
const TURN: u32 = 2048;

/// How many tasks the queue keeps memory for after a burst.
const KEPT: usize = 1024;

/// See the [module](self).
#[derive(Default)]
pub(crate) struct Queue {
    /// Tasks of priority 0. Usually these are all tasks.
    normal: VecDeque<Job>,
    /// Tasks of other priorities. None of these queues is empty.
    by_priority: BTreeMap<Reverse<i32>, VecDeque<Job>>,
    /// How many of the entries are waiting tasks. The others were cancelled and no longer have arguments.
    waiting: usize,
    /// How many tasks were taken by priority since one was taken by age. It is not reset when the queue becomes empty,
    /// because tasks may come back from workers.
    passed: u32,
    /// How many tasks were ever accepted, and how many of these before memory was last freed.
    accepted: u64,
    accepted_before: u64,
}

impl Queue {
    /// Returns how many tasks wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// Returns `true` if there is no entry, not even one of a cancelled task.
    pub(crate) fn is_empty(&self) -> bool {
        self.normal.is_empty() && self.by_priority.is_empty()
    }

    #[inline]
    fn queue_of(&mut self, priority: i32) -> &mut VecDeque<Job> {
        match priority {
            0 => &mut self.normal,
            other => self.by_priority.entry(Reverse(other)).or_default(),
        }
    }

    /// Returns the highest priority in the queue.
    fn first(&self) -> Option<i32> {
        let other = self.by_priority.first_key_value().map(|(Reverse(priority), _)| *priority);
        let normal = (!self.normal.is_empty()).then_some(0);
        other.max(normal)
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

    /// Puts a task back in its place, behind those that were accepted before it. Usually there are none.
    pub(crate) fn put_back(&mut self, job: Job) {
        self.waiting += 1;
        let queue = self.queue_of(job.rank());
        queue.insert(queue.partition_point(|other| other.number < job.number), job);
    }

    /// Returns the priority and the number of the next task.
    pub(crate) fn front(&self) -> Option<(i32, u64)> {
        let priority = self.first()?;
        let queue = if priority == 0 { &self.normal } else { self.by_priority.get(&Reverse(priority))? };
        Some((priority, queue.front()?.number))
    }

    /// Returns the next task. Cancelled tasks before it are added to `cancelled`, so that they are dropped outside the
    /// lock.
    #[inline]
    pub(crate) fn pop(&mut self, cancelled: &mut Vec<Job>) -> Option<Job> {
        loop {
            let job = if self.by_priority.is_empty() { self.normal.pop_front() } else { self.pop_by_priority() }?;
            if job.task.has_left_queue() {
                cancelled.push(job);
                continue;
            }
            self.waiting = self.waiting.saturating_sub(1);
            return Some(job);
        }
    }

    #[cold]
    fn pop_by_priority(&mut self) -> Option<Job> {
        let first = self.first()?;
        let turn = self.turn();
        let priority = turn.unwrap_or(first);
        let queue = self.queue_of(priority);
        let job = queue.pop_front();
        if queue.is_empty() && priority != 0 {
            self.by_priority.remove(&Reverse(priority));
        }
        let mut job = job?;
        job.is_due |= turn.is_some();
        Some(job)
    }

    /// Counts a task that is taken while others may wait. Returns the priority of the oldest task if its turn has come.
    #[cold]
    fn turn(&mut self) -> Option<i32> {
        let queues = self.by_priority.iter().map(|(Reverse(priority), queue)| (*priority, queue));
        let queues = queues.chain((!self.normal.is_empty()).then_some((0, &self.normal)));
        let oldest = queues.clone().filter_map(|(priority, queue)| Some((queue.front()?.number, priority))).min();
        self.passed += u32::from(queues.count() > 1);
        if self.passed <= TURN {
            return None;
        }
        self.passed = 0;
        oldest.map(|(_, priority)| priority)
    }

    /// Removes and returns all tasks, in their order.
    pub(crate) fn drain(&mut self) -> Vec<Job> {
        self.waiting = 0;
        let mut queues = std::mem::take(&mut self.by_priority);
        let lower = queues.split_off(&Reverse(-1));
        let normal = std::mem::take(&mut self.normal);
        queues.into_values().flatten().chain(normal).chain(lower.into_values().flatten()).collect()
    }

    /// Records that a task in the queue was cancelled. `number` is its number in the queue, or a former one. Returns
    /// its arguments, and the empty entries that were removed; the caller drops both after it has released the lock. An
    /// entry without arguments stays until such entries outnumber the waiting tasks.
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

    /// Removes the entries of cancelled tasks. This takes a step for each entry, but most entries are cancelled by
    /// then.
    #[cold]
    fn remove_empty(&mut self) -> Vec<Job> {
        let mut shells = Vec::new();
        for queue in std::iter::once(&mut self.normal).chain(self.by_priority.values_mut()) {
            for _ in 0..queue.len() {
                match queue.pop_front() {
                    Some(job) if job.task.has_left_queue() => shells.push(job),
                    Some(job) => queue.push_back(job),
                    None => break,
                }
            }
        }
        self.by_priority.retain(|_, queue| !queue.is_empty());
        shells
    }

    /// Returns `true` if it has more memory than it keeps after a burst.
    pub(crate) fn has_spare_capacity(&self) -> bool {
        std::iter::once(&self.normal).chain(self.by_priority.values()).any(|queue| queue.capacity() > KEPT)
    }

    /// Frees memory that was not used since the last call. At most the tasks that are here and those accepted since
    /// then have used memory.
    pub(super) fn trim(&mut self) {
        let accepted = usize::try_from(self.accepted - self.accepted_before).unwrap_or(usize::MAX);
        self.accepted_before = self.accepted;
        for queue in std::iter::once(&mut self.normal).chain(self.by_priority.values_mut()) {
            if queue.capacity() / 4 > accepted.saturating_add(queue.len()) {
                queue.shrink_to(KEPT.max(2 * queue.len()));
            }
        }
    }

    /// Corrects the count after a popped task turned out to be cancelled: its cancellation is also counted by
    /// [`on_cancelled`](Queue::on_cancelled).
    pub(crate) fn popped_cancelled(&mut self) {
        self.waiting += 1;
    }
}

/// Returns the task with this id, if it has the place that its number says, or is among the first entries.
fn find(queue: &mut VecDeque<Job>, task: TaskId, number: u64) -> Option<&mut Job> {
    /// A task that came back from a worker has another number, and is among the first entries.
    const FIRST: usize = 1024;
    let is_it = |job: &Job| job.task.id() == task;
    let at = match queue.binary_search_by_key(&number, |job| job.number) {
        Ok(at) if queue.get(at).is_some_and(is_it) => at,
        _ => queue.iter().take(FIRST).position(is_it)?,
    };
    queue.get_mut(at)
}
