//! The channels of `crossbeam-channel`, which stay in one process.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Channel, Message};
use crate::{Outcome, contender::Role};

/// A channel for each direction.
#[derive(Clone, Debug)]
pub struct Crossbeam<M> {
    sender: Sender<M>,
    receiver: Receiver<M>,
}

/// How many messages a channel holds. An unbounded one allocates as it goes.
pub const BOUND: usize = 1024;

impl<M: Message> Channel<M> for Crossbeam<M> {
    const NAME: &'static str = "crossbeam-channel, between threads";
    const ROLE: Role = Role::Peer;
    type Address = Crossbeam<M>;
    type Listening = Crossbeam<M>;

    fn listen() -> Outcome<(Crossbeam<M>, Crossbeam<M>)> {
        let ((sender, theirs), (their_sender, receiver)) = (bounded(BOUND), bounded(BOUND));
        Ok((Crossbeam { sender, receiver }, Crossbeam { sender: their_sender, receiver: theirs }))
    }

    fn accept(listening: Crossbeam<M>) -> Outcome<Crossbeam<M>> {
        Ok(listening)
    }

    fn connect(address: Crossbeam<M>) -> Crossbeam<M> {
        address
    }

    fn send(&mut self, message: &M) {
        self.sender.send(message.clone()).expect("sent");
    }

    fn receive(&mut self) -> M {
        self.receiver.recv().expect("a message")
    }
}
