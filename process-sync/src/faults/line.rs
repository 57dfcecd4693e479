//! How the processes of a test pass values to each other.

use std::{
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use executor_core::{
    Payload,
    codec::{
        self,
        handles::{self, Handle, Handles, Name},
    },
};

/// The handles of a value go through a lane of their own, so a value is sent as its bytes and the numbers of inherited
/// descriptors would not do.
pub(super) fn send<T: Payload>(line: &UnixStream, value: &T) {
    let mut bytes = Vec::new();
    let (encoded, attached) = handles::collect(|| codec::encode(value, &mut bytes));
    encoded.unwrap();
    let names: Vec<u8> = attached.iter().flat_map(|handle| handle.name()).collect();
    let head = [(names.len() as u64).to_le_bytes(), (bytes.len() as u64).to_le_bytes()].concat();
    send_descriptors(line, &attached);
    let mut line = line;
    line.write_all(&[head, names, bytes].concat()).unwrap();
}

fn send_descriptors(line: &UnixStream, handles: &Handles) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let files: Vec<_> = handles.iter().map(|handle| handle.as_fd()).collect();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)));
    sendmsg(line, &[std::io::IoSlice::new(&[1])], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
}

pub(super) fn receive<T: Payload>(line: &mut UnixStream) -> T {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&*line, &mut [std::io::IoSliceMut::new(&mut [0])], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let files = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let files: Vec<OwnedFd> = files.flatten().collect();
    let mut head = [0; 16];
    line.read_exact(&mut head).unwrap();
    let length = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap()) as usize;
    let (mut names, mut bytes) = (vec![0; length(0)], vec![0; length(8)]);
    line.read_exact(&mut names).unwrap();
    line.read_exact(&mut bytes).unwrap();
    let names = names.chunks_exact(12).map(|name| Name::try_from(name).unwrap());
    let _kept: Vec<Handle> = names.zip(files).map(|(name, file)| Handle::received(name, file)).collect();
    codec::decode(&bytes).unwrap()
}
