//! The state of a pool: everything that changes, behind one lock.
//!
//! A transition is a method of [`State`]. It is a short step, runs no user code, and returns [`Deferred`] actions,
//! which the caller must perform once it has released the lock. The other transitions have files of their own: giving
//! tasks to workers (`dispatch.rs`), replies (`replies.rs`), the death of a worker (`reaped.rs`), stopping tasks
//! (`stop.rs`), and workers that do not proceed (`stuck.rs`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use executor_core::{Error, Shutdown, TaskId, task::Completed};

use super::{
    Deferred,
    completion::Completion,
    counters::Counters,
    dispatcher::Dispatcher,
    dropped::DroppedHandles,
    handle::{Stage, Withdrawal, WorkerHandle},
    ids::{Assignment, PerSlot, SlotId, WorkerId},
    job::Job,
    queue::Queue,
    slot::WorkerSlot,
    submitters::Submitters,
    timer::{Timer, Timers},
    width::Width,
};
use crate::{
    SandboxStatus,
    sys::{child::Process, signals::Signal},
    transport::{Outbox, descriptors::Channel},
};

/// After this many tasks, a submitter that finds every worker busy polls all of them. The submitter mostly has the lock
/// anyway, so the supervisor need not compete for it.
const POLL_EVERY: usize = 32;

/// How long a worker that was told to leave may take. It needs time for its exit handlers.
pub(super) const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// How long unused memory of the queue is kept for the next burst.
const TRIM_AFTER: Duration = Duration::from_secs(1);

/// The options with which the pool was built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) queue_capacity: Option<usize>,
    pub(crate) max_tasks_per_worker: Option<usize>,
    pub(crate) time_limit: Option<Duration>,
    /// How many workers are kept without tasks, if not all.
    pub(crate) min_workers: Option<usize>,
    /// How long the others are kept without a task.
    pub(crate) idle_timeout: Option<Duration>,
}

/// See the [module](self).
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) phase: Phase,
    /// Why the pool can run no more tasks.
    pub(crate) broken: Option<Error>,
    pub(crate) queue: Queue,
    pub(crate) slots: PerSlot<WorkerSlot>,
    /// How many workers there may be.
    pub(super) width: Width,
    pub(crate) timers: Timers,
    pub(super) dispatcher: Dispatcher,
    pub(crate) counters: Counters,
    /// Slots that the supervisor must handle: their link did not take a whole request, or their worker sent something
    /// that only the supervisor can handle.
    pub(super) for_supervisor: Vec<SlotId>,
    /// The handles whose last clone was dropped.
    dropped: Arc<DroppedHandles>,
    /// Whether a worker must be told later to forget handles.
    pub(super) owes_forgets: bool,
    /// The submitters that wait until the queue is below its bound.
    pub(super) submitters: Submitters,
    /// Whether the workers are in a sandbox.
    pub(crate) has_sandbox: bool,
    /// What the last worker that became ready has reported about its sandbox.
    pub(crate) sandbox: Option<Box<SandboxStatus>>,
    /// Whether a timer is set to check whether the queue has more memory than it needs.
    pub(super) trim_is_due: bool,
}

/// The phases of the pool's life. A later phase is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Takes tasks.
    Open,
    /// Runs the tasks that it has.
    Draining,
    /// Finishes the tasks that run.
    Cancelling,
    /// Stops the tasks that run.
    Terminating,
    /// Every worker is gone.
    Gone,
}

impl From<Shutdown> for Phase {
    fn from(mode: Shutdown) -> Phase {
        match mode {
            Shutdown::Drain => Phase::Draining,
            Shutdown::CancelPending => Phase::Cancelling,
            Shutdown::Terminate { .. } => Phase::Terminating,
        }
    }
}

/// What happened to an accepted task.
#[must_use]
pub(super) enum Enqueued {
    /// It was next in the queue, and may have been given to a worker.
    Dispatched(Deferred),
    /// It waits behind other tasks.
    Queued,
    /// It waits behind other tasks, and it is time to poll the workers.
    QueuedPollNow,
}

