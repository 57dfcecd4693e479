//! Messages of descriptors: one byte that has descriptors with it, through a pair of sockets.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};

use super::socket::{CLOSE_ON_EXEC, NO_SIGNAL, take_descriptors};

/// The most descriptors of one message. Linux allows 253.
pub(crate) const MOST: usize = 64;

/// Whether a call waits for the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Wait,
    Now,
}

/// Whether a message was sent.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Yes,
    /// The socket is full. The poller reports when it has space.
    Full,
    /// This user has too many descriptors in sockets. Nothing reports when there are fewer.
    TooMany,
}

/// What a message had.
#[derive(Debug)]
pub(crate) enum Pulled {
    /// The descriptors, as many as were expected.
    All(Vec<OwnedFd>),
    /// The first descriptors, because this process cannot have more.
    Some(Vec<OwnedFd>),
}

/// Sends a message.
pub(crate) fn push(socket: BorrowedFd<'_>, descriptors: &[BorrowedFd<'_>], mode: Mode) -> io::Result<Pushed> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let flags = if mode == Mode::Now { SendFlags::DONTWAIT } else { SendFlags::empty() };
    loop {
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match rustix::net::sendmsg(socket, &[IoSlice::new(&[0])], &mut ancillary, flags | NO_SIGNAL) {
            Ok(_) => return Ok(Pushed::Yes),
            Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(Pushed::Full),
            Err(Errno::TOOMANYREFS) => return Ok(Pushed::TooMany),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes the next message, which must have this many descriptors.
///
/// # Errors
///
/// `InvalidData` if it has another number of descriptors, or if it is not there and the call does not wait.
pub(crate) fn pull(socket: BorrowedFd<'_>, expected: usize, mode: Mode) -> io::Result<Pulled> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = if mode == Mode::Now { RecvFlags::DONTWAIT } else { RecvFlags::empty() };
    let mut byte = [0];
    let received = loop {
        let into = &mut [IoSliceMut::new(&mut byte)];
        match rustix::net::recvmsg(socket, into, &mut ancillary, flags | CLOSE_ON_EXEC) {
            Ok(received) => break received,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(io::ErrorKind::InvalidData.into()),
            Err(error) => return Err(error.into()),
        }
    };
    let descriptors = take_descriptors(&mut ancillary)?;
    // The space is enough for every message that a healthy process sends, so the message is cut short only if no more
    // descriptors can be opened.
    let is_cut = received.flags.contains(ReturnFlags::CTRUNC);
    match descriptors.len() {
        count if count == expected && !is_cut => Ok(Pulled::All(descriptors)),
        count if count < expected && is_cut => Ok(Pulled::Some(descriptors)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        os::{fd::AsFd, unix::net::UnixStream},
    };

    use super::*;

    #[test]
    fn more_descriptors_than_a_message_has_space_for_are_an_error_and_are_closed() {
        let (parent, worker) = super::super::socket::pair().expect("a socketpair");
        let (mut reader, writer) = UnixStream::pair().expect("a pair");
        let many = vec![writer.as_fd(); MOST + 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST + 10))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&many)));
        rustix::net::sendmsg(&worker, &[IoSlice::new(&[0])], &mut ancillary, NO_SIGNAL).expect("sent");
        drop(writer);
        assert!(pull(parent.as_fd(), MOST, Mode::Now).is_err());
        assert!(reader.read(&mut [0]).is_ok_and(|count| count == 0));
    }
}
