//! The rest of a request that the link did not take.

use std::io;

use executor_core::codec::Bytes;

use crate::transport::Outbox;

/// See the [module](self).
pub(super) struct Backlog {
    /// The task of the request, or 0 if the request belongs to no task.
    pub(super) sequence: u64,
    /// The head and the name.
    head: Vec<u8>,
    sent: usize,
    /// The body of a withdrawn task, which must be sent all the same because the head has announced its length.
    pub(super) orphan: Option<Bytes>,
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
        Backlog { sequence, head, sent: 0, orphan }
    }

    pub(super) fn bytes_sent(&self) -> usize {
        self.sent
    }

    /// Sends the rest, as far as there is space. `body` is the body of the task, unless the task was withdrawn.
    pub(super) fn send(&mut self, outbox: &mut dyn Outbox, body: &[u8]) -> io::Result<Sent> {
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
