//! The lane as a socket pair.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use executor_core::{
    codec::handles::{Handle, Handles, Name},
    confinement,
};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, sendmsg, socketpair,
    },
};

use super::{MOST_HANDLES, Sent};
use crate::sys::{self, File};

/// Both ends, because every process can put and get.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) front: File,
    pub(crate) back: File,
}

impl Lane {
    pub(crate) fn new() -> io::Result<Lane> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (front, back) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok(Lane { front: Handle::new(front), back: Handle::new(back) })
    }

    pub(crate) fn received(front: File, back: File) -> Lane {
        Lane { front, back }
    }

    /// Adds the packet of an item.
    pub(crate) fn send(&self, ticket: u64, handles: &Handles) -> io::Result<Sent> {
        confinement::check()?;
        let files: Vec<BorrowedFd<'_>> = handles.iter().map(|handle| handle.as_fd()).collect();
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_HANDLES))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match sendmsg(&self.back, &[IoSlice::new(&ticket.to_le_bytes())], &mut ancillary, flags) {
            Ok(_) => Ok(Sent::Yes),
            // The system takes no more before some have arrived: here, if there are any, or wherever else this user has
            // descriptors under way.
            Err(Errno::AGAIN | Errno::TOOMANYREFS | Errno::NOBUFS) if sys::has_unreceived(self.back.as_fd()) => {
                Ok(Sent::Full)
            }
            Err(Errno::TOOMANYREFS) => Ok(Sent::TooMany),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the handles of an item, whose packet stays at the front. Removes the packets of the dead before it.
    pub(crate) fn look(&self, ticket: u64, names: &[Name]) -> io::Result<Vec<Handle>> {
        loop {
            let (found, files) = self.front()?;
            if found != ticket {
                self.remove();
            } else if files.len() == names.len() {
                return Ok(names.iter().zip(files).map(|(name, file)| Handle::received(*name, file)).collect());
            } else {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }

    /// Removes the packet at the front, if there is one. Returns `true` if there was.
    pub(crate) fn remove(&self) -> bool {
        recv(&self.front, &mut [0_u8; 8][..], RecvFlags::DONTWAIT).is_ok_and(|(length, _)| length > 0)
    }

    /// Returns the ticket and the descriptors of the packet at the front.
    fn front(&self) -> io::Result<(u64, Vec<OwnedFd>)> {
        let mut ticket = [0; 8];
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_HANDLES))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = match recvmsg(&self.front, &mut [IoSliceMut::new(&mut ticket)], &mut ancillary, flags) {
            Ok(received) if received.bytes == ticket.len() => received,
            // No packet, no ticket, or no lane: another process did not keep to this.
            Ok(_) | Err(Errno::AGAIN) => return Err(io::ErrorKind::InvalidData.into()),
            Err(error) => return Err(error.into()),
        };
        let files = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        let files = files.flatten().collect();
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Errno::MFILE.into());
        }
        Ok((u64::from_le_bytes(ticket), files))
    }
}
