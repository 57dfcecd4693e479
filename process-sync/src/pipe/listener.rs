//! Connections between processes that do not know each other, by a path.
//!
//! A process that connects sends a hello: the types of its end and a number that cannot be guessed. The listener
//! answers only where a key is asked for. Then both show that they have the key, without sending it: each returns a
//! hash of the other's number with the key.
//!
//! ```text
//! process                                          listener
//! hello: magic, types, number a        ->
//!                                      <-          number b, HMAC(key, "listener", a, b)
//! HMAC(key, "process", a, b)           ->
//! ```

use std::{
    fmt,
    io::IoSlice,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::RefUnwindSafe,
    path::{Path, PathBuf},
    time::Duration,
};

use executor_core::{Error, ErrorKind, Payload, codec::handles::Handle, deadline};
use parking_lot::Mutex;
use rustix::{
    event::{PollFd, PollFlags},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind,
        connect as connect_socket, listen, recv, send, socket_with, sockopt,
    },
    rand::{GetRandomFlags, getrandom},
};
use sha2::{Digest, Sha256};

use super::{
    access::Access,
    connection::{Connection, types},
    poll::poll_all,
    socket::{Wait, receive_packet, send_packet},
};
use crate::errors;

/// How many processes can connect before the listener accepts.
const BACKLOG: i32 = 128;
/// How many connections wait for their hello or their proof. The oldest is dropped for another.
const MOST_PENDING: usize = 64;
/// How long a process waits for the listener's proof that it has the key.
const LONGEST_PROOF: Duration = Duration::from_secs(30);

const MAGIC: u64 = u64::from_le_bytes(*b"cf-pipe1");
const NUMBER: usize = 32;
const PROOF: usize = 32;
const HELLO: usize = 24 + NUMBER;
const ANSWER: usize = NUMBER + PROOF;

type Number = [u8; NUMBER];

/// Accepts connections from other processes of this machine, at a path in the file system.
///
/// The two processes can then send each other values, and any object, such as a queue that both use from then on.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::multiprocessing::{Access, Connection, Listener, Queue};
/// let folder = std::env::temp_dir().join(format!("listener-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let path = folder.join("queue");
/// let listener = Listener::bind(&path, Access::SameUser)?;
/// // Another program:
/// let theirs = Connection::<(), Queue<u64>>::connect(&path, Access::SameUser)?;
///
/// let queue = Queue::<u64>::unbounded()?;
/// listener.accept::<Queue<u64>, ()>()?.send(&queue)?;
/// theirs.recv(None)?.put(1)?;
/// assert_eq!(queue.get(None)?, 1);
/// # drop(listener);
/// # std::fs::remove_dir(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    /// The file at the path.
    file: Option<(u64, u64)>,
    key: Option<Vec<u8>>,
    pending: Mutex<Vec<Pending>>,
}

// No user code runs while the list is locked.
impl RefUnwindSafe for Listener {}

/// A connection that is not accepted yet.
struct Pending {
    socket: OwnedFd,
    /// What it said, if the listener waits for its proof.
    hello: Option<Hello>,
    /// The listener's own number.
    number: Number,
}

#[derive(Clone, Copy)]
struct Hello {
    types: [u64; 2],
    number: Number,
}

impl Listener {
    /// Listens at a path, where a file appears until the listener is dropped. A path whose listener is gone is free.
    ///
    /// # Errors
    ///
    /// - [`InvalidState`](ErrorKind::InvalidState) if another listener is at this path.
    /// - [`InvalidArgument`](ErrorKind::InvalidArgument) if the path is too long, or has another file.
    pub fn bind(path: impl AsRef<Path>, access: Access<'_>) -> Result<Listener, Error> {
        let path = path.as_ref();
        let address = address(path)?;
        let socket = socket().map_err(|error| failed("listen at", path, error))?;
        if let Err(error) = bind(&socket, &address) {
            if error != Errno::ADDRINUSE {
                return Err(failed("listen at", path, error));
            }
            free(path, &address)?;
            bind(&socket, &address).map_err(|error| failed("listen at", path, error))?;
        }
        listen(&socket, BACKLOG).map_err(|error| failed("listen at", path, error))?;
        let key = match access {
            Access::SameUser => None,
            Access::Key(key) => Some(key.to_vec()),
        };
        Ok(Listener { socket, path: path.to_path_buf(), file: file_at(path), key, pending: Mutex::default() })
    }

