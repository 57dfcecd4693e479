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
    telemetry::Levels,
    transport::Transport,
};

/// The data that a worker must have before anything else.
///
/// ```text
/// magic u64 | token u64 | build id 20 bytes | transport u8 | initializes u8 | name length u16 | memory limit u64 |
/// parent u32 | copy u64 | rights 48 bytes | core dumps u8 | flags u8 | lineage length u16 | parent name length u16 |
/// sandbox length u32 | levels u8 | name | lineage | parent name | sandbox
/// ```
///
/// The channel for descriptors, and, as far as there are such, the shared memory, the standard input and the pipe for
/// events are attached as descriptors, in this order.
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
    /// What the worker is, as far as it matters to the code that it runs.
    pub(crate) role: Role,
    /// The default name of the process, from which the default names of its own children are made.
    pub(crate) lineage: String,
    /// The name of the parent, and whether it is a daemon.
    pub(crate) parent_name: String,
    pub(crate) parent_is_daemon: bool,
    /// Which of the two output streams the worker writes marks to.
    pub(crate) marks: Marks,
    /// The sandbox of the worker, as [`Rules`](crate::sandbox::Rules) encodes it, or nothing.
    pub(crate) sandbox: Vec<u8>,
    /// Which events and records the worker sends, if there is a pipe for them.
    pub(crate) levels: Levels,
    /// The copy of this crate that sends it: see [`program::copy`](super::program::copy). Other copies ignore it.
    pub(crate) copy: u64,
}

/// Which output streams of a worker are handed over line by line, and so need marks where tasks begin and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

/// What a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A worker of a pool.
    Worker,
    /// A [`Process`](crate::Process), which runs one function. It may be a daemon.
    Process { is_daemon: bool },
}

impl Role {
    pub(crate) fn is_daemon(self) -> bool {
        matches!(self, Role::Process { is_daemon: true })
    }
}

/// The descriptors that come with a greeting. A greeting that a parent has sent has a channel.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) channel: Option<OwnedFd>,
    pub(crate) memory: Option<OwnedFd>,
    pub(crate) input: Option<OwnedFd>,
    pub(crate) telemetry: Option<OwnedFd>,
}

/// The descriptors that go with a greeting.
pub(crate) struct Attachments<'a> {
    pub(crate) channel: BorrowedFd<'a>,
    pub(crate) memory: Option<BorrowedFd<'a>>,
    pub(crate) input: Option<BorrowedFd<'a>>,
    pub(crate) telemetry: Option<BorrowedFd<'a>>,
}

/// The last byte is the version of the protocol. A process with another version is no worker.
const MAGIC: u64 = u64::from_le_bytes(*b"ccfut\0\0\x06");
/// The offset of the copy, and that of the field after it.
const COPY: usize = 52;
const RIGHTS: usize = COPY + 8;
const CORE_DUMPS: usize = RIGHTS + Rights::SIZE;
const FLAGS: usize = CORE_DUMPS + 1;
const LINEAGE: usize = FLAGS + 1;
const PARENT_NAME: usize = LINEAGE + 2;
const SANDBOX: usize = PARENT_NAME + 2;
const LEVELS: usize = SANDBOX + 4;
const HEAD: usize = LEVELS + 1;

/// The offset of the length of the name.
const NAME: usize = 38;

/// The bits of the flags. Three tell which descriptors are attached besides the channel.
const IS_PROCESS: u8 = 1;
const IS_DAEMON: u8 = 1 << 1;
const PARENT_IS_DAEMON: u8 = 1 << 2;
const HAS_MEMORY: u8 = 1 << 3;
const HAS_INPUT: u8 = 1 << 4;
const MARKS_STDOUT: u8 = 1 << 5;
const MARKS_STDERR: u8 = 1 << 6;
const HAS_TELEMETRY: u8 = 1 << 7;

/// Returns the length that is written at this offset of a greeting.
fn length_at(head: &[u8; HEAD], at: usize) -> usize {
    usize::from(u16::from_le_bytes([head[at], head[at + 1]]))
}

/// Returns the lengths of the three names that follow the head, and of the sandbox behind them.
fn lengths(head: &[u8; HEAD]) -> [usize; 4] {
    let sandbox = u32::from_le_bytes([head[SANDBOX], head[SANDBOX + 1], head[SANDBOX + 2], head[SANDBOX + 3]]);
    [length_at(head, NAME), length_at(head, LINEAGE), length_at(head, PARENT_NAME), sandbox as usize]
}

impl Setup {
    fn flags(&self) -> u8 {
        let role = match self.role {
            Role::Worker => 0,
            Role::Process { is_daemon: false } => IS_PROCESS,
            Role::Process { is_daemon: true } => IS_PROCESS | IS_DAEMON,
        };
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        role | flag(self.parent_is_daemon, PARENT_IS_DAEMON)
            | flag(self.marks.stdout, MARKS_STDOUT)
            | flag(self.marks.stderr, MARKS_STDERR)
    }

