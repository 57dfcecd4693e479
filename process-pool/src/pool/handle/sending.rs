//! Sending requests to a worker.
//!
//! A link takes as much as it has space for. The rest waits here, one request at a time. The thread that gave the task
//! sends a part of it, and so does a thread that polls the worker. What is left waits until the doorbell tells the
//! supervisor that there is space again.

use executor_core::codec::{
    Bytes,
    handles::{Handles, Name},
};

use super::{
    Stage, WorkerHandle,
    backlog::{Backlog, Gates, Sent},
};
use crate::{
    frame::{Request, RequestKind},
    transport::descriptors::Pushed,
};

impl WorkerHandle {
    /// Sends the request of a task that has neither a name nor handles, which most tasks have not. What the link does
    /// not take becomes the backlog.
    pub(super) fn send_plain(&mut self, sequence: u64, head: &[u8; Request::SIZE], body: &[u8]) {
        match self.outbox.send(head, body) {
            Ok(sent) => {
                self.owes_doorbell = true;
                self.bytes_sent += sent as u64;
                if sent < head.len() + body.len() {
                    self.backlog = Some(Backlog::new(sequence, head.to_vec(), None).after(sent));
                }
            }
            Err(_) => self.declare_link_broken(sequence),
        }
    }

    /// Wakes the worker, if it sleeps, after tasks were assigned to it.
    pub(crate) fn ring_owed_doorbell(&mut self) {
        if std::mem::take(&mut self.owes_doorbell) {
            self.outbox.ring_doorbell();
        }
    }

    /// Sends a task's request. The body follows the head and stays in the task.
    pub(super) fn send_task(&mut self, sequence: u64, head: Vec<u8>, gates: Option<Box<Gates>>) {
        self.backlog = Some(Backlog::new(sequence, head, None).with_gates(gates));
        // The rest stays in the backlog, which the caller checks.
        let _ = self.send_backlog();
    }

    /// Sends the initializer's call.
    pub(crate) fn send_initializer(&mut self, request: &Request, body: &[u8], handles: &Handles) {
        let mut head = Vec::new();
        let gates = if handles.is_empty() { None } else { self.carried.announce(handles, &mut head) };
        request.write(&mut head);
        head.extend_from_slice(body);
        self.backlog = Some(Backlog::new(0, head, Some(Bytes::default())).with_gates(gates));
        // As in `send_task`.
        let _ = self.send_backlog();
    }

    /// Notes that the last clone of a handle was dropped. Returns `true` if the worker must be told.
    pub(crate) fn forget(&mut self, name: Name, instance: u64) -> bool {
        self.carried.forget(name, instance)
    }

    /// Returns the names of the handles whose descriptors it was sent.
    pub(crate) fn handle_names(&self) -> Vec<Name> {
        self.carried.names()
    }

    /// Tells the worker which handles to forget, if there are any and the link is free. Returns `true` if it must be
    /// told later.
    pub(crate) fn send_forgets(&mut self) -> bool {
        if !self.carried.must_forget() || self.stage == Stage::Leaving {
            return false;
        }
        // Without claims, a running task sees a request to stop only if it is the next in the socket.
        if self.backlog.is_some() || self.claims().is_none() && !self.in_flight.is_empty() {
            return true;
        }
        let frames = self.carried.forget_frames();
        self.send_bare(frames);
        false
    }

    /// Returns why descriptors could not be sent, if the backlog waits for that.
    pub(crate) fn blocked_descriptors(&self) -> Option<Pushed> {
        self.backlog.as_ref()?.blocked_descriptors()
    }

    /// Tells the worker to leave after it has replied to all its tasks.
    pub(crate) fn retire(&mut self) {
        self.stage = Stage::Leaving;
        self.was_told_to_leave = true;
        if self.has_left_by_itself() {
            return;
        }
        let mut head = Vec::new();
        Request::bare(RequestKind::Retire).write(&mut head);
        self.send_bare(head);
    }

    /// Asks a running task to stop.
    pub(crate) fn ask_to_stop(&mut self, sequence: u64) {
        match self.claims() {
            Some(claims) => claims.ask_to_stop(sequence),
            None => {
                self.stop_request = Some(sequence);
                if self.backlog.is_none() {
                    self.send_stop_request();
                }
            }
        }
    }

    fn send_stop_request(&mut self) {
        let Some(sequence) = self.stop_request.take() else { return };
        if self.find(sequence).is_some() {
            self.asked_to_stop = sequence;
            let mut head = Vec::new();
            Request { sequence, ..Request::bare(RequestKind::Stop) }.write(&mut head);
            self.send_bare(head);
        }
    }

    /// Sends a request that belongs to no task.
    fn send_bare(&mut self, head: Vec<u8>) {
        self.backlog = Some(Backlog::new(0, head, Some(Bytes::default())));
        // As in `send_task`.
        let _ = self.send_backlog();
    }

    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.is_some()
    }

    /// Sends the rest of the requests, as far as there is space.
    pub(crate) fn send_backlog(&mut self) -> Sent {
        let Some(backlog) = &mut self.backlog else { return Sent::All };
        let body = match self.in_flight.back() {
            _ if backlog.orphan.is_some() => &[],
            // It is usually the task that was assigned last.
            Some(task) if task.sequence == backlog.sequence => task.job.body(),
            _ => match self.in_flight.binary_search_by_key(&backlog.sequence, |task| task.sequence) {
                Ok(at) => self.in_flight[at].job.body(),
                Err(_) => &[],
            },
        };
        let before = backlog.bytes_sent();
        let progress = backlog.send(&mut *self.outbox, body);
        self.bytes_sent += (backlog.bytes_sent() - before) as u64;
        match progress {
            Ok(Sent::All) => {
                self.outbox.ring_doorbell();
                if let Some(done) = self.backlog.take() {
                    self.scratch = done.into_memory();
                }
                if self.stop_request.is_some() {
                    self.send_stop_request();
                }
                if self.backlog.is_some() { Sent::Part } else { Sent::All }
            }
            Ok(Sent::Part) => {
                self.outbox.ring_doorbell();
                Sent::Part
            }
            // The worker has died or has overwritten the link. Its death completes its tasks.
            Err(_) => {
                let sequence = backlog.sequence;
                self.backlog = None;
                self.declare_link_broken(sequence);
                Sent::All
            }
        }
    }

    /// Notes that the link is broken, and that the request with this number could not be sent.
    #[cold]
    fn declare_link_broken(&mut self, sequence: u64) {
        self.unsent = Some(sequence);
        self.stop_assigning();
        if self.claims().is_some() {
            self.kill_because("it had written over its link to this program, so it was killed");
        }
        // If a socket takes nothing, its other end was closed, which the poller reports to the supervisor.
    }

    /// Asks for the doorbell when there is space again. Returns `true` if there is space already. A worker that waits
    /// for space for descriptors does not ring for it.
    #[must_use]
    pub(crate) fn request_doorbell_for_space(&mut self) -> bool {
        self.outbox.want_room() && self.blocked_descriptors().is_none()
    }
}
