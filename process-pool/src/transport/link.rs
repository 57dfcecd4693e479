//! Making a link in the parent, and attaching to it in the worker.

use std::{io, os::fd::OwnedFd, sync::Arc};

use super::{
    descriptors::Channel,
    ends::{Inbox, Outbox, Port},
    ring::{self, report::Report},
    socket,
};
use crate::sys;

/// How arguments and results travel between this process and its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transport {
    /// Shared memory, with a ring for each direction. Only on Linux: on other systems, and where the system refuses
    /// shared memory, [`Socket`](Transport::Socket) is used instead.
    #[default]
    Ring,
    /// A Unix socket. It works on every Unix system, and costs a few system calls for each task. A worker then has one
    /// task at a time, because the parent alone decides whether a task has started.
    Socket,
}

/// A link to a worker that does not run yet.
pub(crate) struct NewLink {
    /// The parent's end of the socketpair.
    pub(crate) socket: Arc<OwnedFd>,
    pub(crate) outbox: Box<dyn Outbox>,
    pub(crate) inbox: Box<dyn Inbox>,
    /// The parent's end of the channel for descriptors.
    pub(crate) channel: Channel,
    /// The report, or `None` if the system has no memory for it.
    pub(crate) report: Option<Report>,
    pub(crate) worker: WorkerEnd,
}

/// The data by which the worker can [`attach`] to the link.
pub(crate) struct WorkerEnd {
    pub(crate) socket: OwnedFd,
    /// The kind of the link, which may differ from the requested one.
    pub(crate) transport: Transport,
    pub(crate) channel: OwnedFd,
    pub(crate) memory: Option<OwnedFd>,
}

impl NewLink {
    /// Makes a link of this kind, or one through the socket if the system refuses shared memory.
    pub(crate) fn make(transport: Transport) -> io::Result<NewLink> {
        let (socket, worker) = sys::socket::pair()?;
        let socket = Arc::new(socket);
        let (channel, its_channel) = Channel::pair()?;
        let shared = if transport == Transport::Ring { ring::create().ok() } else { None };
        if let Some((file, memory)) = shared {
            let report = Some(memory.report());
            let (outbox, inbox) = memory.parent_ends(socket.clone());
            let (transport, memory) = (Transport::Ring, Some(file));
            let worker = WorkerEnd { socket: worker, transport, channel: its_channel, memory };
            return Ok(NewLink { socket, outbox: Box::new(outbox), inbox: Box::new(inbox), channel, report, worker });
        }
        let (memory, report) = Report::create().ok().unzip();
        let (outbox, inbox) = socket::parent_ends(socket.clone());
        let worker = WorkerEnd { socket: worker, transport: Transport::Socket, channel: its_channel, memory };
        Ok(NewLink { socket, outbox: Box::new(outbox), inbox: Box::new(inbox), channel, report, worker })
    }
}

/// Opens the worker's end of a link from the parts of its [`WorkerEnd`].
pub(crate) fn attach(
    transport: Transport,
    socket: Arc<OwnedFd>,
    memory: Option<OwnedFd>,
) -> io::Result<(Box<dyn Port>, Option<Report>)> {
    match (transport, memory) {
        (Transport::Ring, Some(file)) => {
            let (port, report) = ring::port(file, socket)?;
            Ok((Box::new(port), Some(report)))
        }
        (Transport::Ring, None) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the shared memory did not arrive with the greeting"))
        }
        (Transport::Socket, memory) => {
            Ok((Box::new(socket::port(socket)), memory.and_then(|file| Report::open(file).ok())))
        }
    }
}
