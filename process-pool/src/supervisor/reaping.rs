//! The death of a worker: its process is reaped, its tasks fail or are queued again, and its slot is filled again.

use std::{process::ExitStatus, time::Instant};

use executor_core::{
    Error,
    codec::handles::{self, Name},
};

use super::{
    Supervisor,
    reading::{broken_by_start, is_reset},
    restart::{Life, Next},
};
use crate::{
    death::{Death, Signs},
    pool::{DeathRecord, Dying, EndedProcess, SlotId},
    sys::signals::Signal,
};

/// The pool's knowledge of a worker's death.
pub(super) struct Reaped {
    death: Death,
    life: Life,
    /// Why the worker could not become ready, if it has reported that.
    declined: Option<Error>,
}

impl Supervisor {
    /// Reaps a worker, and starts another in its slot if that is useful.
    pub(super) fn reap_and_replace(&mut self, slot: SlotId) {
        let Some(reaped) = self.reap(slot) else { return };
        if let Some(process) = &self.process {
            // No other worker takes its place, so this is also the end of a function that has not started.
            let error = reaped.death.error(&process.task);
            return self.break_down(&error);
        }
        match self.restart.on_death(reaped.life, self.others_may_serve(slot)) {
            Next::StartNow => self.fill(slot),
            Next::StartAfter(pause) => self.fill_later(slot, pause),
            Next::BreakPool => {
                let reason = match &reaped.declined {
                    Some(error) => broken_by_start(&self.pool.name, error),
                    None => reaped.death.broken(&self.pool.name),
                };
                self.break_down(&reason);
            }
        }
    }

    /// Kills a worker unless it has ended by itself, reaps it, and decides the fate of its tasks. Returns `None` if the
    /// slot has no worker.
    pub(super) fn reap(&mut self, slot: SlotId) -> Option<Reaped> {
        let dying = self.pool.state.lock().begin_death(slot)?;
        self.end_process(&dying);
        self.read_last_replies(slot);
        self.read_last_telemetry(slot);
        self.pool.close_reader(slot);
        let (ended, declined) = self.collect_end(&dying)?;
        let step = self.pool.state.lock().on_death(slot, ended, Instant::now());
        let (record, deferred) = step?;
        if let Some(process) = &self.process {
            process.ending.set(record.death.status);
        }
        self.pool.perform(deferred);
        tell_of_end(&record.handles);
        let life = life_of(&record, dying.was_starting, declined.is_some());
        Some(Reaped { death: record.death, life, declined })
    }

    /// Ends the process and all processes that its tasks have started. Its process group can still be named, because
    /// the process is not reaped yet.
    fn end_process(&self, dying: &Dying) {
        dying.process.signal(Signal::KILL);
        if let Some(group) = &self.blueprint.group {
            group.end(dying.id.slot.index());
        }
    }

    /// Reads the replies that the worker sent before it died. They count like any other.
    fn read_last_replies(&mut self, slot: SlotId) {
        // A link holds less than this, but programs that tasks have started may have the worker's end of it and keep
        // sending.
        const MOST: usize = 16 << 20;
        let mut bytes = 0;
        while bytes < MOST {
            let pool = &self.pool;
            match pool.with_reader(slot, |reader| pool.receive(slot, reader)) {
                Some(Ok(received)) if received.bytes > 0 => {
                    bytes += received.bytes;
                    self.apply(slot, received);
                }
                Some(Err(error)) if is_reset(&error) => {
                    if let Some(worker) = self.pool.state.lock().worker_mut(slot) {
                        worker.ended_before_reading();
                    }
                    return;
                }
                _ => return,
            }
        }
    }

    /// Collects what the worker has left behind, and reaps its process.
    fn collect_end(&mut self, dying: &Dying) -> Option<(EndedProcess, Option<Error>)> {
        self.read_last_stderr(dying.id);
        self.read_last_stdout(dying.id);
        let mut io = self.worker_io[dying.id.slot].take()?;
        io.unwatch(&self.pool.poller, dying.id.slot);
        let ended = EndedProcess {
            pid: dying.process.number(),
            status: self.reap_process(dying),
            signs: Signs::of(io.report()),
            stderr_tail: io.stderr_of_last_task(),
            out_of_memory: self.memory_kills.take_new(),
        };
        if let Some(directory) = io.directory.take() {
            self.pool.remove(directory);
        }
        Some((ended, io.declined))
    }

    /// Reaps the process and returns its exit status. A process of its own has promised its exit code, so the system is
    /// asked once more if something else has reaped it.
    fn reap_process(&self, dying: &Dying) -> Option<ExitStatus> {
        let status = dying.process.reap();
        if status.is_none() && self.process.is_some() { dying.process.status_after_reaping() } else { status }
    }
}

/// Tells the objects whose descriptors a worker had that its process is gone, so that threads which wait for what the
/// process held go on immediately.
fn tell_of_end(handles: &[Name]) {
    for handle in handles.iter().filter_map(|name| handles::find(*name)) {
        handle.receiver_ended();
    }
}

/// Summarizes a worker's life, as far as it matters for the next one.
fn life_of(record: &DeathRecord, was_starting: bool, has_declined: bool) -> Life {
    let died_before_ready = was_starting && !record.was_ready;
    match () {
        () if record.was_terminated || record.was_told_to_leave => Life::Served,
        () if has_declined => Life::Declined,
        () if died_before_ready && record.death.was_killed_from_outside() => Life::Killed,
        () if died_before_ready => Life::Failed,
        () if record.was_useless => Life::Useless,
        () => Life::Served,
    }
}
