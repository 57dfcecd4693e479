//! How many workers a pool has.
//!
//! A pool has a slot for each worker that it may have. In most pools every slot has a worker all the time. If the pool
//! was built with `min_workers`, slots beyond that number get a worker when a task waits that no worker can take, and
//! lose it when it has been idle for a while. `resize` changes how many slots are used; those that are no longer used
//! stay, without a worker.

use std::time::{Duration, Instant};

use super::{
    Deferred, Phase, State,
    handle::{Stage, WorkerHandle},
    ids::SlotId,
    slot::WorkerSlot,
    state::LEAVE_LIMIT,
    timer::Timer,
};

/// The least time between two checks for idle workers. Without it, the supervisor would check busy workers without a
/// pause if the time-out is very short.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

impl State {
    /// Returns how many workers an open pool has without tasks.
    pub(crate) fn least_workers(&self) -> usize {
        self.width.least()
    }

    /// Returns `true` if this slot, which has no worker, needs one.
    pub(crate) fn needs_worker(&self, slot: SlotId) -> bool {
        let is_used = slot.index() < self.width.most;
        let has_work = self.phase == Phase::Open || self.waiting() > 0 || !self.queue.is_empty();
        self.worker(slot).is_none()
            && is_used
            && has_work
            && self.broken.is_none()
            && self.serving() < self.wanted_workers()
    }

    /// Returns how many workers the pool needs for the tasks that it has.
    fn wanted_workers(&self) -> usize {
        // An entry of a cancelled task also counts as one, because it is removed when a worker is given a task.
        let queued = self.queue.len().max(usize::from(!self.queue.is_empty()));
        let tasks = queued + self.workers().map(|worker| worker.in_flight().len()).sum::<usize>();
        let least = if self.phase == Phase::Open { self.width.least() } else { 0 };
        tasks.clamp(least, self.width.most)
    }

    /// Returns how many workers serve or will serve. One in a slot that is no longer used does not count: when it
    /// leaves, no other takes its place.
    fn serving(&self) -> usize {
        let serves = |worker: &&WorkerHandle| matches!(worker.stage(), Stage::Starting | Stage::Ready);
        self.slots.iter().take(self.width.most).filter_map(WorkerSlot::worker).filter(serves).count()
    }

    /// Returns how many workers are expected: those that serve, and those that are started after a pause.
    fn expected(&self) -> usize {
        let waits = |slot: &&WorkerSlot| slot.waits_for_start && slot.worker().is_none();
        self.serving() + self.slots.iter().take(self.width.most).filter(waits).count()
    }

    /// Asks the supervisor for more workers if tasks wait that other workers could run.
    #[cold]
    pub(super) fn ask_for_workers(&mut self, deferred: &mut Deferred) {
        if !self.width.is_asked && self.expected() < self.wanted_workers() {
            self.width.is_asked = true;
            deferred.wake_supervisor = true;
        }
    }

    /// Returns slots in which a worker must be started now, if the supervisor was asked for workers.
    pub(crate) fn take_wanted_slots(&mut self) -> Vec<SlotId> {
        if !std::mem::take(&mut self.width.is_asked) || self.broken.is_some() {
            return Vec::new();
        }
        let missing = self.wanted_workers().saturating_sub(self.expected());
        let is_free = |slot: &SlotId| self.slots[*slot].worker().is_none() && !self.slots[*slot].waits_for_start;
        self.slots.ids().take(self.width.most).filter(is_free).take(missing).collect()
    }

    /// Does what a new worker in this slot requires.
    pub(crate) fn on_worker_added(&mut self, slot: SlotId, now: Instant) {
        if slot.index() >= self.width.most {
            // The pool was made narrower while the process was being started.
            self.slots[slot].vacate();
            if let Some(worker) = self.worker_mut(slot) {
                worker.dismiss();
            }
        }
        if self.width.kept.is_none() {
            return;
        }
        let serving = self.serving();
        self.dispatcher.set_can_start_more(serving < self.width.most);
        if serving > self.width.least() {
            self.set_idle_check(now, self.width.idle_timeout);
        }
    }

    /// Does what the loss of a worker requires.
    pub(super) fn on_worker_removed(&mut self) {
        if self.width.kept.is_some() {
            self.dispatcher.set_can_start_more(self.serving() < self.width.most);
        }
    }

    /// Changes how many workers there may be. `pool` is the name of the pool.
    pub(super) fn resize(&mut self, workers: usize, pool: &str, now: Instant) -> Deferred {
        let mut deferred = Deferred { wake_supervisor: true, ..Deferred::default() };
        self.width.most = workers;
        self.slots.grow(workers, |slot| WorkerSlot::new(slot, format!("{pool}_{}", slot.index())));
        for slot in self.slots.ids().skip(workers) {
            self.take_back(slot, usize::MAX, |_| true);
            self.slots[slot].vacate();
            let Some(worker) = self.worker_mut(slot) else { continue };
            match worker.stage() {
                // It has no task, and may be in the middle of a long initializer.
                Stage::Starting => worker.dismiss(),
                Stage::Ready => worker.set_surplus(),
                Stage::Leaving => {}
            }
        }
        self.dispatcher.note_older_tasks_in_queue();
        self.on_worker_removed();
        self.width.is_asked = true;
        self.dispatch_into(now, &mut deferred);
        self.note_below_bound(&mut deferred);
        deferred
    }

    fn set_idle_check(&mut self, now: Instant, time: Duration) {
        // A time that the clock cannot represent is no limit.
        let Some(at) = now.checked_add(time.max(CHECK_INTERVAL)) else { return };
        if !std::mem::replace(&mut self.width.idle_check_is_set, true) {
            // The supervisor starts workers, and handles this timer, so it need not be woken.
            self.set_timer(at, Timer::Idle);
        }
    }

    /// Tells workers to leave that were idle for too long, as far as the pool need not keep them.
    pub(super) fn check_idle(&mut self, now: Instant) -> Deferred {
        let mut deferred = Deferred::default();
        self.width.idle_check_is_set = false;
        if self.phase > Phase::Open {
            return deferred;
        }
        let timeout = self.width.idle_timeout;
        let mut extra = self.serving().saturating_sub(self.width.least());
        let mut idle: Vec<(Duration, SlotId)> = Vec::new();
        idle.extend(
            self.workers().filter(|worker| worker.is_idle()).map(|worker| (worker.stalled(now), worker.id().slot)),
        );
        // The ones that were idle for the longest time leave first.
        idle.sort_unstable_by(|one, other| other.cmp(one));
        let mut next = timeout;
        for (time, slot) in idle.into_iter().take(extra) {
            let Some(worker) = self.worker_mut(slot).filter(|worker| !worker.has_backlog()) else { continue };
            if time < timeout {
                next = next.min(timeout - time);
                continue;
            }
            worker.retire();
            extra -= 1;
            let (id, has_backlog) = (worker.id(), worker.has_backlog());
            self.slots[slot].vacate();
            self.set_timer(now + LEAVE_LIMIT, Timer::Kill(id));
            if has_backlog {
                self.note_backlog(slot, &mut deferred);
            }
        }
        if extra > 0 {
            self.set_idle_check(now, next);
        }
        self.on_worker_removed();
        deferred
    }
}
