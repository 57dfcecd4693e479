//! What a unit has to say to its worker, and what of it is still to be sent.
//!
//! A link takes as much as there is room for. The rest waits here, one request at a time, until the supervisor hears
//! that there is room again.

use std::io;

use executor_core::codec::Bytes;

use super::{Stage, Unit};
use crate::{
    frame::{Request, RequestKind},
    transport::Outbox,
};

/// A request of which a part is still to be sent.
pub(super) struct Backlog {
    pub(super) sequence: u64,
    /// The head and the name.
    head: Vec<u8>,
    sent: usize,
    /// The body, if the flight has left: the worker was promised that many bytes.
    pub(super) orphan: Option<Bytes>,
}

impl Unit {
    /// Sends a task's request; the body follows the head, and stays in the flight.
    pub(super) fn send(&mut self, sequence: u64, head: Vec<u8>) {
        self.backlog = Some(Backlog { sequence, head, sent: 0, orphan: None });
        self.pump();
    }

    /// Sends the initializer's call.
    pub(crate) fn send_initializer(&mut self, request: &Request, body: &[u8]) {
        let mut head = Vec::new();
        request.write(&mut head);
        head.extend_from_slice(body);
        self.send_bare(head);
    }

    /// Tells it to leave, once it has answered everything.
    pub(crate) fn retire(&mut self) {
        self.stage = Stage::Leaving;
        self.was_let_go = true;
        let mut head = Vec::new();
        Request::bare(RequestKind::Retire).write(&mut head);
        self.send_bare(head);
    }

    /// Asks a task that runs to stop.
    pub(crate) fn ask_to_stop(&mut self, sequence: u64) {
        match self.claims() {
            Some(claims) => claims.ask_to_stop(sequence),
            None => {
                self.stop = Some(sequence);
                if self.backlog.is_none() {
                    self.send_stop();
                }
            }
        }
    }

    fn send_stop(&mut self) {
        if let Some(sequence) = self.stop.take()
            && self.flight(sequence).is_some()
        {
            self.stopped = sequence;
            let mut head = Vec::new();
            Request { sequence, ..Request::bare(RequestKind::Stop) }.write(&mut head);
            self.send_bare(head);
        }
    }

    /// Sends a request that is no task's.
    fn send_bare(&mut self, head: Vec<u8>) {
        self.backlog = Some(Backlog { sequence: 0, head, sent: 0, orphan: Some(Bytes::default()) });
        self.pump();
    }

    /// Sends what is still to be sent, as far as there is room. True: some is left, and the link has no bell for room
    /// of its own, so look again when the socket takes more.
    pub(crate) fn pump(&mut self) -> bool {
        let (Some(backlog), Some(outbox)) = (&mut self.backlog, &mut self.outbox) else { return false };
        let body = match &backlog.orphan {
            Some(body) => body,
            // Mostly it was given a moment ago.
            None => match self.flights.back() {
                Some(flight) if flight.sequence == backlog.sequence => flight.job.body(),
                _ => match self.flights.binary_search_by_key(&backlog.sequence, |flight| flight.sequence) {
                    Ok(at) => self.flights[at].job.body(),
                    Err(_) => &[],
                },
            },
        };
        let before = backlog.sent;
        let sent = send_parts(&mut **outbox, &backlog.head, body, &mut backlog.sent);
        self.bytes_sent += (backlog.sent - before) as u64;
        match sent {
            Ok(true) => {
                outbox.ring_bell();
                if let Some(done) = self.backlog.take() {
                    self.scratch = done.head;
                }
                self.send_stop();
                self.backlog.is_some()
            }
            Ok(false) => {
                outbox.ring_bell();
                true
            }
            // The worker is gone or has gone wild; its end settles everything.
            Err(_) => {
                self.condemn_link();
                false
            }
        }
    }

    fn condemn_link(&mut self) {
        if let Some(backlog) = self.backlog.take() {
            self.unsent = Some(backlog.sequence);
        }
        self.shun();
        if self.claims().is_some() {
            self.kill_for("it had written over its link to this program, so it was killed");
        }
        // A socket that takes nothing is closed at the other end, and the supervisor is going to hear of that.
    }

    /// Asks for the bell when there is room again. True: there is by now.
    pub(crate) fn want_room(&mut self) -> bool {
        self.outbox.as_mut().is_some_and(|outbox| outbox.want_room())
    }
}

/// Sends two parts, of which `sent` bytes have gone before. True: all is sent.
fn send_parts(outbox: &mut dyn Outbox, head: &[u8], body: &[u8], sent: &mut usize) -> io::Result<bool> {
    let rest_of_head = &head[(*sent).min(head.len())..];
    let rest_of_body = body.get(sent.saturating_sub(head.len())..).ok_or(io::ErrorKind::InvalidData)?;
    *sent += outbox.send(rest_of_head, rest_of_body)?;
    Ok(*sent == head.len() + body.len())
}