impl State {
    pub(super) fn new(limits: Limits, pool: &str, workers: usize, dropped: Arc<DroppedHandles>) -> State {
        let mut state = State {
            width: Width::new(workers, limits.min_workers, limits.idle_timeout),
            limits,
            phase: Phase::Open,
            broken: None,
            queue: Queue::default(),
            slots: PerSlot::new(workers, |slot| WorkerSlot::new(slot, format!("{pool}_{}", slot.index()))),
            timers: Timers::default(),
            dispatcher: Dispatcher::new(),
            counters: Counters::default(),
            for_supervisor: Vec::new(),
            dropped,
            owes_forgets: false,
            submitters: Submitters::default(),
            has_sandbox: false,
            sandbox: None,
            trim_is_due: false,
        };
        state.on_worker_removed();
        state
    }

    /// Returns the workers, in the order of their slots.
    pub(super) fn workers(&self) -> impl Iterator<Item = &WorkerHandle> {
        self.slots.iter().filter_map(WorkerSlot::worker)
    }

    /// Returns the worker in a slot, if there is one.
    pub(crate) fn worker(&self, slot: SlotId) -> Option<&WorkerHandle> {
        self.slots.get(slot)?.worker()
    }

    pub(crate) fn worker_mut(&mut self, slot: SlotId) -> Option<&mut WorkerHandle> {
        self.slots.get_mut(slot)?.worker_mut()
    }

    /// Returns the worker with this id, if it is still in its slot.
    pub(crate) fn worker_by_id(&mut self, id: WorkerId) -> Option<&mut WorkerHandle> {
        self.worker_mut(id.slot).filter(|worker| worker.id() == id)
    }

    /// Checks whether the pool takes tasks.
    ///
    /// # Errors
    ///
    /// If the pool, whose name is `pool`, is closed or broken.
    #[inline]
    pub(super) fn check_open(&self, pool: &str) -> Result<(), Error> {
        if let Some(reason) = &self.broken {
            return Err(reason.clone());
        }
        if self.phase > Phase::Open {
            return Err(Error::shut_down(pool));
        }
        Ok(())
    }

    /// Returns the workers that are idle and can be given a task.
    pub(super) fn free_workers(&self) -> impl Iterator<Item = &WorkerHandle> {
        let most = self.limits.max_tasks_per_worker;
        self.workers().filter(move |worker| worker.is_idle() && worker.accepts_task(most))
    }

    /// Accepts a task. Reads the clock only if tasks are dispatched.
    // It is inlined, because every submit moves a job through it.
    #[inline]
    pub(super) fn enqueue(&mut self, job: Job, now: impl FnOnce() -> Instant) -> Enqueued {
        self.note_priority(job.task.priority());
        // If tasks are queued, every worker has all the tasks that it may have. A worker that can take more is given
        // the first task of the queue, not this one.
        let is_next = self.queue.is_empty() || self.dispatcher.dispatches_each;
        self.queue.push_back(job);
        if is_next {
            Enqueued::Dispatched(self.dispatch(now()))
        } else if self.queue.len() % POLL_EVERY == 0 {
            Enqueued::QueuedPollNow
        } else {
            Enqueued::Queued
        }
    }

    /// Stops accepting tasks, and cancels or stops the tasks that `mode` names.
    pub(super) fn close(&mut self, mode: Shutdown, now: Instant) -> Deferred {
        let phase = Phase::from(mode);
        let mut deferred = Deferred { wake_supervisor: true, notify_submitters: true, ..Deferred::default() };
        self.phase = self.phase.max(phase);
        if phase >= Phase::Cancelling {
            deferred.completions = self.cancel_waiting();
        }
        self.counters.count_all(&deferred.completions);
        if let Shutdown::Terminate { grace } = mode {
            self.terminate_running(grace, now);
        }
        deferred
    }

