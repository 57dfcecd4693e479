//! Who gets which task: the only place where that is decided.
//!
//! Tasks start in the order of the queue. A worker whose tasks are short is given several at once, so that it need not
//! wait for the parent between two; the longer they are, the fewer, down to one. What a worker was given and has not
//! started can be taken back at any time, and is, whenever a worker is to be had that has nothing to do, something more
//! urgent comes, or the task before it turns out to be long. So giving several at once changes the speed, and not who
//! starts when, but for neighbours whose turn comes on two workers within a millisecond.

use std::time::{Duration, Instant};

use super::{Phase, State, Unit, job::Job, timers::Timer, unit::Stage};
use crate::trace::Trace;

/// A worker is given tasks for about this long.
const AHEAD: Duration = Duration::from_micros(200);

/// A task that takes longer than this is not short: what waits behind it is taken back.
const LONG: Duration = Duration::from_millis(1);

/// The most tasks that a worker has at once.
const DEEPEST: usize = 512;

/// A worker is given the next tasks too, this part of what it has at once: to look for the one with the least each time
/// would cost more than a short task.
const HELPINGS: usize = 16;

/// A worker that is given so many at once has tasks that take less than it costs to wake another one.
const QUICK: usize = 24;

/// A worker that takes longer than this over a step that takes a working one microseconds may have been stopped.
const STOPPED: Duration = Duration::from_secs(1);

/// A worker that takes longer than this is lost: it has written over what it shares with this program, most likely.
const STUCK: Duration = Duration::from_secs(60);

/// The same where the task is to have an end: it has a time limit, or the pool is being terminated.
const STUCK_AT_THE_END: Duration = Duration::from_secs(5);

/// What dispatching leaves to do, outside of the lock.
#[derive(Default)]
pub(crate) struct Leftovers {
    /// Tasks that were cancelled and whose turn came. They are dropped outside of the lock.
    pub(crate) left: Vec<Job>,
    /// Whether the supervisor has to look: at a new deadline, or at a link that wants room.
    pub(crate) wake_supervisor: bool,
    pub(crate) trace: Trace,
}

impl State {
    /// Gives the waiting tasks to the workers that have room.
    pub(crate) fn dispatch(&mut self, now: Instant, leftovers: &mut Leftovers) {
        if !self.queue.is_empty() {
            self.take_back_from_stalled(now);
            self.take_back_younger();
            self.hand_out(now, leftovers);
        }
        if self.queue.is_empty() {
            self.share(now, leftovers);
        }
    }

    fn hand_out(&mut self, now: Instant, leftovers: &mut Leftovers) {
        while !self.queue.is_empty() {
            let Some(index) = self.best_unit().or_else(|| self.unclogged_unit()) else { return };
            let Some(job) = self.queue.pop(&mut leftovers.left) else { return };
            self.give(index, job, now, leftovers);
        }
    }

    /// The unit that gets the next task: one that has nothing to do, if that is of use, or the one with the least; and
    /// the same again for a helping.
    fn best_unit(&mut self) -> Option<usize> {
        let most = self.limits.max_tasks_per_worker;
        let served = &self.units[self.served];
        if self.helping > 0 && !served.is_idle() && served.has_room(most) {
            self.helping -= 1;
            return Some(self.served);
        }
        let crowded = self.is_crowded();
        let open =
            self.units.iter().enumerate().filter(|(_, unit)| unit.has_room(most) && !(crowded && unit.is_idle()));
        let (best, unit) = open.min_by_key(|(_, unit)| unit.flights().len())?;
        // As long as there are others with nothing to do, they come first.
        let helping = if unit.is_idle() { 0 } else { unit.depth / HELPINGS };
        (self.served, self.helping) = (best, helping);
        Some(best)
    }

    /// Whether every processor has a worker with quick tasks: then another one would only take it from them. That they
    /// are quick is believed for a millisecond, for where a task waits behind another one, somebody looks after that
    /// time. It is not asked where a bounded pool is full: there an idle worker is what lets the next task in.
    fn is_crowded(&self) -> bool {
        if self.units.len() <= self.processors {
            return false;
        }
        let most = self.limits.max_tasks_per_worker;
        let is_quick =
            |unit: &&Unit| unit.depth >= QUICK && !unit.is_idle() && (unit.waiting() > 0 || unit.has_room(most));
        self.units.iter().filter(is_quick).count() >= self.processors
            && self.limits.queue_capacity.is_none_or(|capacity| self.waiting() < capacity)
    }

