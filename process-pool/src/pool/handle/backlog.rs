//! The rest of a request that the link did not take.

use std::{collections::VecDeque, io, os::fd::AsFd};

use executor_core::codec::{Bytes, handles::Handle};

use crate::transport::{
    Outbox,
    descriptors::{Channel, Pushed},
};

/// See the [module](self).
pub(super) struct Backlog {
    /// The task of the request, or 0 if the request belongs to no task.
    pub(super) sequence: u64,
    /// The head and the name.
    head: Vec<u8>,
    sent: usize,
    /// The body of a withdrawn task, which must be sent all the same because the head has announced its length.
    pub(super) orphan: Option<Bytes>,
    /// The descriptors that must be sent before parts of the head.
    gates: Option<Box<Gates>>,
}

/// The messages of descriptors that a request begins with. The frame that announces a message is sent after it, and
/// before the next message, because the socket may be full until the worker has read the frame.
pub(super) struct Gates {
    channel: Channel,
    rest: VecDeque<Gate>,
    is_open: bool,
    blocked: Option<Pushed>,
}

/// One message.
pub(super) struct Gate {
    /// Where the frame that announces it ends in the head.
    pub(super) end: usize,
    pub(super) handles: Vec<Handle>,
}

impl Gates {
    pub(super) fn new(channel: Channel, rest: VecDeque<Gate>) -> Gates {
        Gates { channel, rest, is_open: false, blocked: None }
    }

    /// Returns how many descriptors there are.
    pub(super) fn descriptors(&self) -> usize {
        self.rest.iter().map(|gate| gate.handles.len()).sum()
    }

    /// Sends the messages and the parts of the head up to the last of them, as far as there is space.
    #[cold]
    fn send(&mut self, outbox: &mut dyn Outbox, head: &[u8], sent: &mut usize) -> io::Result<Sent> {
        self.blocked = None;
        while let Some(gate) = self.rest.front() {
            if !self.is_open {
                let descriptors: Vec<_> = gate.handles.iter().map(AsFd::as_fd).collect();
                match self.channel.push(&descriptors)? {
                    Pushed::Yes => self.is_open = true,
                    blocked => {
                        self.blocked = Some(blocked);
                        return Ok(Sent::Part);
                    }
                }
            }
            *sent += outbox.send(head.get(*sent..gate.end).unwrap_or_default(), &[])?;
            if *sent < gate.end {
                return Ok(Sent::Part);
            }
            self.rest.pop_front();
            self.is_open = false;
        }
        Ok(Sent::All)
    }
}

/// How much of a request was sent.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// All of it, or the link is broken.
    All,
    /// A part. The caller asks for the doorbell, or waits for the socket.
    Part,
}

impl Backlog {
    pub(super) fn new(sequence: u64, head: Vec<u8>, orphan: Option<Bytes>) -> Backlog {
        Backlog { sequence, head, sent: 0, orphan, gates: None }
    }

    /// Notes that so many bytes of it were sent.
    pub(super) fn after(mut self, sent: usize) -> Backlog {
        self.sent = sent;
        self
    }

    /// Adds the messages that the head announces.
    pub(super) fn with_gates(mut self, gates: Option<Box<Gates>>) -> Backlog {
        self.gates = gates;
        self
    }

    /// Returns why descriptors could not be sent, if it waits for that.
    pub(super) fn blocked_descriptors(&self) -> Option<Pushed> {
        self.gates.as_ref()?.blocked
    }

    pub(super) fn bytes_sent(&self) -> usize {
        self.sent
    }

    /// Sends the rest, as far as there is space. `body` is the body of the task, unless the task was withdrawn.
    pub(super) fn send(&mut self, outbox: &mut dyn Outbox, body: &[u8]) -> io::Result<Sent> {
        if let Some(gates) = &mut self.gates {
            if gates.send(outbox, &self.head, &mut self.sent)? == Sent::Part {
                return Ok(Sent::Part);
            }
            self.gates = None;
        }
        let body = self.orphan.as_deref().unwrap_or(body);
        let rest_of_head = &self.head[self.sent.min(self.head.len())..];
        let rest_of_body = body.get(self.sent.saturating_sub(self.head.len())..).ok_or(io::ErrorKind::InvalidData)?;
        self.sent += outbox.send(rest_of_head, rest_of_body)?;
        Ok(if self.sent == self.head.len() + body.len() { Sent::All } else { Sent::Part })
    }

    /// Returns the memory of the head for the next request.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.head
    }
}
