//! The link through the socketpair alone.
//!
//! Worker and parent share no claims, so the parent alone decides whether a task has started: it sends a worker one
//! task at a time, and the task starts when it is sent.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use super::{
    claims::Claims,
    ends::{Inbox, Outbox, Port},
};
use crate::{
    frame::{Request, RequestKind},
    sys::{descriptors::has_unread, pipe::bytes_in_pipe, socket},
};

/// Returns the parent's two ends.
pub(crate) fn parent_ends(socket: Arc<OwnedFd>) -> (SocketOutbox, SocketInbox) {
    (SocketOutbox(socket.clone()), SocketInbox(socket))
}

/// Returns the worker's end.
pub(crate) fn port(socket: Arc<OwnedFd>) -> SocketPort {
    SocketPort { socket, buffer: Vec::new() }
}

/// The sending end.
pub(crate) struct SocketOutbox(Arc<OwnedFd>);

impl Outbox for SocketOutbox {
    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < first.len() + second.len() {
            let first_rest = &first[sent.min(first.len())..];
            let second_rest = &second[sent.saturating_sub(first.len())..];
            match socket::send_both_now(&*self.0, first_rest, second_rest)? {
                Some(count) => sent += count,
                None => break,
            }
        }
        Ok(sent)
    }

    fn ring_doorbell(&mut self) {}

    fn want_room(&mut self) -> bool {
        // The supervisor polls the socket for room.
        false
    }

    fn is_unread(&self) -> bool {
        has_unread(self.0.as_fd())
    }

    fn claims(&self) -> Option<&dyn Claims> {
        None
    }
}

/// Appends up to `most` bytes that `receive` puts into a buffer, and returns how many bytes it has appended. The buffer
/// is the end of the vector, because a buffer on the stack would be a large part of a small stack.
fn append(into: &mut Vec<u8>, most: usize, receive: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
    /// The most that one call receives.
    const PIECE: usize = 64 << 10;
    /// The most that one call receives into a vector without capacity.
    const FIRST: usize = 4 << 10;
    let start = into.len();
    let room = (into.capacity() - start).clamp(FIRST, PIECE);
    into.resize(start + most.min(room), 0);
    let received = receive(&mut into[start..]);
    into.truncate(start + received.as_ref().map_or(0, |count| *count));
    received
}

/// The receiving end.
pub(crate) struct SocketInbox(Arc<OwnedFd>);

impl Inbox for SocketInbox {
    fn receive(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        append(into, most, |buffer| self.receive_in(buffer))
    }

    fn receive_in(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match socket::receive_now(&*self.0, into)? {
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count.unwrap_or(0)),
        }
    }

    fn drain_doorbell(&mut self) {}

    fn arm(&mut self) -> bool {
        // The socket stays readable as long as something is in it.
        true
    }

    fn can_disarm(&self) -> bool {
        false
    }

    fn disarm(&mut self) -> bool {
        false
    }

    fn has_something(&self) -> bool {
        // This does not peek, which would take an error out of the socket that the supervisor must see.
        bytes_in_pipe(self.0.as_fd()).is_some_and(|bytes| bytes > 0)
    }
}

/// The worker's end.
pub(crate) struct SocketPort {
    socket: Arc<OwnedFd>,
    /// Bytes that were written and not yet sent, so that a frame of several pieces is one system call.
    buffer: Vec<u8>,
}

/// From this size on, waiting for more bytes to send in the same call gains nothing.
const FLUSH_AT: usize = 64 * 1024;

impl SocketPort {
    fn flush(&mut self) -> io::Result<()> {
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            let count = socket::send(&*self.socket, rest)?;
            rest = &rest[count..];
        }
        self.buffer.clear();
        Ok(())
    }

    fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        match socket::receive(&*self.socket, into)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

impl Port for SocketPort {
    fn read(&mut self, into: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < into.len() {
            filled += self.receive(&mut into[filled..])?;
        }
        Ok(())
    }

    fn read_to(&mut self, into: &mut Vec<u8>, count: usize) -> io::Result<()> {
        let mut missing = count;
        while missing > 0 {
            missing -= append(into, missing, |buffer| self.receive(buffer))?;
        }
        Ok(())
    }

    fn write(&mut self, first: &[u8], second: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(first);
        self.buffer.extend_from_slice(second);
        if self.buffer.len() >= FLUSH_AT { self.flush() } else { Ok(()) }
    }

    fn ring_doorbell(&mut self) -> io::Result<()> {
        self.flush()
    }

    fn hand_over(&mut self) -> io::Result<()> {
        self.flush()
    }

    fn start(&mut self, _: u64) -> io::Result<bool> {
        Ok(true)
    }

    fn advance(&mut self, _: u64, _: u64) -> bool {
        // The parent learns of an item's end only by its outcome.
        true
    }

    fn finish(&mut self, _: u64, _: u64) -> bool {
        true
    }

    fn note_time(&mut self) {}

    fn stop_probe(&self) -> Arc<dyn Fn(u64) -> bool + Send + Sync> {
        let end = self.socket.clone();
        // While a task runs, the parent sends nothing else, so the request is the next in the socket. It stays there.
        Arc::new(move |sequence| {
            let mut head = [0; Request::SIZE];
            let came = socket::peek_now(&*end, &mut head).is_ok_and(|count| count == Some(head.len()));
            came && Request::read(&head)
                .is_some_and(|request| request.kind == RequestKind::Stop && request.sequence == sequence)
        })
    }
}
