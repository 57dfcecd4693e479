//! Rosters of record locks.

use std::{
    fmt, io,
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use executor_core::{
    Error, ErrorKind,
    codec::handles::Handle,
    fork::{self, Generation},
};
use parking_lot::{Mutex, MutexGuard};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::{errors, lock::word::HIGHEST_NUMBER, memory::SharedMemory, sys};

/// The size of the file. Only the counter at its beginning is used; record locks need no bytes.
const LENGTH: usize = 4096;
const COUNTER: usize = 0;
/// How many numbers may have living owners although the counter says that they are free. This happens only after a wild
/// write.
const ATTEMPTS: usize = 64;
/// The message with the file.
const LETTER: &[u8] = b"roster";

/// This process as one of those that share an object. Clones are the same membership.
pub(crate) struct Member(
    /// `None` only while it is dropped.
    Option<Arc<Membership>>,
);

struct Membership {
    number: u32,
    /// The file with the record locks, which this process may close only when it leaves.
    file: Handle,
    /// What travels with objects.
    socket: Handle,
    born: Generation,
}

/// The rosters of this process.
struct Rosters {
    home: Option<Member>,
    joined: Vec<Arc<Membership>>,
}

static ROSTERS: Mutex<Rosters> = Mutex::new(Rosters { home: None, joined: Vec::new() });

/// The lock of [`ROSTERS`] is held for a few system calls. In a forked child it may be held forever.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

fn rosters() -> Result<MutexGuard<'static, Rosters>, Error> {
    let forked = || Error::new(ErrorKind::Broken, "this process was forked while another thread made a shared object");
    let mut rosters = ROSTERS.try_lock_for(LONGEST_WAIT).ok_or_else(forked)?;
    // The child of a fork has none of its parent's record locks, so it begins anew. What it drops here it does not use.
    if rosters.joined.iter().any(|membership| membership.born != fork::generation()) {
        rosters.joined.clear();
        std::mem::forget(rosters.home.take());
    }
    Ok(rosters)
}

impl Member {
    /// Returns the membership for the objects that this process makes.
    pub(crate) fn home() -> Result<Member, Error> {
        let mut rosters = rosters()?;
        if let Some(home) = &rosters.home {
            return Ok(home.clone());
        }
        let (file, socket) = create().map_err(|error| errors::from_system("make the list of processes", &error))?;
        enter(&mut rosters, file, socket)
    }

    /// Returns the membership in the roster behind a socket that came with an object.
    pub(crate) fn join(socket: Handle) -> Result<Member, Error> {
        let mut rosters = rosters()?;
        if let Some(known) = rosters.joined.iter().find(|known| known.socket == socket) {
            return Ok(Member(Some(known.clone())));
        }
        let file = open(&socket).map_err(|error| errors::from_system("open the list of processes", &error))?;
        enter(&mut rosters, Handle::new(file), socket)
    }

    /// Returns what another process joins by.
    pub(crate) fn socket(&self) -> Handle {
        self.membership().socket.clone()
    }

    /// Returns the number of this process, which no other process of the roster has or had.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.membership().number
    }

    /// Returns `true` if this is the process that joined, and not a forked child of it.
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        self.membership().born == fork::generation()
    }

    /// Returns `true` if the process with this number can still execute anything. If the system does not say, it may.
    pub(crate) fn is_alive(&self, number: u32) -> bool {
        let membership = self.membership();
        number == membership.number || number <= HIGHEST_NUMBER && sys::is_byte_locked(membership.file.as_fd(), number)
    }

    #[inline]
    fn membership(&self) -> &Membership {
        self.0.as_deref().expect("it is only taken by `drop`")
    }
}