    /// As [`best_unit`](State::best_unit), where the first look found none. It also has those ring that have nothing in
    /// the way but tasks that were withdrawn.
    fn unclogged_unit(&mut self) -> Option<usize> {
        let asked = self.units.iter_mut().filter_map(|unit| unit.asks_for_slot().then_some(())).count();
        // The worker may have got past them before it could see that somebody wants to know.
        if asked > 0 { self.best_unit() } else { None }
    }

    fn give(&mut self, index: usize, job: Job, now: Instant, leftovers: &mut Leftovers) {
        let limit = job.time_limit;
        if self.units[index].give(index, job, now, &mut leftovers.left).is_none() {
            self.queue.popped_in_vain();
            return;
        }
        self.note_backlog(index, leftovers);
        let unit = &mut self.units[index];
        leftovers.trace.of_task(|| unit.assigned_last());
        if unit.waiting() > 0 && unit.stall_due.is_none() {
            self.watch_stall(index, now + LONG, leftovers);
        }
        self.watch_for_stop(index, now, leftovers);
        // A limit too long to be told apart from "for ever" is none.
        if let Some(at) = limit.and_then(|limit| now.checked_add(limit)) {
            self.watch_limit(index, at, leftovers);
        }
    }

    /// Leaves what was not sent at once to the supervisor, who asks for the bell that tells of room, and hears it.
    pub(super) fn note_backlog(&mut self, index: usize, leftovers: &mut Leftovers) {
        if self.units[index].has_backlog() {
            self.backlogged.push(index);
            leftovers.wake_supervisor = true;
        }
    }

    /// Nothing waits in the queue: workers with nothing to do get up to half of what waits behind another's task. No
    /// more than any one of them takes at once, for the rest would go back behind what is younger.
    fn share(&mut self, now: Instant, leftovers: &mut Leftovers) {
        while !self.is_crowded() {
            let most = self.limits.max_tasks_per_worker;
            let idle = self.units.iter().filter(|unit| unit.is_idle() && unit.has_room(most));
            let room = idle.map(|unit| unit.depth).min().unwrap_or(0);
            let busiest = self.units.iter().enumerate().max_by_key(|(_, unit)| unit.waiting());
            let Some((index, waiting)) = busiest.map(|(index, unit)| (index, unit.waiting())) else { return };
            if room == 0 || waiting == 0 {
                return;
            }
            if self.take_back(index, room.min(waiting.div_ceil(2)), |_| true) == 0 {
                // The worker has started them all meanwhile.
                return;
            }
            self.helping = 0;
            self.hand_out(now, leftovers);
        }
    }

    /// What waits behind a task that turned out to be long goes back to the queue, and nothing more goes there.
    fn take_back_from_stalled(&mut self, now: Instant) {
        for index in 0..self.units.len() {
            let unit = &self.units[index];
            // Once for each long task.
            let is_known = unit.depth == 1 && unit.waiting() == 0;
            if !unit.flights().is_empty() && !is_known && unit.stalled(now) > LONG {
                self.was_long(index);
            }
        }
    }

    /// A worker's task turned out to be long: what waits behind it goes back to the queue, and of the others nobody
    /// knows any more whether theirs are quick.
    fn was_long(&mut self, index: usize) {
        for unit in &mut self.units {
            unit.depth = unit.depth.min(QUICK - 1);
        }
        let unit = &mut self.units[index];
        unit.depth = 1;
        // A task that is alone there may be on its way still, and long only in that.
        if unit.waiting() > 0 {
            self.returned |= self.take_back(index, usize::MAX, |_| true) > 0;
        }
    }

    /// Where older tasks have come back into the queue, the younger ones come back too, so that they do not start
    /// before.
    fn take_back_younger(&mut self) {
        if !std::mem::take(&mut self.returned) {
            return;
        }
        let Some((priority, number)) = self.queue.front() else { return };
        for index in 0..self.units.len() {
            self.take_back(index, usize::MAX, |job| {
                job.rank() < priority || job.rank() == priority && job.number > number
            });
        }
    }

    /// Looks whether a worker is stuck with what others could begin with.
    pub(crate) fn check_stall(&mut self, index: usize, now: Instant, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        unit.stall_due = None;
        if unit.waiting() == 0 {
            return;
        }
        let left = LONG.saturating_sub(unit.stalled(now));
        if left.is_zero() {
            self.was_long(index);
            self.dispatch(now, leftovers);
        } else {
            self.watch_stall(index, now + left, leftovers);
        }
    }

