//! Starting workers.

use std::{
    io,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind};

use super::{Supervisor, restart::Next, worker_io::WorkerIo};
use crate::{
    pool::{Deferred, ReplyReader, SlotId, Timer},
    start::{self, spawn::Started},
    telemetry,
    trace::{Event, Trace},
};

/// How long a worker may take to become ready before it runs the initializer.
const START_LIMIT: Duration = Duration::from_secs(60);

impl Supervisor {
    /// Starts a worker in a slot that has none.
    pub(crate) fn start(&mut self, slot: SlotId) -> io::Result<()> {
        let name = self.pool.state.lock().slots[slot].name.clone();
        let started = self.blueprint.start(slot.index(), &name)?;
        self.attach(slot, name, started)
    }

    /// Takes over a worker that was started.
    fn attach(&mut self, slot: SlotId, name: String, started: Started) -> io::Result<()> {
        // A worker has the whole reply in memory before it sends it, so its memory limit bounds the reply.
        let longest = self.blueprint.memory_limit.unwrap_or(u64::MAX);
        let (mut io, process, outbox, inbox) = WorkerIo::new(&name, started, self.first_place);
        io.scanner = self.pool.refusal_scanner();
        let pid = process.number();
        let mut reader = ReplyReader::new(inbox, longest);
        if io.report().is_none() {
            reader.keep_for_supervisor();
        }
        reader.set_telemetry(telemetry::Reader::new(io.telemetry(), &name, &self.blueprint.telemetry));
        self.pool.open_reader(slot, reader);
        let mut deferred = Deferred::default();
        let mut state = self.pool.state.lock();
        let worker = state.attach(slot, process, outbox);
        if self.process.is_some() {
            worker.set_leaves_by_itself();
        }
        let id = worker.id();
        state.on_worker_added(slot, Instant::now());
        state.open_channel(slot, io.channel().clone());
        match &self.initializer {
            Some(initializer) => {
                if let Some(worker) = state.worker_mut(slot) {
                    worker.send_initializer(&initializer.request, &initializer.body, &initializer.handles);
                }
            }
            None => {
                state.set_timer(Instant::now() + START_LIMIT, Timer::Start(id));
            }
        }
        state.set_stopped_check(id, Instant::now(), &mut deferred);
        drop(state);
        // The supervisor computes its next deadline before it sleeps, so it need not be woken for the timers.
        drop(deferred);
        let mut trace = Trace::default();
        trace.of_worker(|| Event::Started { worker: name, pid, again: id.is_replacement() });
        self.pool.report(trace);
        let watched = io.watch(&self.pool.poller, slot);
        self.worker_io[slot] = Some(io);
        watched?;
        // A doorbell that rang before the socket was watched was not reported.
        self.unfinished.push_back(slot);
        Ok(())
    }

    /// Starts a worker in a slot that has none, if one is needed.
    pub(super) fn fill(&mut self, slot: SlotId) {
        let is_empty = self.worker_io.get(slot).is_none_or(Option::is_none);
        if !is_empty || !self.pool.state.lock().needs_worker(slot) {
            return;
        }
        if self.worker_io.get(slot).is_none() {
            self.worker_io.grow(slot.index() + 1, |_| None);
            self.restart.set_width(self.worker_io.len());
        }
        let Err(cause) = self.start(slot) else { return };
        // The worker may have been started and could not be watched.
        self.reap(slot);
        match self.restart.on_refused(&cause, self.others_may_serve(slot)) {
            Next::BreakPool => {
                let message = format!(
                    "{} is broken: its last worker is gone, and no other could be started: {cause}{}",
                    self.pool.name,
                    start::advice(&cause)
                );
                self.break_down(&Error::new(ErrorKind::Broken, message));
            }
            Next::StartNow => self.fill_later(slot, Duration::ZERO),
            Next::StartAfter(pause) => self.fill_later(slot, pause),
        }
    }

    /// Schedules the start of a worker in each slot that has none.
    pub(super) fn fill_empty_slots(&mut self) {
        for slot in (0..self.worker_io.len()).map(SlotId::new) {
            if self.worker_io[slot].is_none() {
                self.fill_later(slot, Duration::ZERO);
            }
        }
    }

    /// Starts a worker in a slot after a pause, if one is still needed then.
    pub(super) fn fill_later(&mut self, slot: SlotId, pause: Duration) {
        let mut state = self.pool.state.lock();
        state.slots[slot].waits_for_start = true;
        state.set_timer(Instant::now() + pause, Timer::Restart(slot));
    }

    /// Starts a worker in a slot that has waited for this, if one is still needed.
    pub(super) fn fill_now(&mut self, slot: SlotId) {
        self.pool.state.lock().slots[slot].waits_for_start = false;
        self.fill(slot);
    }
}
