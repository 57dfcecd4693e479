//! Reading the replies of workers, and sending the rest of requests.

use std::{
    io,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind};

use super::{Supervisor, worker_io::WorkerIo};
use crate::{
    pool::{AfterRead, Armed, BACKOFF, OnDoorbell, Received, ReplyReader, SlotId, Timer, WorkerHandle},
    transport::descriptors::Pushed,
};

/// How long the supervisor waits between reads while other threads read.
const LONG_BACKOFF: Duration = Duration::from_micros(300);

/// How long it waits if a descriptor cannot be sent for a reason whose end nothing reports: this user has too many
/// descriptors on their way between processes.
const DESCRIPTOR_BACKOFF: Duration = Duration::from_millis(2);

/// How long a process may take to end after its link was closed.
const LINGER: Duration = Duration::from_millis(200);

impl Supervisor {
    /// Handles a doorbell, or the end of a backoff.
    pub(super) fn on_doorbell(&mut self, slot: SlotId) {
        match self.pool.with_reader(slot, ReplyReader::drain_doorbell) {
            Some(OnDoorbell::ReadLater) => self.schedule_read(slot, LONG_BACKOFF),
            Some(OnDoorbell::Read) | None => self.read_replies(slot),
        }
    }

    /// Reads what a worker has sent, up to a bound, and sends the rest of its requests.
    pub(super) fn read_replies(&mut self, slot: SlotId) {
        const ROUNDS: usize = 16;
        let (mut completed, mut left) = (0, 0);
        for _ in 0..ROUNDS {
            let pool = &self.pool;
            match pool.with_reader(slot, |reader| pool.receive(slot, reader)) {
                None => return,
                Some(Ok(received)) if received.bytes > 0 || received.protocol_error => {
                    completed += received.completed;
                    left = received.left;
                    self.apply(slot, received);
                }
                Some(Ok(_)) if pool.spin_in_transfer(slot) => {}
                Some(Ok(_)) => {
                    if self.stop_reading(slot, completed, left) == Armed::Yes {
                        return;
                    }
                }
                // The worker has overwritten the link.
                Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => return self.declare_broken(slot),
                Some(Err(error)) => return self.on_link_closed(slot, &error),
            }
        }
        self.unfinished.push_back(slot);
    }

    /// Makes sure that the next reply is read, after everything was read.
    fn stop_reading(&mut self, slot: SlotId, completed: usize, left: usize) -> Armed {
        let after_read = self.pool.with_reader(slot, |reader| reader.choose_after_read(completed, left));
        let reads_again = after_read == Some(AfterRead::ReadAgain);
        self.send_rest(slot, !reads_again);
        if reads_again {
            self.schedule_read(slot, BACKOFF);
        } else if self.pool.with_reader(slot, ReplyReader::arm) == Some(Armed::MoreHasArrived) {
            return Armed::MoreHasArrived;
        }
        if let Some(Err(error)) = self.worker_io[slot].as_ref().map(WorkerIo::check_link_open) {
            self.on_link_closed(slot, &error);
        }
        Armed::Yes
    }

    /// Applies the parts of a read that are not in the pool's state.
    pub(super) fn apply(&mut self, slot: SlotId, received: Received) {
        if let Some(io) = &mut self.worker_io[slot] {
            io.on_reply();
        }
        if received.became_ready {
            self.pool.notify_sandboxed();
            if self.restart.on_ready() {
                self.fill_empty_slots();
            }
        }
        self.pool.perform(received.deferred);
        if let Some(error) = received.declined {
            self.on_declined(slot, error);
        }
        if received.protocol_error {
            self.declare_broken(slot);
        }
    }

    /// Handles a worker that cannot become ready and is about to leave. The pool breaks if no other worker can serve.
    fn on_declined(&mut self, slot: SlotId, error: Error) {
        if let Some(worker) = self.pool.state.lock().worker_mut(slot) {
            worker.leave();
        }
        if !self.others_may_serve(slot) {
            self.break_down(&broken_by_start(&self.pool.name, &error));
        }
        if let Some(io) = &mut self.worker_io[slot] {
            io.declined = Some(error);
        }
    }

    /// Sends the rest of the requests, and makes sure that what does not fit is sent later.
    pub(super) fn send_rest(&mut self, slot: SlotId, wants_doorbell: bool) {
        let mut state = self.pool.state.lock();
        let (watch, deferred) = state.send_rest(slot, wants_doorbell, Instant::now());
        let blocked = state.worker(slot).and_then(WorkerHandle::blocked_descriptors);
        drop(state);
        self.pool.perform(deferred);
        let Some(io) = &mut self.worker_io[slot] else { return };
        io.watch_socket(&self.pool.poller, slot, watch);
        let is_watched = io.watch_channel(&self.pool.poller, slot, blocked == Some(Pushed::Full));
        if blocked.is_some() && !is_watched {
            self.schedule_read(slot, DESCRIPTOR_BACKOFF);
        }
    }

    /// Handles a link that is closed at the other end. Most likely the process is ending, which the poller is about to
    /// report.
    fn on_link_closed(&mut self, slot: SlotId, error: &io::Error) {
        let Some(io) = &mut self.worker_io[slot] else { return };
        io.unwatch_socket(&self.pool.poller);
        let reports_exit = io.reports_exit();
        let mut state = self.pool.state.lock();
        let Some(worker) = state.worker_mut(slot) else { return };
        if is_reset(error) {
            worker.ended_before_reading();
        }
        if reports_exit {
            worker.stop_assigning();
            let id = worker.id();
            state.set_timer(Instant::now() + LINGER, Timer::LinkClosed(id));
        } else {
            drop(state);
            self.declare_broken(slot);
        }
    }

    /// Kills a worker that has broken the protocol or can no longer be reached. Its death completes its tasks.
    pub(super) fn declare_broken(&mut self, slot: SlotId) {
        let Some(io) = &mut self.worker_io[slot] else { return };
        io.unwatch_socket(&self.pool.poller);
        let reports_exit = io.reports_exit();
        if let Some(worker) = self.pool.state.lock().worker_mut(slot) {
            worker.stop_assigning();
            worker.kill_because("it had closed its link to this program, or written over it, so it was killed");
        }
        if !reports_exit {
            self.reap_and_replace(slot);
        }
    }

    /// Returns `true` if another worker is ready, or was started and has not failed yet.
    pub(super) fn others_may_serve(&self, slot: SlotId) -> bool {
        self.pool.state.lock().others_may_serve(slot)
    }
}

/// Returns `true` if the other end of a socket was closed with unread bytes in it. Not every system reports that.
pub(super) fn is_reset(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

/// Returns the error of a pool that is broken because no worker can serve. `error` is the reason that the last worker
/// reported.
pub(super) fn broken_by_start(pool: &str, error: &Error) -> Error {
    Error::new(
        ErrorKind::Broken,
        format!("{pool} is broken: a worker could not start to serve: {error}. Fix that, and build another pool"),
    )
}
