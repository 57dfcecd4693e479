//! Waiting for the end of the parent.

use std::{io, os::fd::OwnedFd, sync::Arc};

use rustix::{
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
    io::Errno,
};

/// The end of the link or of the parent, whichever is seen first.
///
/// An epoll instance watches for it, because `poll` fails if the task has lowered the limit of descriptors below their
/// number here, also in the middle of a wait: it begins anew after the process was stopped.
#[derive(Debug)]
pub(crate) struct HangUp {
    epoll: OwnedFd,
    // They are watched as long as they are open.
    _socket: Arc<OwnedFd>,
    _parent: Option<OwnedFd>,
}

impl HangUp {
    /// Begins to watch the other end of the socket, and the parent, of which this is the descriptor.
    pub(crate) fn of(socket: Arc<OwnedFd>, parent: Option<OwnedFd>) -> io::Result<HangUp> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let data = EventData::new_u64(0);
        // The socket is watched for no event but its end, so that arriving bytes, which this thread does not read, do
        // not wake it.
        epoll::add(&epoll, &*socket, data, EventFlags::empty())?;
        if let Some(parent) = &parent {
            epoll::add(&epoll, parent, data, EventFlags::IN)?;
        }
        Ok(HangUp { epoll, _socket: socket, _parent: parent })
    }

    /// Waits until the other end of the socket is closed, or the parent has ended.
    ///
    /// # Errors
    ///
    /// If this can no longer be watched, because a task has closed a descriptor that it does not own.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }];
        loop {
            match epoll::wait(&self.epoll, &mut events, None) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