    /// Removes every task that has not started.
    fn cancel_waiting(&mut self) -> Vec<Completion> {
        let mut cancelled: Vec<Completion> = self.queue.drain().into_iter().map(|job| job.abandon(None)).collect();
        for worker in self.slots.iter_mut().filter_map(WorkerSlot::worker_mut) {
            let assigned: Vec<u64> = worker.in_flight().iter().map(|task| task.sequence).collect();
            for sequence in assigned {
                cancelled.extend(worker.withdraw(sequence, Withdrawal::Cancel).map(|job| job.abandon(None)));
            }
        }
        cancelled
    }

    /// Cancels a task that a worker has and has not started. The caller drops the `Completed` after it has released the
    /// lock, because the drop may run callbacks.
    pub(super) fn cancel_assigned(&mut self, at: Assignment, now: Instant) -> Option<(Completed, Deferred)> {
        let job = self.worker_mut(at.slot)?.withdraw(at.sequence, Withdrawal::Cancel)?;
        // This happens under the lock, so that a second cancel, which no longer finds the job, finds the task
        // cancelled.
        let completed = job.task.cancel();
        self.counters.count_cancel();
        let mut deferred = self.dispatch(now);
        self.note_below_bound(&mut deferred);
        // A withdrawn task has no reply, so nothing else would tell the supervisor that this was the last task.
        deferred.wake_supervisor |= self.phase > Phase::Open;
        Some((completed, deferred))
    }

    /// Records that a task in the queue was cancelled. `number` is the number that the queue has noted in the task.
    pub(super) fn on_cancelled_in_queue(&mut self, task: TaskId, number: u64) -> Deferred {
        let mut deferred = Deferred { wake_supervisor: self.phase > Phase::Open, ..Deferred::default() };
        (deferred.arguments, deferred.cancelled) = self.queue.on_cancelled(task, number);
        self.counters.count_cancel();
        self.note_below_bound(&mut deferred);
        deferred
    }

    /// Queues a task again after its worker has died.
    pub(super) fn requeue(&mut self, job: Job) {
        if job.task.recall() {
            self.queue.put_back(job);
            self.dispatcher.note_older_tasks_in_queue();
        }
    }

    /// Returns `true` if the pool has no task.
    pub(crate) fn is_finished(&self) -> bool {
        self.queue.is_empty() && self.workers().all(|worker| worker.in_flight().is_empty())
    }

    /// Breaks the pool with this error. Tasks in the queue can never run then.
    pub(crate) fn break_down(&mut self, reason: &Error) -> Deferred {
        self.broken.get_or_insert_with(|| reason.clone());
        let abandoned: Vec<Completion> = self.queue.drain().into_iter().map(|job| job.abandon(Some(reason))).collect();
        self.counters.count_all(&abandoned);
        let mut deferred = Deferred::default();
        deferred.complete(abandoned, "");
        self.note_below_bound(&mut deferred);
        deferred
    }

    /// Breaks the pool and drops its workers and their tasks, because its supervisor is gone.
    pub(super) fn collapse(&mut self, reason: &Error) -> Deferred {
        let mut deferred = self.break_down(reason);
        for slot in self.slots.iter_mut() {
            let Some(worker) = slot.detach() else { continue };
            worker.signal(Signal::KILL);
            let (lost, _) = worker.into_lost();
            let abandoned = lost.into_iter().map(|lost| lost.job.abandon(Some(reason))).collect();
            deferred.complete(abandoned, "");
        }
        deferred
    }

    /// Opens the channel for descriptors of the worker in this slot.
    pub(crate) fn open_channel(&mut self, slot: SlotId, channel: Channel) {
        let dropped = self.dropped.clone();
        if let Some(worker) = self.worker_mut(slot) {
            worker.open_channel(channel, dropped);
        }
    }

    /// Notes for each worker which handles it must forget.
    pub(super) fn forget_dropped(&mut self) {
        for (name, instance) in self.dropped.take() {
            for worker in self.slots.iter_mut().filter_map(WorkerSlot::worker_mut) {
                self.owes_forgets |= worker.forget(name, instance);
            }
        }
    }

