//! Channels for messages, with an end in another process or thread.

mod crossbeam;
mod ipc;
mod ours;
mod seqpacket;

pub use crossbeam::Crossbeam;
pub use ipc::Ipc;
pub use ours::{Pipe, Queues};
pub use seqpacket::SeqPacket;

use concurrent_futures::Payload;

use super::Role;
use crate::Outcome;

/// A channel for messages in both directions, as one of its ends.
pub trait Channel<M: Message>: Sized + Send + 'static {
    /// The name in reports.
    const NAME: &'static str;
    /// Whether it is ours, a peer or a floor.
    const ROLE: Role;

    /// What the other end connects by.
    type Address: Send;
    /// This end before the other one is connected.
    type Listening: 'static;

    /// Makes a channel.
    ///
    /// # Errors
    ///
    /// If the system refuses a resource.
    fn listen() -> Outcome<(Self::Listening, Self::Address)>;

    /// Waits until the other end is connected.
    ///
    /// # Errors
    ///
    /// If that fails.
    fn accept(listening: Self::Listening) -> Outcome<Self>;

    /// Connects the other end, in another process or thread.
    fn connect(address: Self::Address) -> Self;

    /// Sends a message.
    fn send(&mut self, message: &M);

    /// Receives a message.
    fn receive(&mut self) -> M;
}

/// A message with a number, as a check that it arrives.
pub trait Message: Payload + Clone + Sync {
    /// Makes a message of this size.
    fn of(size: usize) -> Self;

    /// Changes its number.
    fn set(&mut self, number: u64);

    /// Returns its number.
    fn number(&self) -> u64;

    /// Calls `read` with its bytes.
    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R;

    /// Makes the message of these bytes.
    fn from_bytes(bytes: &[u8]) -> Self;
}

/// A message of eight bytes.
impl Message for u64 {
    fn of(_: usize) -> u64 {
        0
    }

    fn set(&mut self, number: u64) {
        *self = number;
    }

    fn number(&self) -> u64 {
        *self
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(&self.to_ne_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> u64 {
        u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))
    }
}

/// A message of eight bytes and more, which begins with its number.
impl Message for Vec<u8> {
    fn of(size: usize) -> Vec<u8> {
        vec![7; size]
    }

    fn set(&mut self, number: u64) {
        self[..8].copy_from_slice(&number.to_ne_bytes());
    }

    fn number(&self) -> u64 {
        u64::from_bytes(&self[..8])
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self)
    }

    fn from_bytes(bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }
}