    fn watch_stall(&mut self, index: usize, at: Instant, leftovers: &mut Leftovers) {
        self.units[index].stall_due = Some(at);
        leftovers.wake_supervisor |= self.set_timer(at, Timer::Stall { unit: index });
    }

    /// Sees to it that somebody looks whether a worker that has something to do was stopped, as by `SIGSTOP`: the
    /// system tells that only to those who ask.
    pub(crate) fn watch_for_stop(&mut self, index: usize, now: Instant, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        if !std::mem::replace(&mut unit.look_is_due, true) {
            let timer = Timer::Look { unit: index, generation: unit.generation };
            leftovers.wake_supervisor |= self.set_timer(now + STOPPED, timer);
        }
    }

    /// Kills a worker that was stopped, or does not go on, when it has a step to make that is no task's: whoever waits
    /// for that would wait for ever. What it has not begun is run elsewhere. `in_a_reply` says that a part of a reply
    /// of its has come.
    pub(crate) fn look_for_stop(&mut self, index: usize, in_a_reply: bool, now: Instant, leftovers: &mut Leftovers) {
        let unit = &mut self.units[index];
        // A worker that has no task and is to leave keeps no one waiting for long.
        let is_ending = self.phase == Phase::Terminating || self.phase > Phase::Open && unit.flights().is_empty();
        let is_limited = unit.flights().front().is_some_and(|flight| flight.job.time_limit.is_some());
        let patience = if is_ending || is_limited || unit.is_to_skip() { STUCK_AT_THE_END } else { STUCK };
        unit.look_is_due = false;
        if (in_a_reply || unit.owes_a_step()) && unit.is_stopped() {
            unit.kill_for("it was stopped by a signal and not continued, so it was killed");
        } else if unit.stage != Stage::Starting && unit.owes_a_step() && unit.stands_still(now) > patience {
            unit.kill_for(
                "it did not begin with its task, or did not send its result, for far too long, so it was killed",
            );
        } else if unit.stage == Stage::Starting || !unit.flights().is_empty() || unit.owes_a_step() {
            self.watch_for_stop(index, now, leftovers);
        }
    }

    /// Something more urgent has come: what is less urgent and has not started goes back to the queue.
    pub(crate) fn make_way_for(&mut self, priority: i32) {
        for index in 0..self.units.len() {
            self.take_back(index, usize::MAX, |job| job.rank() < priority);
        }
    }

    /// Takes tasks that have not started back into the queue, the oldest of them, and answers how many.
    pub(super) fn take_back(&mut self, index: usize, most: usize, wanted: impl Fn(&Job) -> bool) -> usize {
        let unit = &mut self.units[index];
        let waiting = unit.flights().iter().filter(|flight| !unit.has_started(flight.sequence) && wanted(&flight.job));
        let chosen: Vec<u64> = waiting.map(|flight| flight.sequence).take(most).collect();
        let mut count = 0;
        // The youngest first: a worker that comes to them meanwhile starts the oldest, and none before it.
        for sequence in chosen.into_iter().rev() {
            if let Some(job) = unit.withdraw(sequence, false) {
                job.task.recall();
                self.queue.put_back(job);
                count += 1;
            }
        }
        count
    }

    /// A worker has answered `count` tasks in `time`: from that follows how many it is given at once. If it was idle
    /// before, waking it is a part of that time, and so it says nothing against short tasks.
    pub(crate) fn adapt_depth(&mut self, index: usize, count: usize, time: Duration, was_idle: bool) {
        let unit = &mut self.units[index];
        let each = time / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let wanted = match each {
            long if long > LONG => 1,
            short => (AHEAD.as_nanos() / short.as_nanos().max(1)) as usize + 2,
        };
        let wanted = if was_idle && wanted > 1 { wanted.max(unit.depth) } else { wanted };
        // Growing step by step: the first measurement of a fast worker is mostly the time until somebody looked.
        unit.depth = wanted.min(unit.depth * 2).clamp(1, DEEPEST);
    }

    /// How many accepted tasks have not started, as far as is known: this is what `queue_capacity` bounds.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len() + self.units.iter().map(super::unit::Unit::waiting).sum::<usize>()
    }
}