    /// Waits for the next process that may connect. Others are refused, or wait without blocking any other.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) if it connected with other types.
    pub fn accept<S: Payload, R: Payload>(&self) -> Result<Connection<S, R>, Error> {
        loop {
            let mut pending = self.pending.lock();
            let mut files = vec![PollFd::new(&self.socket, PollFlags::IN)];
            files.extend(pending.iter().map(|one| PollFd::new(&one.socket, PollFlags::IN)));
            let ready = poll_all(&mut files, None);
            drop(files);
            // From the back, so that a removal does not move those that follow.
            for index in ready.iter().rev().filter(|index| **index > 0) {
                let one = pending.remove(index - 1);
                if let Some((socket, found)) = self.proceed(one, &mut pending) {
                    return accepted::<S, R>(socket, found);
                }
            }
            if ready.first() == Some(&0) {
                self.admit(&mut pending)?;
            }
        }
    }

    /// Takes a process that connected, if it may.
    fn admit(&self, pending: &mut Vec<Pending>) -> Result<(), Error> {
        let socket = match accept_with(&self.socket, SocketFlags::CLOEXEC) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return Ok(()),
            Err(error) => return Err(failed("accept at", &self.path, error)),
        };
        if self.key.is_some() || is_same_user(socket.as_fd()) {
            if pending.len() >= MOST_PENDING {
                pending.remove(0);
            }
            pending.push(Pending { socket, hello: None, number: random()? });
        }
        Ok(())
    }

    /// Reads what a pending connection has sent. Returns its socket and types if it is accepted.
    fn proceed(&self, one: Pending, pending: &mut Vec<Pending>) -> Option<(OwnedFd, [u64; 2])> {
        match (one.hello, &self.key) {
            (None, None) => Some((one.socket.try_clone().ok()?, hello(one.socket.as_fd())?.types)),
            (None, Some(key)) => {
                let hello = hello(one.socket.as_fd())?;
                let proof = proof(key, b"listener", &hello.number, &one.number);
                let answer = [one.number, proof].concat();
                send(&one.socket, &answer, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).ok()?;
                pending.push(Pending { hello: Some(hello), ..one });
                None
            }
            (Some(hello), key) => {
                let mut found = [0; PROOF + 1];
                let (length, _) = recv(&one.socket, &mut found[..], RecvFlags::DONTWAIT).ok()?;
                let expected = proof(key.as_deref().unwrap_or_default(), b"process", &hello.number, &one.number);
                (length == PROOF && is_equal(&found[..PROOF], &expected)).then_some((one.socket, hello.types))
            }
        }
    }
}

