//! One worker process, as the parent sees it.
//!
//! A handle is made when its process has started and dropped when the process was reaped, so nothing in it is about
//! another worker. What the next worker needs is in the [slot](super::slot).

mod assigning;
mod backlog;
mod carried;
mod condemn;
mod given_back;
mod in_flight;
mod limit;
mod limit_watch;
mod own_steps;
mod pause;
mod replying;
mod sending;
mod signals;
mod stage;
mod verdict;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{dropped::DroppedHandles, ids::WorkerId};
use crate::{
    sys::child::Process,
    transport::{Claim, Claims, Outbox, descriptors::Channel},
};
pub(crate) use assigning::Withdrawal;
use backlog::Backlog;
pub(crate) use backlog::Sent;
use carried::Carried;
use given_back::GivenBack;
pub(crate) use in_flight::{InFlight, Lost, Reached};
pub(crate) use limit_watch::LimitCheck;
pub(crate) use replying::ReplyEffect;
pub(crate) use stage::Stage;
pub(crate) use verdict::{Condemned, Verdict};

/// See the [module](self).
pub(crate) struct WorkerHandle {
    id: WorkerId,
    stage: Stage,
    /// Whether it has ever reported that it is ready.
    was_ready: bool,
    /// Whether it has ever sent an outcome.
    has_replied: bool,
    /// The process, or `None` once the pool reaps it: from then on its pid may belong to another process.
    process: Option<Process>,
    /// The process id that errors name, even while the process is reaped.
    pid_in_errors: u32,
    /// The sending end of its link.
    outbox: Box<dyn Outbox>,
    /// The tasks that it was given and has not replied to, in the order in which they were sent.
    in_flight: VecDeque<InFlight>,
    backlog: Option<Backlog>,
    /// The task whose request could not be sent because the link is broken, so it did not start.
    unsent: Option<u64>,
    /// The task that must be sent a request to stop, once a link without claims has space for it.
    stop_request: Option<u64>,
    /// The last task that was sent a request to stop on such a link.
    asked_to_stop: u64,
    last_sequence: u64,
    /// The last task that is known to be off the worker's queue, whatever the worker reports later. It begins with the
    /// last number of the previous worker, and then follows the replies.
    dequeued: u64,
    /// The last task that was withdrawn when it was the next to start. A healthy worker takes it off its queue soon.
    skipped: u64,
    /// How many tasks it was given.
    assigned: usize,
    bytes_sent: u64,
    bytes_received: u64,
    /// The traffic that was last seen, and since when it has not changed.
    traffic: Option<(Traffic, Instant)>,
    /// Whether the pool has told it to leave.
    was_told_to_leave: bool,
    /// Whether it leaves after its first task without being told.
    leaves_by_itself: bool,
    /// Whether the pool has more workers than it may have, and this one must leave after the task that it runs.
    is_surplus: bool,
    /// The depth: how many tasks it may have.
    depth: usize,
    /// When it was last given its first task, or completed one.
    progress: Instant,
    /// Whether it was idle before `progress`, and so may have been asleep.
    was_idle: bool,
    /// Why it is killed because of a task, if it is.
    verdict: Option<Verdict>,
    /// Why this pool killed it, if that was not because of a task.
    kill_reason: Option<&'static str>,
    pub(super) checks: Checks,
    /// The item that ran while this whole program was stopped, and for how long the program was stopped.
    given_back: GivenBack,
    /// The memory for the head and the name of the next request.
    scratch: Vec<u8>,
    /// Whether it was sent a task, and its doorbell was not rung since.
    owes_doorbell: bool,
    carried: Carried,
}

/// A worker is given no further task while this many descriptors were sent to it for tasks that have not ended. So
/// tasks with handles of their own do not use up its descriptors, however far it is ahead of the reader of its replies.
const MOST_FRESH: usize = 64;