    /// Tells the workers which handles they must forget. Returns the slots whose link has not taken all of it yet.
    pub(crate) fn send_forgets(&mut self) -> Vec<SlotId> {
        self.forget_dropped();
        if !std::mem::take(&mut self.owes_forgets) {
            return Vec::new();
        }
        let mut unsent = Vec::new();
        for worker in self.slots.iter_mut().filter_map(WorkerSlot::worker_mut) {
            self.owes_forgets |= worker.send_forgets();
            if worker.has_backlog() {
                unsent.push(worker.id().slot);
            }
        }
        unsent
    }

    /// Puts a new worker into its slot.
    pub(crate) fn attach(&mut self, slot: SlotId, process: Process, outbox: Box<dyn Outbox>) -> &mut WorkerHandle {
        if self.slots[slot].replaces_another() {
            self.counters.count_restart();
        }
        self.slots[slot].attach(process, outbox)
    }

    /// Returns `true` if another worker is ready, or was started and has not failed yet.
    pub(crate) fn others_may_serve(&self, slot: SlotId) -> bool {
        let mut others = self.workers().filter(|worker| worker.id().slot != slot);
        others.any(|other| matches!(other.stage(), Stage::Ready | Stage::Starting))
    }

    /// Returns `true` if a worker may yet report its sandbox: it was started and is not ready, or will be started.
    pub(super) fn expects_worker(&self) -> bool {
        let is_coming = |slot: &WorkerSlot| {
            slot.waits_for_start || slot.worker().is_some_and(|worker| worker.stage() == Stage::Starting)
        };
        self.broken.is_none() && self.phase < Phase::Gone && self.slots.iter().any(is_coming)
    }

    /// Tells workers to leave if they have had as many tasks as they may have, those for which the pool has become too
    /// narrow, and idle workers if the pool is closed. Returns the slots whose link has not taken the whole request
    /// yet.
    pub(crate) fn retire_idle_workers(&mut self, now: Instant) -> Vec<SlotId> {
        let is_closing = self.phase > Phase::Open || self.broken.is_some();
        let is_done = self.queue.is_empty() || self.broken.is_some();
        let most = self.limits.max_tasks_per_worker;
        let mut retired = Vec::new();
        for worker in self.slots.iter_mut().filter_map(WorkerSlot::worker_mut) {
            let is_idle = worker.is_idle() && !worker.has_backlog();
            let must_leave = worker.has_had_all_tasks(most) || is_closing && is_done;
            if is_idle && must_leave || worker.is_surplus_and_free() {
                worker.retire();
                retired.push((worker.id(), worker.has_backlog()));
            } else if worker.stage() == Stage::Starting && is_closing && is_done {
                // It has no task, and may be in the middle of a long initializer.
                worker.dismiss();
            }
        }
        for (id, _) in &retired {
            self.set_timer(now + LEAVE_LIMIT, Timer::Kill(*id));
        }
        retired.into_iter().filter(|(_, has_backlog)| *has_backlog).map(|(id, _)| id.slot).collect()
    }

    /// Returns the slots that the supervisor must handle, and empties the list.
    pub(crate) fn take_for_supervisor(&mut self) -> Vec<SlotId> {
        std::mem::take(&mut self.for_supervisor)
    }

    /// Kills the worker with this id, if it is still in its slot.
    pub(super) fn kill(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker_by_id(id) {
            worker.signal(Signal::KILL);
        }
    }

    /// Kills a worker that has not become ready in time.
    pub(super) fn check_start(&mut self, id: WorkerId) {
        if let Some(worker) = self.worker_by_id(id).filter(|worker| worker.stage() == Stage::Starting) {
            worker.kill_because("it was not ready a minute after its start, so it was killed");
        }
    }

    /// Sets a timer to check later whether the queue still needs its memory, if it has much.
    pub(crate) fn set_trim_check(&mut self) {
        if !self.trim_is_due && self.queue.has_spare_capacity() {
            self.trim_is_due = true;
            self.set_timer(Instant::now() + TRIM_AFTER, Timer::Trim);
        }
    }

    /// Frees memory of the queue that was not used for a while.
    pub(super) fn trim(&mut self) {
        self.trim_is_due = false;
        self.queue.trim();
    }
}