impl AsFd for Listener {
    /// Is readable when a process has connected.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // If another listener has the path by now, its file stays.
        if file_at(&self.path) == self.file {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<S: Payload, R: Payload> Connection<S, R> {
    /// Connects to a [`Listener`] of this machine.
    ///
    /// # Errors
    ///
    /// - [`Closed`](ErrorKind::Closed) if no process listens there, or the listener refuses this process.
    /// - [`InvalidArgument`](ErrorKind::InvalidArgument) if the path is too long.
    pub fn connect(path: impl AsRef<Path>, access: Access<'_>) -> Result<Connection<S, R>, Error> {
        connect(path.as_ref(), access, types::<S, R>()).map(Connection::with)
    }
}

/// Connects, says hello, and shows and sees the key.
fn connect(path: &Path, access: Access<'_>, types: [u64; 2]) -> Result<Handle, Error> {
    let address = address(path)?;
    let socket = socket().map_err(|error| failed("connect to", path, error))?;
    connect_socket(&socket, &address).map_err(|error| match error {
        Errno::NOENT | Errno::CONNREFUSED => no_listener(path),
        error => failed("connect to", path, error),
    })?;
    let number = random()?;
    let words = [MAGIC, types[0], types[1]].map(u64::to_le_bytes).concat();
    if matches!(access, Access::SameUser) && !is_same_user(socket.as_fd()) {
        let message = format!("the listener at {} belongs to another user: use a key", path.display());
        return Err(Error::new(ErrorKind::Closed, message));
    }
    send_packet(socket.as_fd(), &[IoSlice::new(&words), IoSlice::new(&number)], &[])?;
    if let Access::Key(key) = access {
        prove(socket.as_fd(), key, &number)?;
    }
    Ok(Handle::new(socket))
}

/// Sees that the listener has the key, and shows that this process has it.
fn prove(socket: BorrowedFd<'_>, key: &[u8], number: &Number) -> Result<(), Error> {
    let mut answer = [0; ANSWER + 1];
    let wait = Wait::Until(deadline::after(Some(LONGEST_PROOF)));
    let refused = || Error::new(ErrorKind::Closed, "the listener has another key");
    let (length, _) = receive_packet(socket, &mut answer, wait)?
        .ok_or_else(|| Error::new(ErrorKind::Timeout, "the wait for the listener to accept timed out"))?;
    let (theirs, found) = answer[..ANSWER].split_at(NUMBER);
    let theirs: Number = theirs.try_into().map_err(|_| refused())?;
    if length != ANSWER || !is_equal(found, &proof(key, b"listener", number, &theirs)) {
        return Err(refused());
    }
    send_packet(socket, &[IoSlice::new(&proof(key, b"process", number, &theirs))], &[])
}

fn accepted<S: Payload, R: Payload>(socket: OwnedFd, [sent, received]: [u64; 2]) -> Result<Connection<S, R>, Error> {
    // What one sends the other receives.
    if [received, sent] != types::<S, R>() {
        return Err(errors::invalid_argument("a process connected with other types than the listener accepts"));
    }
    Ok(Connection::with(Handle::new(socket)))
}

/// Reads the hello of a process. `None` means that it said something else, or left.
fn hello(socket: BorrowedFd<'_>) -> Option<Hello> {
    let mut bytes = [0; HELLO + 1];
    let (length, _) = recv(socket, &mut bytes[..], RecvFlags::DONTWAIT).ok()?;
    let word = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
    let is_hello = length == HELLO && word(0) == Some(MAGIC);
    let number = bytes[24..HELLO].try_into().ok()?;
    is_hello.then_some(Hello { types: [word(8)?, word(16)?], number })
}

fn socket() -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

fn address(path: &Path) -> Result<SocketAddrUnix, Error> {
    SocketAddrUnix::new(path).map_err(|_| {
        errors::invalid_argument(format!("the path {} is too long for a listener: at most 107 bytes", path.display()))
    })
}

/// Removes the file of a listener that is gone.
fn free(path: &Path, address: &SocketAddrUnix) -> Result<(), Error> {
    let probe = socket().map_err(|error| failed("listen at", path, error))?;
    match connect_socket(&probe, address) {
        Ok(()) => {
            let message = format!("another listener is at {}: drop it, or use another path", path.display());
            Err(errors::invalid_state(message))
        }
        Err(Errno::CONNREFUSED) if is_socket(path) => {
            std::fs::remove_file(path).map_err(|error| errors::from_system("replace a listener that is gone", &error))
        }
        Err(Errno::NOENT) => Ok(()),
        Err(_) => Err(errors::invalid_argument(format!("{} is no listener, and is not replaced", path.display()))),
    }
}

/// Returns the device and the number of the file at a path.
fn file_at(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Returns `true` if the process at the other end belongs to the user of this one.
fn is_same_user(socket: BorrowedFd<'_>) -> bool {
    sockopt::socket_peercred(socket).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

fn random() -> Result<Number, Error> {
    let mut number = Number::default();
    let filled = getrandom(&mut number, GetRandomFlags::empty());
    match filled {
        Ok(NUMBER) => Ok(number),
        Ok(_) => Err(errors::from_system("get a random number", &std::io::ErrorKind::Other.into())),
        Err(error) => Err(errors::from_system("get a random number", &error.into())),
    }
}

/// Shows that its sender has the key, to a process that has chosen one of the numbers.
fn proof(key: &[u8], role: &[u8], process: &Number, listener: &Number) -> [u8; PROOF] {
    hmac(key, &[role, process, listener].concat())
}

/// HMAC with SHA-256, as in RFC 2104.
fn hmac(key: &[u8], text: &[u8]) -> [u8; PROOF] {
    const BLOCK: usize = 64;
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..PROOF].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Compares in a time that does not depend on where they differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |found, (a, b)| found | (a ^ b)) == 0
}

#[cold]
fn failed(what: &str, path: &Path, error: Errno) -> Error {
    errors::from_system(&format!("{what} {}", path.display()), &error.into())
}

#[cold]
fn no_listener(path: &Path) -> Error {
    Error::new(ErrorKind::Closed, format!("nobody listens at {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_an_hmac() {
        // Test case 2 of RFC 4231.
        assert_eq!(hmac(b"Jefe", b"what do ya want for nothing?")[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let (one, other) = ([1; NUMBER], [2; NUMBER]);
        assert_ne!(proof(b"key", b"process", &one, &other), proof(b"key", b"listener", &one, &other));
        assert_ne!(proof(b"key", b"process", &one, &other), proof(b"kez", b"process", &one, &other));
        assert_ne!(proof(&[1; 65], b"process", &one, &other), proof(&[1; 64], b"process", &one, &other));
    }
}
