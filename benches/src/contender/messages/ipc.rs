//! The channels of `ipc-channel`.

use std::fmt;

use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};

use super::{Channel, Message};
use crate::{Outcome, contender::Role};

/// A channel for each direction.
pub struct Ipc<M> {
    sender: IpcSender<M>,
    receiver: IpcReceiver<M>,
}

/// What the other end sends first: the ends for this one.
type Ends<M> = (IpcSender<M>, IpcReceiver<M>);

impl<M: Message> Channel<M> for Ipc<M> {
    const NAME: &'static str = "ipc-channel";
    const ROLE: Role = Role::Peer;
    type Address = String;
    type Listening = IpcOneShotServer<Ends<M>>;

    fn listen() -> Outcome<(IpcOneShotServer<Ends<M>>, String)> {
        Ok(IpcOneShotServer::new()?)
    }

    fn accept(listening: IpcOneShotServer<Ends<M>>) -> Outcome<Ipc<M>> {
        let (_, (sender, receiver)) = listening.accept()?;
        Ok(Ipc { sender, receiver })
    }

    fn connect(address: String) -> Ipc<M> {
        let (sender, theirs) = ipc::channel().expect("a channel");
        let (their_sender, receiver) = ipc::channel().expect("a channel");
        let server = IpcSender::<Ends<M>>::connect(address).expect("the server waits");
        server.send((their_sender, theirs)).expect("sent");
        Ipc { sender, receiver }
    }

    fn send(&mut self, message: &M) {
        self.sender.send(message.clone()).expect("sent");
    }

    fn receive(&mut self) -> M {
        self.receiver.recv().expect("a message")
    }
}

impl<M> fmt::Debug for Ipc<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ipc").finish_non_exhaustive()
    }
}
