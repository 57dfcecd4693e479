//! Reading the standard error of workers, and forwarding it.
//!
//! It is read only while there is space to forward it, so nothing is lost as long as another process reads this
//! program's own standard error. If the lines go to a function, or nowhere, it is always read, and so is the standard
//! output: a function that is slow does not keep tasks from writing.

use std::time::Instant;

use super::{
    Supervisor,
    worker_io::{Reading, WorkerIo},
};
use crate::{
    forward::STUCK,
    output::Sink,
    pool::{SlotId, Timer, WorkerId},
};

impl Supervisor {
    /// Reads what a worker has written to its standard error.
    pub(super) fn read_stderr(&mut self, slot: SlotId) {
        let is_forwarded = matches!(self.blueprint.stderr.0, Sink::Inherited);
        if is_forwarded && !self.pool.forwarder.wants_more() {
            return self.pause_log(slot);
        }
        let Some(id) = self.pool.state.lock().worker(slot).map(|worker| worker.id()) else { return };
        let Some(io) = &mut self.worker_io[slot] else { return };
        let mut reading = Reading {
            poller: &self.pool.poller,
            forwarder: is_forwarded.then_some(&self.pool.forwarder),
            lines: self.stderr_lines.as_deref(),
            is_due: false,
            worker: id.as_key(),
            buffer: &mut self.logs.buffer,
        };
        io.read_stderr(&mut reading);
        if let (true, Some(lines)) = (reading.is_due, &self.stderr_lines) {
            self.pool.deliver_lines(lines.clone());
        }
        if let Some(due) = io.start_line_timer() {
            self.pool.state.lock().set_timer(due, Timer::Line(id));
        }
    }

    /// Reads the rest of the standard error of a worker that has ended.
    pub(super) fn read_last_stderr(&mut self, id: WorkerId) {
        let is_forwarded = matches!(self.blueprint.stderr.0, Sink::Inherited);
        let Some(io) = &mut self.worker_io[id.slot] else { return };
        let mut reading = Reading {
            poller: &self.pool.poller,
            forwarder: is_forwarded.then_some(&self.pool.forwarder),
            lines: self.stderr_lines.as_deref(),
            is_due: false,
            worker: id.as_key(),
            buffer: &mut self.logs.buffer,
        };
        io.read_last_stderr(&mut reading);
        if let (true, Some(lines)) = (reading.is_due, &self.stderr_lines) {
            self.pool.deliver_lines(lines.clone());
        }
    }

    /// Reads what a worker has written to its standard output.
    pub(super) fn read_stdout(&mut self, slot: SlotId) {
        self.read_stdout_with(slot, |io, reading| {
            io.read_stdout(reading);
        });
    }

    /// Reads the rest of the standard output of a worker that has ended.
    pub(super) fn read_last_stdout(&mut self, id: WorkerId) {
        self.read_stdout_with(id.slot, WorkerIo::read_last_stdout);
    }

    fn read_stdout_with(&mut self, slot: SlotId, read: impl FnOnce(&mut WorkerIo, &mut Reading<'_>)) {
        let (Some(lines), Some(io)) = (&self.stdout_lines, &mut self.worker_io[slot]) else { return };
        let mut reading = Reading {
            poller: &self.pool.poller,
            forwarder: None,
            lines: Some(lines),
            is_due: false,
            worker: (slot.index(), 0),
            buffer: &mut self.logs.buffer,
        };
        read(io, &mut reading);
        if reading.is_due {
            self.pool.deliver_lines(lines.clone());
        }
    }

    /// Forwards an unfinished line, if its time is over.
    pub(super) fn flush_line(&mut self, id: WorkerId) {
        let is_there = self.pool.state.lock().worker_by_id(id).is_some();
        let Some(io) = self.worker_io[id.slot].as_mut().filter(|_| is_there) else { return };
        if let Some(due) = io.flush_line(id.as_key(), &self.pool.forwarder) {
            self.pool.state.lock().set_timer(due, Timer::Line(id));
        }
    }

    /// Stops reading a worker's standard error until there is space for it.
    fn pause_log(&mut self, slot: SlotId) {
        if let Some(io) = &mut self.worker_io[slot] {
            io.unwatch_stderr(&self.pool.poller);
            self.logs.paused.push(slot);
        }
        self.set_logs_timer();
    }

    /// Sets a timer to check paused logs: if nothing reads this program's standard error for a while, the forwarder
    /// drops what does not fit, and nothing else reports that.
    fn set_logs_timer(&mut self) {
        if !self.logs.paused.is_empty() && !std::mem::replace(&mut self.logs.timer_is_set, true) {
            self.pool.state.lock().set_timer(Instant::now() + STUCK, Timer::Logs);
        }
    }

    pub(super) fn check_paused_logs(&mut self) {
        self.logs.timer_is_set = false;
        self.resume_logs();
        self.set_logs_timer();
    }

    /// Reads paused logs again, if there is space.
    pub(super) fn resume_logs(&mut self) {
        if self.logs.paused.is_empty() || !self.pool.forwarder.wants_more() {
            return;
        }
        for slot in std::mem::take(&mut self.logs.paused) {
            let watched = self.worker_io[slot].as_mut().map(|io| io.watch_stderr(&self.pool.poller, slot));
            if let Some(Err(_)) = watched {
                // The system lacks memory. The next timer tries again.
                self.logs.paused.push(slot);
            }
        }
        self.set_logs_timer();
    }
}
