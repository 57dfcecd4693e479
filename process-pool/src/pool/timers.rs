//! Setting timers, and handling those that are due.

use std::time::{Duration, Instant};

use super::{Deferred, Stage, State, ids::WorkerId, slot::WorkerSlot, timer::Timer};

impl State {
    /// Handles a timer that is due. `is_in_a_reply` tells whether a part of a reply of the worker has arrived. Timers
    /// that need more than the state are handled by the supervisor.
    pub(crate) fn on_timer(&mut self, timer: Timer, is_in_a_reply: bool, now: Instant) -> Deferred {
        match timer {
            Timer::Limit(id) => return self.check_limits(id, is_in_a_reply, now),
            Timer::Stall(id) => return self.check_stall(id, now),
            Timer::Stopped(id) => return self.check_stopped(id, is_in_a_reply, now),
            Timer::NoReply(task) => return self.end_without_reply(task, now),
            Timer::Kill(id) => self.kill(id),
            Timer::Start(id) => self.check_start(id),
            Timer::Trim => self.trim(),
            Timer::Idle => return self.check_idle(now),
            Timer::LinkClosed(_) | Timer::Restart(_) | Timer::Line(_) | Timer::Logs | Timer::Callbacks => {}
        }
        Deferred::default()
    }

    /// Postpones every deadline by `time`. This whole program was stopped at `from` for that long, so nothing could
    /// make progress.
    pub(crate) fn give_back(&mut self, from: Instant, time: Duration) {
        self.timers.postpone(time);
        self.slots.iter_mut().filter_map(WorkerSlot::worker_mut).for_each(|worker| worker.give_back(from, time));
    }

    /// Sets a timer. Returns `true` if it is due before all others, so that the supervisor must be woken.
    pub(crate) fn set_timer(&mut self, at: Instant, timer: Timer) -> bool {
        if self.timers.is_crowded() {
            let slots = &self.slots;
            let worker = |id: WorkerId| {
                let worker = slots.get(id.slot).and_then(WorkerSlot::worker);
                worker.filter(|worker| worker.id() == id && worker.is_alive())
            };
            self.timers.retain(|at, timer| match *timer {
                Timer::Limit(id) => worker(id).is_some_and(|worker| worker.checks.limit == Some(at)),
                Timer::Stall(id) => worker(id).is_some_and(|worker| worker.checks.stall == Some(at)),
                Timer::NoReply(task) => slots
                    .get(task.slot)
                    .and_then(WorkerSlot::worker)
                    .is_some_and(|worker| worker.in_flight().iter().any(|other| other.sequence == task.sequence)),
                Timer::Start(id) => worker(id).is_some_and(|worker| worker.stage() == Stage::Starting),
                Timer::Kill(id) | Timer::Stopped(id) | Timer::LinkClosed(id) | Timer::Line(id) => worker(id).is_some(),
                Timer::Restart(slot) => slots[slot].worker().is_none(),
                Timer::Trim | Timer::Idle | Timer::Logs | Timer::Callbacks => true,
            });
        }
        self.timers.set(at, timer)
    }
}
