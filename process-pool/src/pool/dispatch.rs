//! The choice of a worker for each task. No other file decides this.
//!
//! Tasks start in the order of the queue. A worker with short tasks is given several, so that it need not wait for the
//! parent between two of them. The longer its tasks take, the fewer it is given, down to one. A task that has not
//! started can be taken back at any time. That happens when another worker is idle, when a task of a higher priority
//! comes, or when the task before it turns out to be long. So the order of starts does not depend on how many tasks a
//! worker is given, with one exception: neighbours that are next on two workers may start in either order, within a
//! millisecond.

use std::time::{Duration, Instant};

use super::{
    Deferred, State,
    handle::{Stage, Withdrawal, WorkerHandle},
    ids::{SlotId, WorkerId},
    job::Job,
    slot::WorkerSlot,
    timer::Timer,
};

/// About how much work a worker is given in advance.
const AHEAD: Duration = Duration::from_micros(500);

/// A task that takes longer than this is long, and the tasks behind it are taken back.
const LONG: Duration = Duration::from_millis(1);

/// The most tasks that one worker has.
const DEEPEST: usize = 512;

/// A chosen worker is also given the next tasks, up to its depth divided by this number, because a choice costs more
/// than a short task.
const SHARES: usize = 16;

/// From this depth on, a worker's tasks take less time than it costs to wake another worker.
const QUICK: usize = 24;

impl State {
    /// Gives tasks in the queue to the workers that can take more.
    pub(crate) fn dispatch(&mut self, now: Instant) -> Deferred {
        let mut deferred = Deferred::default();
        self.dispatch_into(now, &mut deferred);
        deferred
    }

    /// Dispatches as a part of another transition.
    pub(super) fn dispatch_into(&mut self, now: Instant, deferred: &mut Deferred) {
        if !self.queue.is_empty() {
            self.take_back_from_stalled(now);
            self.take_back_younger();
            self.assign_queued(now, deferred);
        }
        if self.queue.is_empty() {
            self.rebalance(now, deferred);
        } else if self.dispatcher.can_start_more() {
            self.ask_for_workers(deferred);
        }
    }

    fn assign_queued(&mut self, now: Instant, deferred: &mut Deferred) {
        while !self.queue.is_empty() {
            let Some(slot) = self.choose_worker().or_else(|| self.choose_unblocked_worker()) else { return };
            self.assign_share(slot, now, deferred);
        }
    }

    /// Chooses the worker that gets the next task, and then the same one again for its share. An idle worker comes
    /// first, unless the processors are crowded, and then the worker with the fewest tasks.
    fn choose_worker(&mut self) -> Option<SlotId> {
        let most = self.limits.max_tasks_per_worker;
        let accepts_another = |chosen: &WorkerHandle| !chosen.is_idle() && chosen.accepts_task(most);
        if self.dispatcher.left_for_chosen > 0 && self.worker(self.dispatcher.chosen).is_some_and(accepts_another) {
            self.dispatcher.left_for_chosen -= 1;
            return Some(self.dispatcher.chosen);
        }
        let is_crowded = self.is_crowded();
        let open = self.workers().filter(|worker| worker.accepts_task(most) && !(is_crowded && worker.is_idle()));
        let worker = open.min_by_key(|worker| worker.in_flight().len())?;
        // Other idle workers come before a share.
        let share = if worker.is_idle() { 0 } else { worker.depth() / SHARES };
        let slot = worker.id().slot;
        (self.dispatcher.chosen, self.dispatcher.left_for_chosen) = (slot, share);
        Some(slot)
    }

    /// Returns `true` if every processor has a worker with quick tasks, so that another worker would only take its
    /// processor. Tasks are assumed to be quick for a millisecond: if one waits behind another, a timer checks after
    /// that time. A bounded pool that is full is never crowded, because an idle worker there lets the next task into
    /// the queue.
    fn is_crowded(&self) -> bool {
        if self.width.most() <= self.dispatcher.processors {
            return false;
        }
        let most = self.limits.max_tasks_per_worker;
        let is_quick = |worker: &&WorkerHandle| {
            worker.depth() >= QUICK && !worker.is_idle() && (worker.waiting() > 0 || worker.accepts_task(most))
        };
        self.workers().filter(is_quick).count() >= self.dispatcher.processors
            && self.limits.queue_capacity.is_none_or(|capacity| self.waiting() < capacity)
    }

    /// Chooses again after no worker was found. If withdrawn tasks in a worker's link are all that keeps it from
    /// another task, it is asked to ring its doorbell once it is past them.
    fn choose_unblocked_worker(&mut self) -> Option<SlotId> {
        let workers = self.slots.iter_mut().filter_map(WorkerSlot::worker_mut);
        let asked = workers.filter_map(|worker| worker.request_doorbell_for_claim().then_some(())).count();
        // A worker may have got past the withdrawn tasks before it could see the request.
        if asked > 0 { self.choose_worker() } else { None }
    }

