//! A bare pair of sockets, each of whose messages is a packet.

use std::{fmt, marker::PhantomData, os::fd::OwnedFd};

use concurrent_futures::backend::codec::handles::Handle;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use super::{Channel, Message};
use crate::{Outcome, contender::Role};

/// One end of the pair, and space for the longest message.
pub struct SeqPacket<M> {
    socket: Handle,
    space: Vec<u8>,
    messages: PhantomData<M>,
}

/// More than the longest message.
const SPACE: usize = 128 << 10;

impl<M: Message> Channel<M> for SeqPacket<M> {
    const NAME: &'static str = "SEQPACKET socket pair";
    const ROLE: Role = Role::Floor;
    type Address = Handle;
    type Listening = Handle;

    fn listen() -> Outcome<(Handle, Handle)> {
        let (ours, other): (OwnedFd, OwnedFd) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Handle::new(ours), Handle::new(other)))
    }

    fn accept(listening: Handle) -> Outcome<SeqPacket<M>> {
        Ok(Self::connect(listening))
    }

    fn connect(address: Handle) -> SeqPacket<M> {
        SeqPacket { socket: address, space: vec![0; SPACE], messages: PhantomData }
    }

    fn send(&mut self, message: &M) {
        message.with_bytes(|bytes| send(&self.socket, bytes, SendFlags::NOSIGNAL)).expect("sent");
    }

    fn receive(&mut self) -> M {
        let (length, _) = recv(&self.socket, &mut self.space[..], RecvFlags::empty()).expect("a message");
        M::from_bytes(&self.space[..length])
    }
}

impl<M> fmt::Debug for SeqPacket<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeqPacket").field("socket", &self.socket).finish_non_exhaustive()
    }
}
