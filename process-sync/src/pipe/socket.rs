//! Messages of bytes and handles on one end of a socket pair.
//!
//! The kernel keeps each message whole. A short one is one packet; the bytes of a long one lie in a file that the
//! packet carries, so that the length of a message has no limit but memory.
//!
//! ```text
//! byte 0    byte 1               then                             then
//! LONG      number of handles    the names of the handles         the bytes, unless they are LONG
//! ```

use std::{
    cell::Cell,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    thread::{self, LocalKey},
    time::Instant,
};

use executor_core::{
    Error, ErrorKind, Payload,
    codec::{
        self,
        handles::{self, Handle, Handles, Name},
    },
    confinement,
};
use rustix::{
    event::PollFlags,
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};

use super::poll::poll_one;
use crate::{
    errors,
    place::{Place, place},
    sys,
    under_way::{REST, Rests},
};

/// The system takes no more descriptors in one packet, and a long message needs one.
const MOST_HANDLES: usize = 252;
/// The bytes of a longer message go into a file.
const LONGEST: usize = 32 << 10;
const LONG: u8 = 1;
const HEAD: usize = 2;
/// The head of a short message without handles.
const PLAIN: [u8; HEAD] = [0, 0];
/// A message of at most this length is copied behind its head, because the system takes a packet in one part sooner
/// than one in two.
const COPIED: usize = 4 << 10;
const NAME: usize = size_of::<Name>();
/// Room for the longest packet, and one byte that shows that a packet is longer.
const PACKET: usize = HEAD + MOST_HANDLES * NAME + LONGEST + 1;

/// How long a call waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    Not,
    Until(Option<Instant>),
}

/// Makes the sockets of two ends.
pub(super) fn pair() -> Result<(Handle, Handle), Error> {
    confinement::check().map_err(|error| errors::from_system("make a pipe", &error))?;
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (one, other) = pair.map_err(|error| errors::from_system("make a pipe", &error.into()))?;
    Ok((Handle::new(one), Handle::new(other)))
}

/// Sends a value, and waits for room.
pub(super) fn send<T: Payload>(socket: BorrowedFd<'_>, value: &T) -> Result<(), Error> {
    if let Some(bytes) = codec::as_encoded(value).filter(|bytes| bytes.len() > COPIED) {
        return send_message(socket, bytes, &Handles::NONE);
    }
    let mut packet = SENT.try_with(Cell::take).unwrap_or_default();
    packet.clear();
    packet.extend_from_slice(&PLAIN);
    let (encoded, handles) = handles::collect(|| codec::encode(value, &mut packet));
    let sent = encoded.and_then(|()| match packet.len() {
        ..=COPIED if handles.is_empty() => send_plain(socket, &packet),
        _ => send_message(socket, &packet[HEAD..], &handles),
    });
    keep(&SENT, packet);
    sent
}

/// Receives a value. `None` means that there is none before the deadline.
pub(super) fn receive<T: Payload>(socket: BorrowedFd<'_>, wait: Wait) -> Result<Option<T>, Error> {
    let mut packet = RECEIVED.try_with(Cell::take).unwrap_or_default();
    // It is as long as a packet after the first time.
    packet.resize(PACKET, 0);
    let received = receive_message(socket, &mut packet, wait).and_then(|message| {
        let Some(message) = message else { return Ok(None) };
        let bytes = match &message.long {
            Some(bytes) => bytes,
            None => &packet[message.start..message.end],
        };
        let value = codec::decode(bytes);
        // The value has its own handles now.
        drop(message.handles);
        value.map(Some)
    });
    keep(&RECEIVED, packet);
    received
}