/// The timers that are set for each kind of check.
#[derive(Default)]
pub(super) struct Checks {
    /// When to check whether tasks wait behind a long one.
    pub(super) stall: Option<Instant>,
    /// When to check whether a task has used up its time limit: the earliest of the timers that are set.
    pub(super) limit: Option<Instant>,
    /// Whether a check is due that the worker was not stopped by a signal. Its time does not matter.
    pub(super) stopped: bool,
}

/// The bytes sent to and received from a worker, and its stage at that time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Traffic {
    taken: u64,
    received: u64,
    stage: Stage,
}

impl WorkerHandle {
    /// Makes the handle of a new worker. `last_sequence` is the slot's last sequence number, and `depth` is the depth
    /// of its last worker.
    pub(super) fn new(
        id: WorkerId,
        process: Process,
        outbox: Box<dyn Outbox>,
        last_sequence: u64,
        depth: usize,
    ) -> WorkerHandle {
        WorkerHandle {
            id,
            stage: Stage::Starting,
            was_ready: false,
            has_replied: false,
            pid_in_errors: process.number(),
            process: Some(process),
            outbox,
            in_flight: VecDeque::new(),
            backlog: None,
            unsent: None,
            stop_request: None,
            asked_to_stop: 0,
            last_sequence,
            dequeued: last_sequence,
            skipped: 0,
            assigned: 0,
            bytes_sent: 0,
            bytes_received: 0,
            traffic: None,
            was_told_to_leave: false,
            leaves_by_itself: false,
            is_surplus: false,
            depth,
            progress: Instant::now(),
            was_idle: true,
            verdict: None,
            kill_reason: None,
            checks: Checks::default(),
            given_back: GivenBack::default(),
            scratch: Vec::new(),
            owes_doorbell: false,
            carried: Carried::default(),
        }
    }

    /// Opens the channel for descriptors. `dropped` learns of the handles that the worker must forget.
    pub(crate) fn open_channel(&mut self, channel: Channel, dropped: Arc<DroppedHandles>) {
        self.carried.open(channel, dropped);
    }

    pub(crate) fn id(&self) -> WorkerId {
        self.id
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn pid_in_errors(&self) -> u32 {
        self.pid_in_errors
    }

    pub(crate) fn was_ready(&self) -> bool {
        self.was_ready
    }

    pub(crate) fn has_replied(&self) -> bool {
        self.has_replied
    }

    /// Returns `true` if it left, or leaves, as it should.
    pub(crate) fn was_told_to_leave(&self) -> bool {
        self.was_told_to_leave || self.has_left_by_itself()
    }

    /// Notes that it leaves after its first task without being told.
    pub(crate) fn set_leaves_by_itself(&mut self) {
        self.leaves_by_itself = true;
    }

    fn has_left_by_itself(&self) -> bool {
        self.leaves_by_itself && self.has_replied && self.in_flight.is_empty()
    }

    pub(crate) fn kill_reason(&self) -> Option<&'static str> {
        self.kill_reason
    }

    pub(super) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    pub(crate) fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn set_depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    pub(super) fn bound_depth(&mut self, most: usize) {
        self.depth = self.depth.min(most);
    }

    /// Returns `true` if it was idle before its first task, or before the one that it completed last.
    pub(crate) fn was_idle(&self) -> bool {
        self.was_idle
    }

    pub(crate) fn claims(&self) -> Option<&dyn Claims> {
        self.outbox.claims()
    }

    pub(crate) fn in_flight(&self) -> &VecDeque<InFlight> {
        &self.in_flight
    }

    /// Returns the task with this number, if the worker has it.
    pub(crate) fn find(&mut self, sequence: u64) -> Option<&mut InFlight> {
        let at = self.in_flight.binary_search_by_key(&sequence, |task| task.sequence).ok()?;
        self.in_flight.get_mut(at)
    }

    /// Returns `true` if it is ready and has no task.
    pub(crate) fn is_idle(&self) -> bool {
        self.stage == Stage::Ready && self.in_flight.is_empty()
    }

