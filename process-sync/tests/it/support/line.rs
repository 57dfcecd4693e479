//! The connection between a test and a partner: values with their descriptors, and marks.

use std::{
    io::{IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use executor_core::{
    Payload,
    codec::{
        self,
        handles::{self, Handle, Name},
    },
};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use test_support::DEADLINE;

const MOST: usize = 64;

/// One end.
pub struct Line(UnixStream);

impl Line {
    pub fn new(socket: UnixStream) -> Line {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Line(socket)
    }

    /// Tells the other end that a place is reached.
    pub fn mark(&mut self) {
        self.0.write_all(b"m").unwrap();
    }

    /// Waits until the other end has reached a place.
    pub fn wait_mark(&mut self) {
        let mut mark = [0];
        self.0.read_exact(&mut mark).expect("the partner marks a place");
        assert_eq!(mark, *b"m");
    }

    /// Sleeps until this process is killed, or the test ends.
    pub fn wait_for_death(&mut self) -> ! {
        self.0.set_read_timeout(None).unwrap();
        let _ = self.0.read_exact(&mut [0]);
        std::process::exit(9)
    }

    pub fn send<T: Payload>(&mut self, value: &T) {
        let mut bytes = Vec::new();
        let (encoded, attached) = handles::collect(|| codec::encode(value, &mut bytes));
        encoded.unwrap();
        let names: Vec<Name> = attached.iter().map(Handle::name).collect();
        let files: Vec<BorrowedFd<'_>> = attached.iter().map(|handle| handle.as_fd()).collect();
        let head = [(bytes.len() as u32).to_le_bytes(), (names.len() as u32).to_le_bytes()].concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)));
        }
        let sent = sendmsg(&self.0, &[IoSlice::new(&head)], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
        assert_eq!(sent, head.len());
        self.0.write_all(&names.concat()).unwrap();
        self.0.write_all(&bytes).unwrap();
    }

    pub fn receive<T: Payload>(&mut self) -> T {
        let mut head = [0; 8];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let buffers = &mut [IoSliceMut::new(&mut head)];
        let received = recvmsg(&self.0, buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC).expect("a value arrives");
        assert_eq!(received.bytes, 8);
        let files = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        let files: Vec<_> = files.flatten().collect();
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(files.len(), number(4));
        let mut names = vec![0; 12 * files.len()];
        self.0.read_exact(&mut names).unwrap();
        let names = names.chunks_exact(12).map(|name| Name::try_from(name).unwrap());
        let adopted: Vec<Handle> = names.zip(files).map(|(name, file)| Handle::received(name, file)).collect();
        let mut bytes = vec![0; number(0)];
        self.0.read_exact(&mut bytes).unwrap();
        let value = codec::decode(&bytes).unwrap();
        drop(adopted);
        value
    }
}