thread_local! {
    // Buffers that the thread keeps. Code of a value may use another connection meanwhile, which finds empty ones.
    static SENT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static RECEIVED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn keep(kept: &'static LocalKey<Cell<Vec<u8>>>, buffer: Vec<u8>) {
    if buffer.capacity() <= 2 * PACKET {
        let _ = kept.try_with(|kept| kept.set(buffer));
    }
}

fn send_message(socket: BorrowedFd<'_>, bytes: &[u8], handles: &Handles) -> Result<(), Error> {
    if handles.len() > MOST_HANDLES {
        let message = format!("a message with {} descriptors: at most {MOST_HANDLES} go with one", handles.len());
        return Err(errors::invalid_argument(message));
    }
    if handles.is_empty() && bytes.len() <= LONGEST {
        return send_packet(socket, &[IoSlice::new(&PLAIN), IoSlice::new(bytes)], &[]);
    }
    let failed = |error: io::Error| errors::from_system("send on a connection", &error);
    let long = if bytes.len() > LONGEST { Some(file_of(bytes).map_err(failed)?) } else { None };
    let mut head = vec![if long.is_some() { LONG } else { 0 }, handles.len() as u8];
    handles.iter().for_each(|handle| head.extend_from_slice(&handle.name()));
    let inline = if long.is_some() { &[] } else { bytes };
    let files: Vec<BorrowedFd<'_>> = handles.iter().chain(&long).map(|handle| handle.as_fd()).collect();
    send_packet(socket, &[IoSlice::new(&head), IoSlice::new(inline)], &files)
}

/// Sends one packet, and waits for room.
pub(super) fn send_packet(
    socket: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    files: &[BorrowedFd<'_>],
) -> Result<(), Error> {
    if confinement::is_confined() {
        // A sandbox refuses messages that could have descriptors with them.
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        return match files {
            [] => send_plain(socket, &parts.concat()),
            _ => Err(confinement::refused("send on a connection")),
        };
    }
    let mut space = Vec::new();
    if !files.is_empty() {
        space.resize(SendAncillaryMessage::ScmRights(files).size(), MaybeUninit::uninit());
    }
    send_when_possible(socket, || {
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(files));
        }
        sendmsg(socket, parts, &mut ancillary, SendFlags::NOSIGNAL)
    })
}

/// Sends one packet without descriptors, and waits for room.
fn send_plain(socket: BorrowedFd<'_>, packet: &[u8]) -> Result<(), Error> {
    send_when_possible(socket, || rustix::net::send(socket, packet, SendFlags::NOSIGNAL))
}

