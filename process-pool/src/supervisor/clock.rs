//! What is due.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Event, Supervisor};
use crate::pool::{Leftovers, Stage};

/// If the supervisor wakes up so much too late, this whole program was stopped, most likely: by `SIGSTOP`, a frozen
/// control group, a machine that was suspended or moved. While workers have tasks it wakes up once a second at least,
/// so that a longer pause is noticed whatever it waits for.
const LATE: Duration = Duration::from_millis(100);

impl Supervisor {
    /// The supervisor has woken up, which it should have done at that time. If this program was stopped meanwhile,
    /// whatever has a deadline gets that much more time.
    pub(super) fn give_back_since(&mut self, due: Instant) {
        let late = due.elapsed();
        if late >= LATE {
            self.pool.state.lock().give_back(due, late);
        }
    }

    pub(super) fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        loop {
            let due = self.pool.state.lock().timers.due(now);
            match due {
                Some(timer) => self.handle(Event::Due(timer)),
                None => return,
            }
        }
    }

    pub(super) fn check_stall(&mut self, unit: usize) {
        let mut leftovers = Leftovers::default();
        self.pool.state.lock().check_stall(unit, Instant::now(), &mut leftovers);
        self.pool.deal_with(leftovers);
    }

    pub(super) fn check_limits(&mut self, unit: usize) {
        // What has ended in time and was not heard yet is not over the limit.
        self.listen(unit);
        let replies = self.pool.with_ear(unit, |ear| ear.is_in_a_reply()) == Some(true);
        let mut leftovers = Leftovers::default();
        let mut state = self.pool.state.lock();
        state.check_limits(unit, Instant::now(), replies, &mut leftovers);
        drop(state);
        self.pool.deal_with(leftovers);
    }

    pub(super) fn end_unanswered(&mut self, unit: usize, sequence: u64) {
        // What has come in time counts.
        self.listen(unit);
        let mut leftovers = Leftovers::default();
        self.pool.state.lock().end_unanswered(unit, sequence, &mut leftovers);
        self.pool.deal_with(leftovers);
    }

    pub(super) fn kill_late(&mut self, unit: usize, generation: u64) {
        let state = self.pool.state.lock();
        if state.units[unit].generation == generation {
            state.units[unit].signal(Signal::KILL);
        }
    }

    pub(super) fn look_for_stop(&mut self, unit: usize, generation: u64) {
        self.listen(unit);
        let Some(in_a_reply) = self.pool.with_ear(unit, |ear| ear.is_in_a_reply()) else { return };
        let mut leftovers = Leftovers::default();
        let mut state = self.pool.state.lock();
        if state.units[unit].generation == generation {
            state.look_for_stop(unit, in_a_reply, Instant::now(), &mut leftovers);
        }
        drop(state);
        self.pool.deal_with(leftovers);
    }

    pub(super) fn check_start(&mut self, unit: usize, generation: u64) {
        let mut state = self.pool.state.lock();
        let place = &mut state.units[unit];
        if place.generation == generation && place.stage == Stage::Starting {
            place.kill_for("it had not answered a minute after its start, so it was killed");
        }
    }
}