    /// Returns how many of its tasks run: none or one. A task that has ended counts until its reply is read.
    pub(crate) fn running(&self) -> usize {
        self.in_flight.iter().filter(|task| self.has_started_task(task)).count()
    }

    /// Returns how many tasks wait behind its first one.
    pub(crate) fn waiting(&self) -> usize {
        self.in_flight.len().saturating_sub(1)
    }

    /// Returns `true` if it can be given another task. `most` is how many tasks a worker may run in its life.
    pub(crate) fn accepts_task(&self, most: Option<usize>) -> bool {
        if self.stage != Stage::Ready || self.backlog.is_some() || self.in_flight.len() >= self.depth {
            return false;
        }
        if self.has_had_all_tasks(most) || self.carried.fresh >= MOST_FRESH {
            return false;
        }
        match self.claims() {
            None => self.in_flight.is_empty(),
            Some(claims) => self.has_free_claim(claims),
        }
    }

    /// Returns how many more tasks it certainly accepts, if none of them has handles and all of each is sent. It may be
    /// more. `most` is how many tasks a worker may run in its life.
    pub(crate) fn open_places(&self, most: Option<usize>) -> usize {
        if self.is_idle() || !self.accepts_task(most) {
            return 0;
        }
        let Some(claims) = self.claims() else { return 0 };
        let free = (claims.slots() - 1).saturating_sub(self.last_sequence.saturating_sub(self.dequeued));
        let left = most.map_or(usize::MAX, |most| most.saturating_sub(self.assigned));
        left.min(self.depth.saturating_sub(self.in_flight.len())).min(usize::try_from(free).unwrap_or(usize::MAX))
    }

    /// Returns `true` if the next task has a claim to use. A claim is free once the worker has taken the task that had
    /// it off its queue. For withdrawn tasks, the worker's report decides. The claim of a task in flight is never free,
    /// whatever the worker reports.
    fn has_free_claim(&self, claims: &dyn Claims) -> bool {
        let is_free = |taken: u64| self.last_sequence.saturating_sub(taken) < claims.slots() - 1;
        // The value known here is usually enough, and reading the worker's memory takes it out of the worker's cache.
        if is_free(self.dequeued) {
            return true;
        }
        let taken = claims.taken();
        let is_held = |task: &InFlight| !is_free(task.sequence);
        taken <= self.last_sequence && is_free(taken) && !self.in_flight.front().is_some_and(is_held)
    }

    /// Returns `true` if it is idle and still cannot be given a task, because withdrawn tasks are in its queue.
    fn is_blocked_by_withdrawn(&self) -> bool {
        self.is_idle() && (self.backlog.is_some() || self.claims().is_some_and(|claims| !self.has_free_claim(claims)))
    }

    /// Returns `true` if it has reported that it took the first of its tasks off its queue. It has then started the
    /// task or found it withdrawn, and has changed the task's claim before it reported.
    fn has_dequeued(&self, claims: &dyn Claims, sequence: u64) -> bool {
        (sequence..=self.last_sequence).contains(&claims.taken())
    }

    /// Returns `true` if a task that was withdrawn right before its start is still in its queue.
    pub(crate) fn has_withdrawn_to_skip(&self) -> bool {
        let is_past = |dequeued: u64| dequeued >= self.skipped;
        !is_past(self.dequeued) && self.claims().is_some_and(|claims| !is_past(claims.taken()))
    }

    /// Asks for the doorbell if only withdrawn tasks keep the worker from another task: the worker rings once it is
    /// past them. Returns `true` if it has asked. The caller must then check
    /// [`accepts_task`](WorkerHandle::accepts_task) again.
    #[must_use]
    pub(crate) fn request_doorbell_for_claim(&mut self) -> bool {
        let is_open = self.stage == Stage::Ready && self.backlog.is_none() && self.in_flight.len() < self.depth;
        let must_ask = is_open && self.claims().is_some_and(|claims| !self.has_free_claim(claims));
        if must_ask {
            // The caller checks again whatever this returns.
            let _ = self.request_doorbell_for_space();
        }
        must_ask
    }

