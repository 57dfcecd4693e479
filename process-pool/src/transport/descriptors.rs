//! The channel for descriptors: a socketpair beside the link that carries nothing else.
//!
//! A message is one byte with up to [`MOST`] descriptors. It is sent before the frame on the link that announces it, so
//! the receiver that reads the frame finds the message, and a frame that is never read leaves nothing behind but what
//! the kernel closes with the channel. Both kinds of link use it, and so do both directions.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use crate::sys::{
    message::{self, Mode},
    socket,
};
pub(crate) use message::{MOST, Pulled, Pushed};

/// One end of the channel.
#[derive(Clone, Debug)]
pub(crate) struct Channel(Arc<OwnedFd>);

impl Channel {
    /// Makes a channel: this process's end, and the worker's.
    pub(crate) fn pair() -> io::Result<(Channel, OwnedFd)> {
        let (own, other) = socket::pair()?;
        Ok((Channel::of(own), other))
    }

    pub(crate) fn of(socket: OwnedFd) -> Channel {
        Channel(Arc::new(socket))
    }

    /// Sends a message, if there is space.
    pub(crate) fn push(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<Pushed> {
        message::push(self.as_fd(), descriptors, Mode::Now)
    }

    /// Sends a message, and waits for space.
    pub(crate) fn push_blocking(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<Pushed> {
        message::push(self.as_fd(), descriptors, Mode::Wait)
    }

    /// Takes the next message, which must be there and have this many descriptors.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is not there, or has another number of descriptors.
    pub(crate) fn pull(&self, expected: usize) -> io::Result<Pulled> {
        message::pull(self.as_fd(), expected, Mode::Now)
    }

    /// Takes the next message as [`pull`](Channel::pull) does, and waits for it.
    pub(crate) fn pull_blocking(&self, expected: usize) -> io::Result<Pulled> {
        message::pull(self.as_fd(), expected, Mode::Wait)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::net::UnixStream};

    use super::*;

    fn channel() -> (Channel, Channel) {
        let (own, other) = Channel::pair().expect("a socketpair");
        (own, Channel::of(other))
    }

    /// Sends the writing end of a pipe this many times, and closes it here.
    fn push(from: &Channel, count: usize) -> UnixStream {
        let (reader, writer) = UnixStream::pair().expect("a pair");
        assert_eq!(from.push(&vec![writer.as_fd(); count]).expect("sent"), Pushed::Yes);
        reader
    }

    fn is_closed(mut reader: UnixStream) -> bool {
        reader.read(&mut [0]).is_ok_and(|count| count == 0)
    }

    #[test]
    fn messages_arrive_whole_and_in_order() {
        let (parent, worker) = channel();
        let readers = [push(&parent, 1), push(&parent, MOST)];
        let Ok(Pulled::All(mut first)) = worker.pull(1) else { panic!("it is there") };
        let Ok(Pulled::All(second)) = worker.pull_blocking(MOST) else { panic!("it is there") };
        let [one, other] = readers;
        let writer = UnixStream::from(first.pop().expect("one"));
        io::Write::write_all(&mut &writer, b"x").expect("written");
        let mut text = [0];
        (&one).read_exact(&mut text).expect("it is the first pipe");
        drop(second);
        assert!(is_closed(other));
    }

    #[test]
    fn a_message_with_other_descriptors_than_announced_is_an_error_and_they_are_closed() {
        let (parent, worker) = channel();
        assert!(parent.pull(1).is_err(), "nothing was sent");
        for (sent, expected) in [(1, 2), (2, 1), (MOST, 1)] {
            let reader = push(&worker, sent);
            let error = parent.pull(expected).expect_err("another number");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(is_closed(reader));
        }
        rustix::io::write(&worker, b"x").expect("a byte without descriptors");
        assert!(parent.pull(1).is_err());
    }

    #[test]
    fn a_full_socket_is_no_error_and_has_space_after_a_message_was_taken() {
        let (parent, worker) = channel();
        let file = UnixStream::pair().expect("a pair").0;
        let mut sent = 0;
        while parent.push(&[file.as_fd()]).expect("no error") == Pushed::Yes {
            sent += 1;
        }
        assert!(sent > 10);
        for _ in 0..sent {
            assert!(matches!(worker.pull(1), Ok(Pulled::All(_))));
        }
        assert_eq!(parent.push(&[file.as_fd()]).expect("sent"), Pushed::Yes);
    }

    #[test]
    fn the_end_of_the_other_side_is_an_error() {
        let (parent, worker) = channel();
        let reader = push(&parent, 3);
        drop(worker);
        assert!(is_closed(reader), "the kernel has closed what was on its way");
        assert!(parent.push(&[UnixStream::pair().expect("a pair").0.as_fd()]).is_err());
        assert!(parent.pull(1).is_err());
    }
}
