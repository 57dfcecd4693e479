//! The parent's greeting: the first bytes in the socketpair, which are sent before the worker is started.

#[cfg(test)]
mod properties;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use executor_core::function::BuildId;

use crate::{
    sys::{rights::Rights, socket},
    transport::Transport,
};

/// The data that a worker must have before anything else.
///
/// ```text
/// magic u64 | token u64 | build id 20 bytes | transport u8 | initializes u8 | name length u16 | memory limit u64 |
/// parent u32 | copy u64 | rights 48 bytes | core dumps u8 | name
/// ```
///
/// The channel for descriptors, and the shared memory if there is one, are attached as descriptors.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The value of the marker in the environment.
    pub(crate) token: u64,
    pub(crate) build: BuildId,
    pub(crate) transport: Transport,
    /// Whether an initializer follows as the first request.
    pub(crate) initializes: bool,
    /// The memory limit in bytes, or 0 for none.
    pub(crate) memory_limit: u64,
    /// The process that started the worker.
    pub(crate) parent: u32,
    /// The most rights that the worker may have.
    pub(crate) rights: Rights,
    /// Whether it dumps core, or `None` if it does so when the parent does.
    pub(crate) core_dumps: Option<bool>,
    pub(crate) name: String,
    /// The copy of this crate that sends it: see [`program::copy`](super::program::copy). Other copies ignore it.
    pub(crate) copy: u64,
}

/// The last byte is the version of the protocol. A process with another version is no worker.
const MAGIC: u64 = u64::from_le_bytes(*b"ccfut\0\0\x03");
/// The offset of the copy, and that of the field after it.
const COPY: usize = 52;
const RIGHTS: usize = COPY + 8;
const CORE_DUMPS: usize = RIGHTS + Rights::SIZE;
const HEAD: usize = CORE_DUMPS + 1;

impl Setup {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.name.len());
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&self.token.to_le_bytes());
        bytes.extend_from_slice(self.build.as_bytes());
        bytes.push(match self.transport {
            Transport::Ring => 0,
            Transport::Socket => 1,
        });
        bytes.push(u8::from(self.initializes));
        // The builder refuses longer names.
        bytes.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&self.memory_limit.to_le_bytes());
        bytes.extend_from_slice(&self.parent.to_le_bytes());
        bytes.extend_from_slice(&self.copy.to_le_bytes());
        bytes.extend_from_slice(&self.rights.to_bytes());
        bytes.push(self.core_dumps.map_or(2, u8::from));
        bytes.extend_from_slice(self.name.as_bytes());
        bytes
    }

    /// Decodes a greeting. Returns `None` if this is no greeting, or one of another version.
    fn from_bytes(bytes: &[u8]) -> Option<Setup> {
        let (head, name) = bytes.split_first_chunk::<HEAD>()?;
        let word = |at: usize| head.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        if word(0)? != MAGIC {
            return None;
        }
        let length = usize::from(u16::from_le_bytes([head[38], head[39]]));
        Some(Setup {
            token: word(8)?,
            build: BuildId::from_bytes(head[16..36].try_into().ok()?),
            transport: if head[36] == 0 { Transport::Ring } else { Transport::Socket },
            initializes: head[37] != 0,
            memory_limit: word(40)?,
            parent: u32::from_le_bytes([head[48], head[49], head[50], head[51]]),
            rights: Rights::from_bytes(head[RIGHTS..CORE_DUMPS].try_into().ok()?),
            core_dumps: (head[CORE_DUMPS] < 2).then_some(head[CORE_DUMPS] == 1),
            name: String::from_utf8_lossy(name.get(..length)?).into_owned(),
            copy: word(COPY)?,
        })
    }

    /// Writes the greeting. The socket must be empty, so that it takes the greeting as a whole.
    pub(crate) fn send(
        &self,
        socket: BorrowedFd<'_>,
        channel: BorrowedFd<'_>,
        memory: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let bytes = self.to_bytes();
        let descriptors: Vec<BorrowedFd<'_>> = std::iter::once(channel).chain(memory).collect();
        let sent = socket::send_with(socket, &bytes, &descriptors)?;
        if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Returns `true` if a greeting of this copy with this token is in the socket. The greeting stays there.
    pub(crate) fn is_waiting(socket: impl AsFd, token: u64, copy: u64) -> bool {
        let mut head = [0; HEAD];
        let Ok(Some(length)) = socket::peek_now(socket, &mut head) else { return false };
        let is = |at: usize, word: u64| head[at..at + 8] == word.to_le_bytes();
        length == HEAD && is(0, MAGIC) && is(8, token) && is(COPY, copy)
    }

    /// Takes the greeting, and the channel for descriptors and the shared memory that are attached to it.
    pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<(Setup, Option<OwnedFd>, Option<OwnedFd>)> {
        let mut bytes = vec![0; HEAD + usize::from(u16::MAX)];
        // With a socket, requests may follow the greeting immediately. So its exact length is read first.
        let length = {
            let mut head = [0; HEAD];
            socket::peek(socket, &mut head)?;
            HEAD + usize::from(u16::from_le_bytes([head[38], head[39]]))
        };
        let (received, descriptors) = socket::receive_with(socket, &mut bytes[..length])?;
        let mut descriptors = descriptors.into_iter();
        let setup = Setup::from_bytes(&bytes[..received]).ok_or(io::ErrorKind::InvalidData)?;
        Ok((setup, descriptors.next(), descriptors.next()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::credentials;

    #[test]
    fn a_greeting_is_recognised_by_its_token_and_read_back() {
        let (parent, worker) = crate::sys::socket::pair().expect("a socketpair");
        assert!(!Setup::is_waiting(&worker, 5, 9), "nothing was sent yet");
        let setup = Setup {
            token: 5,
            build: BuildId::own(),
            transport: Transport::Socket,
            initializes: true,
            memory_limit: 1 << 40,
            parent: 77,
            rights: credentials::own().expect("known"),
            core_dumps: Some(false),
            name: "pool_3".into(),
            copy: 9,
        };
        setup.send(parent.as_fd(), parent.as_fd(), None).expect("sent");
        assert!(!Setup::is_waiting(&worker, 6, 9), "another token");
        assert!(!Setup::is_waiting(&worker, 5, 8), "another copy");
        assert!(Setup::is_waiting(&worker, 5, 9));
        let (read, channel, memory) = Setup::receive(worker.as_fd()).expect("received");
        assert!(channel.is_some() && memory.is_none());
        assert_eq!((read.token, read.build, read.transport), (5, BuildId::own(), Transport::Socket));
        assert_eq!((read.initializes, read.memory_limit), (true, 1 << 40));
        assert_eq!((read.parent, read.name.as_str(), read.copy), (77, "pool_3", 9));
        assert_eq!((read.rights, read.core_dumps), (credentials::own().expect("known"), Some(false)));
    }
}