    /// Returns `true` if it was given all the tasks that it may run in its life.
    pub(crate) fn has_had_all_tasks(&self, most: Option<usize>) -> bool {
        most.is_some_and(|most| self.assigned >= most)
    }

    /// Returns `true` if a task that it was given has started, as far as the link tells.
    pub(crate) fn has_started(&self, sequence: u64) -> bool {
        match self.claims() {
            Some(claims) => claims.claim(sequence) != Claim::Offered,
            // It started when it was sent, unless the link broke while it was sent.
            None => self.unsent != Some(sequence),
        }
    }

    /// Returns `true` if a task has started, by its claim or by anything observed before.
    fn has_started_task(&self, task: &InFlight) -> bool {
        task.was_seen || task.job.is_spent() || self.has_started(task.sequence)
    }

    /// Returns `true` if a task has started, and remembers it if its claim says so: from then on the task cannot be
    /// withdrawn, whatever its claim is later.
    pub(crate) fn observe_start(&mut self, sequence: u64) -> bool {
        let (has_started, has_claims) = (self.has_started(sequence), self.claims().is_some());
        let Some(task) = self.find(sequence) else { return false };
        task.was_seen |= has_started && has_claims;
        has_started || task.was_seen
    }

    /// Stops giving it tasks, because the pool has more workers than it may have.
    pub(crate) fn set_surplus(&mut self) {
        self.is_surplus = true;
        self.stage = Stage::Leaving;
    }

    /// Returns `true` if the pool has more workers than it may have, and this one must leave.
    pub(crate) fn is_surplus(&self) -> bool {
        self.is_surplus
    }

    /// Returns `true` if it must leave because the pool has too many workers, can do so now, and was not told yet.
    pub(crate) fn is_surplus_and_free(&self) -> bool {
        let is_free = self.in_flight.is_empty() && self.backlog.is_none();
        self.is_surplus && is_free && self.process.is_some() && !self.was_told_to_leave
    }

    /// Stops giving it tasks. A worker that is not ready yet stays in that stage.
    pub(crate) fn stop_assigning(&mut self) {
        if self.stage == Stage::Ready {
            self.stage = Stage::Leaving;
        }
    }

    /// Stops giving it tasks, even if it reports later that it is ready.
    pub(crate) fn leave(&mut self) {
        self.stage = Stage::Leaving;
    }

    /// Returns the process, to be reaped. From then on it cannot be signalled through this handle.
    pub(crate) fn take_process(&mut self) -> Option<Process> {
        self.stage = Stage::Leaving;
        self.process.take()
    }

    /// Returns how long ago it last made progress.
    pub(crate) fn stalled(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.progress)
    }

    /// Returns the tasks that it had when it died, and how far it had progressed with each.
    pub(crate) fn into_lost(mut self) -> (Vec<Lost>, Option<Verdict>) {
        let taken = self.bytes_taken();
        if let Some(backlog) = self.backlog.take() {
            self.unsent = Some(backlog.sequence);
        }
        let in_flight = std::mem::take(&mut self.in_flight);
        let lost = in_flight.into_iter().map(|task| {
            let reached = match self.has_started_task(&task) {
                true => Reached::Started,
                false if taken > task.offset => Reached::Begun,
                false => Reached::Waiting,
            };
            Lost { sequence: task.sequence, job: task.job, reached }
        });
        (lost.collect(), self.verdict)
    }

    /// Records that the process ended before it had read everything. So it cannot have started its task, unless the
    /// unread part was a request to stop it.
    pub(crate) fn ended_before_reading(&mut self) {
        let Some(sequence) = self.in_flight.front().map(|task| task.sequence) else { return };
        if self.claims().is_none() && sequence != self.asked_to_stop {
            self.unsent = Some(sequence);
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn set_stage(&mut self, stage: Stage) {
        self.stage = stage;
    }
}