    fn to_bytes(&self, attached: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.name.len() + self.lineage.len() + self.parent_name.len());
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&self.token.to_le_bytes());
        bytes.extend_from_slice(self.build.as_bytes());
        bytes.push(match self.transport {
            Transport::Ring => 0,
            Transport::Socket => 1,
        });
        bytes.push(u8::from(self.initializes));
        // The builders refuse longer names.
        bytes.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&self.memory_limit.to_le_bytes());
        bytes.extend_from_slice(&self.parent.to_le_bytes());
        bytes.extend_from_slice(&self.copy.to_le_bytes());
        bytes.extend_from_slice(&self.rights.to_bytes());
        bytes.push(self.core_dumps.map_or(2, u8::from));
        bytes.push(self.flags() | attached);
        bytes.extend_from_slice(&(self.lineage.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&(self.parent_name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&(self.sandbox.len() as u32).to_le_bytes());
        bytes.push(self.levels.to_byte());
        for name in [&self.name, &self.lineage, &self.parent_name] {
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.extend_from_slice(&self.sandbox);
        bytes
    }

    /// Decodes a greeting. Returns `None` if this is no greeting, or one of another version.
    fn from_bytes(bytes: &[u8]) -> Option<Setup> {
        let (head, parts) = bytes.split_first_chunk::<HEAD>()?;
        let word = |at: usize| head.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        if word(0)? != MAGIC {
            return None;
        }
        let mut parts = parts;
        let parts = lengths(head).map(|length| {
            let (part, rest) = parts.split_at_checked(length)?;
            parts = rest;
            Some(part)
        });
        let [name, lineage, parent_name, sandbox] = parts;
        let text = |part: Option<&[u8]>| Some(String::from_utf8_lossy(part?).into_owned());
        let flags = head[FLAGS];
        let is_daemon = flags & IS_DAEMON != 0;
        Some(Setup {
            token: word(8)?,
            build: BuildId::from_bytes(head[16..36].try_into().ok()?),
            transport: if head[36] == 0 { Transport::Ring } else { Transport::Socket },
            initializes: head[37] != 0,
            memory_limit: word(40)?,
            parent: u32::from_le_bytes([head[48], head[49], head[50], head[51]]),
            rights: Rights::from_bytes(head[RIGHTS..CORE_DUMPS].try_into().ok()?),
            core_dumps: (head[CORE_DUMPS] < 2).then_some(head[CORE_DUMPS] == 1),
            name: text(name)?,
            role: if flags & IS_PROCESS != 0 { Role::Process { is_daemon } } else { Role::Worker },
            lineage: text(lineage)?,
            parent_name: text(parent_name)?,
            parent_is_daemon: flags & PARENT_IS_DAEMON != 0,
            marks: Marks { stdout: flags & MARKS_STDOUT != 0, stderr: flags & MARKS_STDERR != 0 },
            sandbox: sandbox?.to_vec(),
            levels: Levels::from_byte(head[LEVELS]),
            copy: word(COPY)?,
        })
    }

    /// Writes the greeting. The socket must be empty, so that it takes the greeting as a whole.
    pub(crate) fn send(&self, socket: BorrowedFd<'_>, attachments: &Attachments<'_>) -> io::Result<()> {
        let Attachments { channel, memory, input, telemetry } = *attachments;
        let has_memory = memory.map_or(0, |_| HAS_MEMORY);
        let has_input = input.map_or(0, |_| HAS_INPUT);
        let has_telemetry = telemetry.map_or(0, |_| HAS_TELEMETRY);
        let bytes = self.to_bytes(has_memory | has_input | has_telemetry);
        let descriptors: Vec<BorrowedFd<'_>> =
            std::iter::once(channel).chain(memory).chain(input).chain(telemetry).collect();
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

    /// Takes the greeting, and what is attached to it.
    pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<(Setup, Attached)> {
        // With a socket, requests may follow the greeting immediately. So its exact length is read first.
        let mut head = [0; HEAD];
        socket::peek(socket, &mut head)?;
        let mut bytes = vec![0; HEAD + lengths(&head).iter().sum::<usize>()];
        let (received, descriptors) = socket::receive_with(socket, &mut bytes)?;
        let mut descriptors = descriptors.into_iter();
        let setup = Setup::from_bytes(&bytes[..received]).ok_or(io::ErrorKind::InvalidData)?;
        let channel = descriptors.next();
        let mut take = |flag: u8| if head[FLAGS] & flag != 0 { descriptors.next() } else { None };
        let (memory, input, telemetry) = (take(HAS_MEMORY), take(HAS_INPUT), take(HAS_TELEMETRY));
        Ok((setup, Attached { channel, memory, input, telemetry }))
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
            role: Role::Process { is_daemon: true },
            lineage: "Process-1:2".into(),
            parent_name: "Process-1".into(),
            parent_is_daemon: false,
            marks: Marks { stdout: false, stderr: true },
            sandbox: vec![1, 2, 3],
            levels: Levels::from_byte(0x53),
            copy: 9,
        };
        let (channel, input, telemetry) = (parent.as_fd(), Some(parent.as_fd()), Some(parent.as_fd()));
        setup.send(parent.as_fd(), &Attachments { channel, memory: None, input, telemetry }).expect("sent");
        assert!(!Setup::is_waiting(&worker, 6, 9), "another token");
        assert!(!Setup::is_waiting(&worker, 5, 8), "another copy");
        assert!(Setup::is_waiting(&worker, 5, 9));
        let (read, attached) = Setup::receive(worker.as_fd()).expect("received");
        assert!(attached.channel.is_some() && attached.memory.is_none() && attached.input.is_some());
        assert_eq!(read.sandbox, [1, 2, 3]);
        assert!(attached.telemetry.is_some() && read.levels == Levels::from_byte(0x53));
        assert_eq!(read.marks, Marks { stdout: false, stderr: true });
        assert_eq!((read.role, read.parent_is_daemon), (Role::Process { is_daemon: true }, false));
        assert_eq!((read.lineage.as_str(), read.parent_name.as_str()), ("Process-1:2", "Process-1"));
        assert_eq!((read.token, read.build, read.transport), (5, BuildId::own(), Transport::Socket));
        assert_eq!((read.initializes, read.memory_limit), (true, 1 << 40));
        assert_eq!((read.parent, read.name.as_str(), read.copy), (77, "pool_3", 9));
        assert_eq!((read.rights, read.core_dumps), (credentials::own().expect("known"), Some(false)));
    }
}
