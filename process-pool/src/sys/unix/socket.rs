//! Pairs of connected sockets. A call whose name ends in `_now` returns `None` if it would have to wait.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, SocketType,
    },
};

/// Sends without raising `SIGPIPE` if the other end is closed. Apple's systems have no such flag, and [`pair`] sets an
/// option of the sockets there.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// Makes a pair of connected sockets that no other child inherits.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Makes a pair of connected sockets. A child that another thread starts before this returns may inherit them, because
/// these systems cannot make them with `FD_CLOEXEC`.
#[cfg(target_vendor = "apple")]
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)?;
    for end in [&pair.0, &pair.1] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
        rustix::net::sockopt::set_socket_nosigpipe(end, true)?;
    }
    Ok(pair)
}

/// Repeats a call that a signal interrupts.
#[inline(always)]
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// As [`uninterrupted`], for a call that returns `AGAIN` instead of waiting.
#[inline(always)]
fn now<T>(mut call: impl FnMut() -> Result<T, Errno>) -> io::Result<Option<T>> {
    loop {
        match call() {
            Ok(value) => return Ok(Some(value)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends some of these bytes, and waits until it has sent at least one.
#[inline]
pub(crate) fn send(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    uninterrupted(|| rustix::net::send(&socket, bytes, NO_SIGNAL))
}

/// Sends some of these bytes.
#[inline]
pub(crate) fn send_now(socket: impl AsFd, bytes: &[u8]) -> io::Result<Option<usize>> {
    now(|| rustix::net::send(&socket, bytes, SendFlags::DONTWAIT | NO_SIGNAL))
}

/// Sends some of these bytes, which lie in two places.
#[inline]
pub(crate) fn send_both_now(socket: impl AsFd, first: &[u8], second: &[u8]) -> io::Result<Option<usize>> {
    let parts = [IoSlice::new(first), IoSlice::new(second)];
    let flags = SendFlags::DONTWAIT | NO_SIGNAL;
    now(|| rustix::net::sendmsg(&socket, &parts, &mut SendAncillaryBuffer::default(), flags))
}

/// The most descriptors that [`send_with`] sends.
const MOST_ATTACHED: usize = 4;

/// Sends bytes with some descriptors, of which there are at most three. Returns how many bytes it has sent.
pub(crate) fn send_with(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_ATTACHED))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, NO_SIGNAL)?)
}

/// Waits for bytes and receives some. Returns 0 if the other end is closed.
#[inline]
pub(crate) fn receive(socket: impl AsFd, into: &mut [u8]) -> io::Result<usize> {
    uninterrupted(|| rustix::net::recv(&socket, &mut *into, RecvFlags::empty()).map(|(count, _)| count))
}

/// Receives some bytes. Returns 0 if the other end is closed.
#[inline]
pub(crate) fn receive_now(socket: impl AsFd, into: &mut [u8]) -> io::Result<Option<usize>> {
    now(|| rustix::net::recv(&socket, &mut *into, RecvFlags::DONTWAIT).map(|(count, _)| count))
}

/// Waits for bytes and copies some. They stay in the socket.
pub(crate) fn peek(socket: impl AsFd, into: &mut [u8]) -> io::Result<usize> {
    uninterrupted(|| rustix::net::recv(&socket, &mut *into, RecvFlags::PEEK).map(|(count, _)| count))
}

/// Copies some bytes, which stay in the socket. Returns 0 if the other end is closed.
#[inline]
pub(crate) fn peek_now(socket: impl AsFd, into: &mut [u8]) -> io::Result<Option<usize>> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    now(|| rustix::net::recv(&socket, &mut *into, flags).map(|(count, _)| count))
}

/// Receives bytes, and the descriptors that were sent with them. A child does not inherit those.
pub(crate) fn receive_with(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_ATTACHED))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(into)], &mut ancillary, CLOSE_ON_EXEC)?;
    Ok((received.bytes, take_descriptors(&mut ancillary)?))
}

/// Returns the descriptors that were received.
pub(super) fn take_descriptors(ancillary: &mut RecvAncillaryBuffer<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            descriptors.extend(some);
        }
    }
    #[cfg(target_vendor = "apple")]
    for descriptor in &descriptors {
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(descriptors)
}

#[cfg(not(target_vendor = "apple"))]
pub(super) const CLOSE_ON_EXEC: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
pub(super) const CLOSE_ON_EXEC: RecvFlags = RecvFlags::empty();

/// Ends the connection for both sides.
pub(crate) fn shut(socket: impl AsFd) {
    // It fails only if the other end is closed.
    let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_child_inherits_a_socket_or_a_descriptor_that_was_received() {
        let (one, other) = pair().expect("a socketpair");
        let (passed, _) = pair().expect("another one");
        assert_eq!(send_with(one.as_fd(), b"seven..", &[passed.as_fd()]).expect("sent"), 7);
        let mut bytes = [0; 16];
        let (count, received) = receive_with(other.as_fd(), &mut bytes).expect("received");
        assert_eq!(&bytes[..count], b"seven..");
        let [received] = &received[..] else { panic!("one descriptor") };
        for descriptor in [&one, &other, received] {
            let flags = rustix::io::fcntl_getfd(descriptor).expect("open");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    }

    #[test]
    fn a_call_that_would_have_to_wait_returns_nothing() {
        let (one, other) = pair().expect("a socketpair");
        assert_eq!(receive_now(&one, &mut [0; 8]).expect("open"), None);
        assert_eq!(peek_now(&one, &mut [0; 8]).expect("open"), None);
        while send_now(&other, &[1; 4096]).expect("open").is_some() {}
        assert_eq!(send_both_now(&other, &[1], &[1; 4096]).expect("open"), None);
        assert_eq!(peek(&one, &mut [0; 8]).expect("open"), 8);
        drop(one);
        // Not a signal.
        assert!(send_now(&other, &[1]).is_err() && send(&other, &[1]).is_err());
    }
}