#[inline]
fn send_when_possible(
    socket: BorrowedFd<'_>,
    mut send: impl FnMut() -> rustix::io::Result<usize>,
) -> Result<(), Error> {
    let mut rests = None;
    loop {
        place(Place::BeforeCommit);
        match send() {
            Ok(_) => {
                place(Place::AfterCommit);
                return Ok(());
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => drop(poll_one(socket, PollFlags::OUT, None)),
            // The other end makes room when it receives what is on its way to it.
            Err(Errno::TOOMANYREFS) if sys::has_unreceived(socket) => thread::sleep(REST),
            Err(Errno::TOOMANYREFS) if rests.get_or_insert_with(|| Rests::until(None)).rest() => {}
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => return Err(closed()),
            Err(error) => return Err(errors::from_system("send on a connection", &error.into())),
        }
    }
}

/// What was received besides the packet.
struct Message {
    /// Where the bytes lie in the packet.
    start: usize,
    end: usize,
    long: Option<Vec<u8>>,
    handles: Vec<Handle>,
}

fn receive_message(socket: BorrowedFd<'_>, packet: &mut [u8], wait: Wait) -> Result<Option<Message>, Error> {
    let Some((end, mut files)) = receive_packet(socket, packet, wait)? else { return Ok(None) };
    let (is_long, count) = (packet[0] & LONG != 0, usize::from(packet[1]));
    let start = HEAD + count * NAME;
    if end < start || end == packet.len() || files.len() != count + usize::from(is_long) {
        return Err(nonsense());
    }
    let long = match is_long.then(|| files.pop()).flatten() {
        Some(file) => Some(bytes_of(file).map_err(|error| errors::from_system("read a long message", &error))?),
        None => None,
    };
    let names = packet[HEAD..start].chunks_exact(NAME).map(|name| name.try_into().expect("a chunk has this length"));
    let handles = names.zip(files).map(|(name, file)| Handle::received(name, file)).collect();
    Ok(Some(Message { start, end, long, handles }))
}

/// Receives one packet, which is never empty. Returns its length and its descriptors. `None` means that there is none
/// before the deadline.
pub(super) fn receive_packet(
    socket: BorrowedFd<'_>,
    packet: &mut [u8],
    wait: Wait,
) -> Result<Option<(usize, Vec<OwnedFd>)>, Error> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_HANDLES + 1))];
    let flags = match wait {
        // The kernel waits.
        Wait::Until(None) => RecvFlags::CMSG_CLOEXEC,
        _ => RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
    };
    if confinement::is_confined() {
        return receive_bytes(socket, packet, wait, flags);
    }
    loop {
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        place(Place::BeforeSleep);
        let received = match recvmsg(socket, &mut [IoSliceMut::new(packet)], &mut ancillary, flags) {
            Ok(received) => {
                place(Place::AfterCommit);
                received
            }
            // The other end was closed with unread messages. What it has sent before is still there.
            Err(Errno::INTR | Errno::CONNRESET) => continue,
            Err(Errno::AGAIN) => match wait {
                Wait::Until(deadline) if poll_one(socket, PollFlags::IN, deadline) => continue,
                _ => return Ok(None),
            },
            Err(error) => return Err(errors::from_system("receive on a connection", &error.into())),
        };
        let files = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        let files = files.flatten().collect();
        return match received.bytes {
            0 => Err(closed()),
            _ if received.flags.contains(ReturnFlags::CTRUNC) => {
                Err(errors::from_system("receive the descriptors of a message", &Errno::MFILE.into()))
            }
            1 => Err(nonsense()),
            length => Ok(Some((length, files))),
        };
    }
}

/// Receives one packet as [`receive_packet`] does, in a sandbox, which refuses calls that return descriptors. Those of
/// the packet are closed.
#[cold]
fn receive_bytes(
    socket: BorrowedFd<'_>,
    packet: &mut [u8],
    wait: Wait,
    flags: RecvFlags,
) -> Result<Option<(usize, Vec<OwnedFd>)>, Error> {
    loop {
        match rustix::net::recv(socket, &mut *packet, flags) {
            Ok((0, _)) => return Err(closed()),
            Ok((1, _)) => return Err(nonsense()),
            Ok((length, _)) if packet[..HEAD] == PLAIN => return Ok(Some((length, Vec::new()))),
            Ok(_) => return Err(confinement::refused("receive a message that is long or has descriptors")),
            Err(Errno::INTR | Errno::CONNRESET) => {}
            Err(Errno::AGAIN) => match wait {
                Wait::Until(deadline) if poll_one(socket, PollFlags::IN, deadline) => {}
                _ => return Ok(None),
            },
            Err(error) => return Err(errors::from_system("receive on a connection", &error.into())),
        }
    }
}

/// Writes the bytes of a long message into a file.
fn file_of(bytes: &[u8]) -> io::Result<Handle> {
    let file = sys::create(c"concurrent-futures-message", bytes.len())?;
    std::fs::File::from(file.as_fd().try_clone_to_owned()?).write_all_at(bytes, 0)?;
    Ok(file)
}

/// Reads the bytes of a long message. Nothing is mapped, so a file that shrinks meanwhile is an error and no fault.
fn bytes_of(file: OwnedFd) -> io::Result<Vec<u8>> {
    let length = sys::length_of(&file)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(length, 0);
    std::fs::File::from(file).read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cold]
pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the other end of the connection is gone")
}

#[cold]
fn nonsense() -> Error {
    Error::new(ErrorKind::Broken, "the other end of the connection sent what is no message of this library")
}
