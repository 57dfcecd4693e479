//! Messages that another process sends through a pipe: any bytes, and any descriptors.

use std::{
    io::{IoSlice, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use executor_core::{
    Payload,
    codec::{
        self,
        handles::{self, Handle},
    },
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::{Bytes, leaves_no_descriptor};
use crate::{Array, Connection, Event, Lock, Queue, Receiver, SharedSlice, Value, pipe};

/// One connection, and several messages of a process that keeps to nothing.
pub fn message(bytes: &[u8]) {
    leaves_no_descriptor(|| {
        let mut bytes = Bytes(bytes);
        match bytes.byte() % 6 {
            0 => receive::<Vec<u8>>(&mut bytes, || vec![1, 2, 3]),
            1 => receive::<(String, Option<u64>)>(&mut bytes, || ("text".to_string(), Some(7))),
            2 => receive::<Queue<u64>>(&mut bytes, || Queue::bounded(2).expect("a queue")),
            3 => receive::<(Lock, Value<u64>, Event)>(&mut bytes, || {
                (Lock::new().expect("a lock"), Value::new(7).expect("a value"), Event::new().expect("an event"))
            }),
            4 => receive::<(Array<u16>, SharedSlice<u32>)>(&mut bytes, || {
                (Array::from(&[1, 2]).expect("an array"), SharedSlice::from(&[1, 2]).expect("a slice"))
            }),
            _ => {
                let (mut kept, one) = (Vec::new(), || crate::pipe_simplex::<u8>().expect("a pipe"));
                receive::<Receiver<u8>>(&mut bytes, || {
                    let (receiver, sender) = one();
                    kept.push(sender);
                    receiver
                });
            }
        }
    });
}

/// Sends messages that are mostly like those of a value of this type, and receives them.
fn receive<T: Payload>(bytes: &mut Bytes<'_>, mut make: impl FnMut() -> T) {
    let (own, other) = pipe::<T, T>().expect("a pipe");
    while !bytes.is_over() {
        // Its handles live until the message is received, as they may in this process.
        let value = make();
        let mut encoded = Vec::new();
        let (done, attached) = handles::collect(|| codec::encode(&value, &mut encoded));
        done.expect("encoded");
        let mut packet = vec![0, attached.len() as u8];
        attached.iter().for_each(|handle| packet.extend_from_slice(&handle.name()));
        packet.extend_from_slice(&encoded);
        let mut files: Vec<OwnedFd> = attached.iter().map(copy).collect();
        spoil(bytes, &mut packet, &mut files);
        send(&other, &packet, &files);
        drop(files);
        if bytes.byte() & 1 == 0 {
            drop((value, attached));
        }
        drop(own.recv(Duration::ZERO));
    }
}

fn copy(handle: &Handle) -> OwnedFd {
    handle.as_fd().try_clone_to_owned().expect("a descriptor")
}

/// Changes bytes of a packet, and its descriptors.
fn spoil(bytes: &mut Bytes<'_>, packet: &mut Vec<u8>, files: &mut Vec<OwnedFd>) {
    for _ in 0..bytes.byte() % 6 {
        match bytes.byte() % 8 {
            0 | 1 => {
                let at = usize::from(bytes.byte()) % packet.len().max(1);
                if let Some(byte) = packet.get_mut(at) {
                    *byte = bytes.byte();
                }
            }
            2 => packet.truncate(usize::from(bytes.byte())),
            3 => packet.extend_from_slice(bytes.take(30)),
            4 => drop(files.pop()),
            5 => files.push(std::fs::File::open("/dev/null").expect("it is there").into()),
            6 => files.push(file(bytes)),
            _ => {
                // A long message, whose bytes are in the last file.
                if let Some(flags) = packet.first_mut() {
                    *flags ^= 1;
                }
                files.push(file(bytes));
            }
        }
    }
    packet.truncate(1 << 14);
    files.truncate(200);
}

/// Returns a file with some bytes, which may be sealed or not.
fn file(bytes: &mut Bytes<'_>) -> OwnedFd {
    if bytes.byte() & 1 == 0 {
        return copy(&crate::sys::create(c"fuzz", usize::from(bytes.byte()) << 6).expect("a file"));
    }
    let file = rustix::fs::memfd_create(c"fuzz", rustix::fs::MemfdFlags::CLOEXEC).expect("a file");
    let mut file = std::fs::File::from(file);
    file.write_all(bytes.take(50)).expect("written");
    file.into()
}

fn send<T: Payload>(connection: &Connection<T>, packet: &[u8], files: &[OwnedFd]) {
    let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&files)));
    }
    // A message that finds no room is not sent.
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _ = sendmsg(connection.as_fd(), &[IoSlice::new(packet)], &mut ancillary, flags);
}
