//! When the workers' standard error is read, and when not: no more than is passed on, as long as somebody takes that.

use std::time::Instant;

use super::{Supervisor, attendant::Reading};
use crate::{forward::STUCK, pool::Timer, transport::STDERR_AT_ONCE};

/// See the [module](self).
pub(super) struct Logs {
    buffer: Box<[u8]>,
    /// Units whose standard error is not read for now.
    paused: Vec<usize>,
    /// Whether it is going to be looked at whether somebody reads.
    is_watched: bool,
}

impl Logs {
    pub(super) fn new() -> Logs {
        Logs { buffer: vec![0; STDERR_AT_ONCE].into(), paused: Vec::new(), is_watched: false }
    }
}

impl Supervisor {
    /// A worker has written to its standard error.
    pub(super) fn read_stderr(&mut self, unit: usize) {
        if !self.pool.forwarder.wants_more() {
            return self.pause_log(unit);
        }
        let generation = self.pool.state.lock().units[unit].generation;
        let Some(attendant) = &mut self.attendants[unit] else { return };
        attendant.read_stderr(&mut Reading {
            poller: &self.pool.poller,
            forwarder: &self.pool.forwarder,
            worker: (unit, generation),
            buffer: &mut self.logs.buffer,
        });
        if let Some(due) = attendant.begins_to_watch_line() {
            self.pool.state.lock().set_timer(due, Timer::Line { unit, generation });
        }
    }

    /// Reads the rest of what a worker has written, which has ended.
    pub(super) fn read_last_stderr(&mut self, unit: usize) {
        let generation = self.pool.state.lock().units[unit].generation;
        let Some(attendant) = &mut self.attendants[unit] else { return };
        attendant.read_last_stderr(&mut Reading {
            poller: &self.pool.poller,
            forwarder: &self.pool.forwarder,
            worker: (unit, generation),
            buffer: &mut self.logs.buffer,
        });
    }

    /// A line may have had its time.
    pub(super) fn flush_line(&mut self, unit: usize, generation: u64) {
        let is_same = self.pool.state.lock().units[unit].generation == generation;
        if is_same
            && let Some(attendant) = &mut self.attendants[unit]
            && let Some(due) = attendant.flush_line((unit, generation), &self.pool.forwarder)
        {
            self.pool.state.lock().set_timer(due, Timer::Line { unit, generation });
        }
    }

    /// Does not read what a worker writes until there is room for it, or nobody is going to make any.
    fn pause_log(&mut self, unit: usize) {
        if let Some(attendant) = &mut self.attendants[unit] {
            attendant.unwatch_stderr(&self.pool.poller);
            self.logs.paused.push(unit);
        }
        self.watch_paused_logs();
    }

    /// Whoever reads may take nothing for so long that nobody waits any more. Of that nothing else tells.
    fn watch_paused_logs(&mut self) {
        if !self.logs.paused.is_empty() && !std::mem::replace(&mut self.logs.is_watched, true) {
            self.pool.state.lock().set_timer(Instant::now() + STUCK, Timer::Logs);
        }
    }

    pub(super) fn look_at_paused_logs(&mut self) {
        self.logs.is_watched = false;
        self.resume_logs();
        self.watch_paused_logs();
    }

    /// Goes on reading, if there is room again.
    pub(super) fn resume_logs(&mut self) {
        if self.logs.paused.is_empty() || !self.pool.forwarder.wants_more() {
            return;
        }
        for unit in std::mem::take(&mut self.logs.paused) {
            if let Some(attendant) = &mut self.attendants[unit]
                && attendant.watch_stderr(&self.pool.poller, unit).is_err()
            {
                // For want of memory in the system: the next look tries again.
                self.logs.paused.push(unit);
            }
        }
        self.watch_paused_logs();
    }
}
