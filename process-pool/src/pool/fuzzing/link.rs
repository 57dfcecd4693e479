//! The worker's end of a link, controlled by a hostile worker.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use rustix::net::{RecvFlags, SendFlags};

use crate::{
    Transport,
    pool::ReplyReader,
    sys::socket::pair as socketpair,
    transport::{Inbox, Outbox, descriptors::Channel, ring, socket},
};

/// A link with real ends. The parent's sending end belongs to the pool's state.
pub(super) struct HostileLink {
    pub(super) reader: ReplyReader,
    /// The shared memory, if there is one.
    memory: Option<ring::fuzzing::RawAccess>,
    socket: OwnedFd,
    /// The parent's end of the channel for descriptors, and the worker's.
    pub(super) channel: Channel,
    other_end: Channel,
    /// How many bytes the worker has sent.
    pub(super) sent: usize,
}

impl HostileLink {
    pub(super) fn new(transport: Transport) -> (HostileLink, Box<dyn Outbox>) {
        let (parent, worker) = socketpair().expect("a socketpair");
        let parent = Arc::new(parent);
        let (memory, outbox, inbox): (_, Box<dyn Outbox>, Box<dyn Inbox>) = match transport {
            Transport::Ring => {
                let (_, memory) = ring::create().expect("shared memory");
                let access = memory.raw_access();
                let (outbox, inbox) = memory.parent_ends(parent);
                (Some(access), Box::new(outbox), Box::new(inbox))
            }
            Transport::Socket => {
                let (outbox, inbox) = socket::parent_ends(parent);
                (None, Box::new(outbox), Box::new(inbox))
            }
        };
        let reader = ReplyReader::new(inbox, u64::MAX);
        let (channel, other_end) = Channel::pair().expect("a socketpair");
        let other_end = Channel::of(other_end);
        (HostileLink { reader, memory, socket: worker, channel, other_end, sent: 0 }, outbox)
    }

    /// Sends bytes to the parent's receiving end.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.sent += bytes.len();
        match &self.memory {
            Some(memory) => memory.put(bytes),
            None => self.ring(bytes),
        }
    }

    /// Sends a message with this many descriptors, unless the channel is full.
    pub(super) fn send_descriptors(&self, count: usize) {
        // More than `MOST` are refused on this side.
        let _ = self.other_end.push(&vec![self.socket.as_fd(); count]);
    }

    pub(super) fn ring(&self, bytes: &[u8]) {
        let _ = rustix::net::send(&self.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }

    pub(super) fn write_word(&self, offset: usize, value: impl FnOnce(u64) -> u64) {
        if let Some(memory) = &self.memory {
            memory.store(offset, value(memory.load(offset)));
        }
    }

    pub(super) fn write_claim(&self, sequence: u64, item: u64, state: u64) {
        if let Some(memory) = &self.memory {
            let (offset, word) = ring::fuzzing::RawAccess::claim(sequence, item, state);
            memory.store(offset, word);
        }
    }

    /// Takes everything that was sent to the worker, as a healthy worker would.
    pub(super) fn take_requests(&self) {
        match &self.memory {
            Some(memory) => memory.take_all(),
            None => drop(rustix::net::recv(&self.socket, &mut vec![0; 1 << 16], RecvFlags::DONTWAIT)),
        }
    }
}