    /// Gives the chosen worker the next task, and as many more of its share as it certainly accepts. Wakes it once for
    /// all of them.
    fn assign_share(&mut self, slot: SlotId, now: Instant, deferred: &mut Deferred) {
        let most = self.limits.max_tasks_per_worker;
        let mut tightest: Option<Duration> = None;
        let mut is_assigned = false;
        // How many more tasks it gets. It is found after the first one, which it accepts in any case.
        let mut more: Option<usize> = None;
        while let Some(job) = self.queue.pop(&mut deferred.cancelled) {
            let (limit, has_handles) = (job.time_limit, !job.handles().is_empty());
            if has_handles {
                self.forget_dropped();
            }
            let WorkerSlot { name, worker: Some(worker), .. } = &mut self.slots[slot] else {
                debug_assert!(false, "only workers are chosen");
                return self.queue.put_back(job);
            };
            if worker.assign(job, now, &mut deferred.cancelled).is_none() {
                self.queue.popped_cancelled();
                break;
            }
            is_assigned = true;
            deferred.trace.of_task(|| worker.assigned_last(name));
            if let Some(limit) = limit {
                tightest = Some(tightest.map_or(limit, |tightest| tightest.min(limit)));
            }
            let places = more.unwrap_or_else(|| worker.open_places(most).min(self.dispatcher.left_for_chosen));
            // A worker whose link is broken leaves.
            let accepts_more = worker.stage() == Stage::Ready && !worker.has_backlog() && !has_handles;
            if places == 0 || !accepts_more || self.queue.is_empty() {
                break;
            }
            self.dispatcher.left_for_chosen -= 1;
            more = Some(places - 1);
        }
        if is_assigned {
            self.after_assigning(slot, tightest, now, deferred);
        }
    }

    /// Wakes a worker that was given tasks, and sets the timers that watch over them. `limit` is the shortest of their
    /// time limits.
    fn after_assigning(&mut self, slot: SlotId, limit: Option<Duration>, now: Instant, deferred: &mut Deferred) {
        let Some(worker) = self.slots[slot].worker_mut() else { return };
        worker.ring_owed_doorbell();
        let id = worker.id();
        let (has_backlog, watches_stall) =
            (worker.has_backlog(), worker.waiting() > 0 && worker.checks.stall.is_none());
        if has_backlog {
            self.note_backlog(slot, deferred);
        }
        if watches_stall {
            self.set_stall_check(id, now + LONG, deferred);
        }
        self.set_stopped_check(id, now, deferred);
        // A limit that the clock cannot represent is no limit.
        if let Some(at) = limit.and_then(|limit| now.checked_add(limit)) {
            self.set_limit_check(id, at, deferred);
        }
    }

    /// Leaves the rest of a request to the thread that performs the deferred actions, or to the supervisor, which asks
    /// for the doorbell that reports space.
    pub(super) fn note_backlog(&mut self, slot: SlotId, deferred: &mut Deferred) {
        let is_taken = |worker: &WorkerHandle| worker.claims().is_some() && worker.blocked_descriptors().is_none();
        if deferred.unsent.is_none() && self.worker(slot).is_some_and(is_taken) {
            deferred.unsent = Some(slot);
            return;
        }
        self.for_supervisor.push(slot);
        deferred.wake_supervisor = true;
    }

    /// Gives idle workers up to half of what waits behind another worker's task, if the queue is empty. It moves no
    /// more than one idle worker may have, because the rest would return to the queue behind younger tasks.
    fn rebalance(&mut self, now: Instant, deferred: &mut Deferred) {
        while !self.is_crowded() {
            let most = self.limits.max_tasks_per_worker;
            let idle = self.workers().filter(|worker| worker.is_idle() && worker.accepts_task(most));
            let wanted = idle.map(WorkerHandle::depth).min().unwrap_or(0);
            let Some(busiest) = self.workers().max_by_key(|worker| worker.waiting()) else { return };
            let (slot, waiting) = (busiest.id().slot, busiest.waiting());
            if wanted == 0 || waiting == 0 {
                return;
            }
            if self.take_back(slot, wanted.min(waiting.div_ceil(2)), |_| true) == 0 {
                // The worker has started them all by now.
                return;
            }
            self.dispatcher.left_for_chosen = 0;
            self.assign_queued(now, deferred);
        }
    }