impl Clone for Member {
    fn clone(&self) -> Member {
        Member(self.0.clone())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        /// The list and the last member.
        const LAST: usize = 2;
        let Some(membership) = self.0.take() else { return };
        if membership.born != fork::generation() || Arc::strong_count(&membership) > LAST {
            return;
        }
        // The descriptor must be closed under the lock: a thread that joined again meanwhile would lose its record
        // lock.
        let Ok(mut rosters) = rosters() else { return };
        if Arc::strong_count(&membership) == LAST {
            rosters.joined.retain(|known| !Arc::ptr_eq(known, &membership));
        }
        drop(membership);
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Member").field(&self.number()).finish()
    }
}

/// Makes the file and the socket in which it lies.
fn create() -> io::Result<(Handle, Handle)> {
    let file = sys::create(c"concurrent-futures-roster", LENGTH)?;
    let (socket, other) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(&other, &[IoSlice::new(LETTER)], &mut ancillary, SendFlags::NOSIGNAL)?;
    // The message stays after this end is closed.
    drop(other);
    Ok((file, Handle::new(socket)))
}

/// Looks at the message in the socket, and leaves it there.
fn open(socket: &Handle) -> io::Result<OwnedFd> {
    let mut letter = [0; LETTER.len()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut letter)], &mut ancillary, flags)?;
    if received.flags.contains(rustix::net::ReturnFlags::CTRUNC) {
        return Err(rustix::io::Errno::MFILE.into());
    }
    let files = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let file = files.flatten().next();
    file.filter(|_| letter == LETTER).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Takes a number and its record lock.
fn enter(rosters: &mut Rosters, file: Handle, socket: Handle) -> Result<Member, Error> {
    let number = number_in(&file).map_err(|error| errors::from_system("enter the list of processes", &error))?;
    let membership = Arc::new(Membership { number, file, socket, born: fork::generation() });
    rosters.joined.push(membership.clone());
    let member = Member(Some(membership));
    if rosters.home.is_none() {
        rosters.home = Some(member.clone());
    }
    Ok(member)
}

fn number_in(file: &Handle) -> io::Result<u32> {
    let memory = SharedMemory::map(file, 0, LENGTH)?;
    let counter = memory.half_word(COUNTER);
    for _ in 0..ATTEMPTS {
        // ORDERING: the counter only has to give different numbers.
        let number = counter.fetch_add(1, Relaxed).wrapping_add(1);
        if !(1..=HIGHEST_NUMBER).contains(&number) {
            counter.fetch_sub(1, Relaxed);
            return Err(io::Error::other("it has no numbers left"));
        }
        if lock(file.as_fd(), number)? {
            return Ok(number);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn lock(file: BorrowedFd<'_>, number: u32) -> io::Result<bool> {
    sys::lock_byte(file, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_numbers_that_nobody_has_are_not() {
        let member = Member::home().expect("a home");
        assert!(member.is_here() && member.is_alive(member.number()));
        assert!(!member.is_alive(member.number() + 1000) && !member.is_alive(HIGHEST_NUMBER));
        assert!(!member.is_alive(u32::MAX), "no roster gives this number, which only a wild write leaves");
        assert_eq!(Member::home().expect("the same").number(), member.number());
    }

    #[test]
    fn a_process_joins_a_roster_once_however_often_it_receives_the_socket() {
        let (_file, socket) = create().expect("a roster");
        let _home = Member::home().expect("a home");
        let first = Member::join(socket.clone()).expect("joins");
        let again = Member::join(socket.clone()).expect("joins");
        assert_eq!((first.number(), again.number()), (1, 1));
        let known = |socket: &Handle| ROSTERS.lock().joined.iter().any(|known| known.socket == *socket);
        drop(first);
        assert!(known(&socket));
        drop(again);
        assert!(!known(&socket), "it left");
        assert_eq!(Member::join(socket).expect("joins").number(), 2, "a number is not given twice");
    }

    #[test]
    fn a_socket_without_a_roster_is_refused() {
        let (socket, _other) = std::os::unix::net::UnixStream::pair().expect("sockets");
        let error = Member::join(Handle::new(socket.into())).expect_err("it is empty");
        assert_eq!(error.kind(), ErrorKind::Other);
    }
}