    /// Takes the tasks behind a long task back into the queue. Their worker is given no more until the long task ends.
    fn take_back_from_stalled(&mut self, now: Instant) {
        for slot in self.slots.ids() {
            let Some(worker) = self.worker(slot) else { continue };
            // Once for each long task.
            let is_known = worker.depth() == 1 && worker.waiting() == 0;
            if !worker.in_flight().is_empty() && !is_known && worker.stalled(now) > LONG {
                self.on_long_task(slot);
            }
        }
    }

    /// Takes back what waits behind a task that turned out to be long. The tasks of the other workers are no longer
    /// assumed to be quick.
    fn on_long_task(&mut self, slot: SlotId) {
        self.slots.iter_mut().for_each(|slot| slot.bound_depth(QUICK - 1));
        self.slots[slot].bound_depth(1);
        // A task that is alone there may still be on its way to the worker, and that alone may take long.
        if self.worker(slot).is_some_and(|worker| worker.waiting() > 0) {
            self.dispatcher.has_older_in_queue |= self.take_back(slot, usize::MAX, |_| true) > 0;
        }
    }

    /// Takes back tasks that are younger than tasks in the queue, so that they do not start before those.
    fn take_back_younger(&mut self) {
        if !std::mem::take(&mut self.dispatcher.has_older_in_queue) {
            return;
        }
        let Some((priority, number)) = self.queue.front() else { return };
        for slot in self.slots.ids() {
            self.take_back(slot, usize::MAX, |job| {
                job.rank() < priority || job.rank() == priority && job.number > number
            });
        }
    }

    /// Takes back the tasks behind a long task, if there still are any.
    pub(super) fn check_stall(&mut self, id: WorkerId, now: Instant) -> Deferred {
        let mut deferred = Deferred::default();
        let Some(worker) = self.worker_by_id(id) else { return deferred };
        worker.checks.stall = None;
        if worker.waiting() == 0 {
            return deferred;
        }
        let left = LONG.saturating_sub(worker.stalled(now));
        if left.is_zero() {
            self.on_long_task(id.slot);
            self.dispatch_into(now, &mut deferred);
        } else {
            self.set_stall_check(id, now + left, &mut deferred);
        }
        deferred
    }

    fn set_stall_check(&mut self, id: WorkerId, at: Instant, deferred: &mut Deferred) {
        if let Some(worker) = self.worker_by_id(id) {
            worker.checks.stall = Some(at);
            deferred.wake_supervisor |= self.set_timer(at, Timer::Stall(id));
        }
    }

    /// Takes back tasks of a lower priority that have not started, so that a task of this priority starts first.
    #[inline]
    pub(super) fn note_priority(&mut self, priority: i32) {
        if priority != 0 {
            self.dispatcher.begin_priorities();
        }
        if self.dispatcher.uses_priorities {
            self.take_back_lower(priority);
        }
    }

    fn take_back_lower(&mut self, priority: i32) {
        for slot in self.slots.ids() {
            self.take_back(slot, usize::MAX, |job| job.rank() < priority);
        }
    }

    /// Takes back the oldest tasks that have not started, `most` of them, and returns how many there were.
    pub(super) fn take_back(&mut self, slot: SlotId, most: usize, wanted: impl Fn(&Job) -> bool) -> usize {
        let Some(worker) = self.slots[slot].worker_mut() else { return 0 };
        let waiting = worker.in_flight().iter().filter(|task| !worker.has_started(task.sequence) && wanted(&task.job));
        let chosen: Vec<u64> = waiting.map(|task| task.sequence).take(most).collect();
        let mut count = 0;
        // The youngest first: a worker that reaches them meanwhile starts the oldest, so no task overtakes an older
        // one.
        for sequence in chosen.into_iter().rev() {
            if let Some(job) = worker.withdraw(sequence, Withdrawal::Requeue) {
                job.task.recall();
                self.queue.put_back(job);
                count += 1;
            }
        }
        count
    }

    /// Derives the depth of a worker from the time in which it completed `count` tasks. If it was idle before, that
    /// time includes waking it, so a long time does not show that tasks are long.
    pub(crate) fn adapt_depth(&mut self, slot: SlotId, count: usize, time: Duration, was_idle: bool) {
        let Some(worker) = self.worker_mut(slot) else { return };
        let each = time / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let wanted = match each {
            long if long > LONG => 1,
            short => (AHEAD.as_nanos() / short.as_nanos().max(1)) as usize + 2,
        };
        let wanted = if was_idle && wanted > 1 { wanted.max(worker.depth()) } else { wanted };
        // The depth at most doubles, because the first measurement of a fast worker is mostly the time until a thread
        // polled.
        worker.set_depth(wanted.min(worker.depth() * 2).clamp(1, DEEPEST));
    }

    /// Returns how many accepted tasks are not known to have started. This is the number that `queue_capacity` bounds.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len() + self.workers().map(WorkerHandle::waiting).sum::<usize>()
    }
}
