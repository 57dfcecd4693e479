//! Attempts by descriptors that the program has sent to a worker in an argument. A task may use what it is given as it
//! is, and reach nothing else by it.

use std::{
    fs::{self, File},
    io::Write as _,
    net::{TcpListener, UdpSocket},
    os::{
        fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    ptr::null,
};

use executor_core::{Executor as _, codec::handles::Handle};
use process_pool::{ProcessPoolExecutor, Refusal, Sandbox, Transport};

use super::{super::Outcome, Got, errno, got, reaches};
use crate::{
    programs,
    sandbox::attacks::{Reply, become_nobody, is_right, outcome_of, over_both_transports, succeeds_as_nobody},
    support::{builder, get},
    system_call,
};

type Row = (&'static str, fn(&Given) -> Got);

/// What a task has, by the number of its descriptor.
struct Given {
    /// `/`, and a directory with a file.
    root: i32,
    directory: i32,
    /// The program itself, by the descriptor of its process.
    parent: i32,
    /// A file in memory that the program has mapped.
    memory: i32,
    /// The file of the directory, open for reading.
    file: i32,
    /// A socket whose other end has sent a descriptor.
    socket: i32,
    /// Listeners with a connection that waits.
    unix: i32,
    tcp: i32,
    /// A socket for datagrams, bound to a port, and one for connections that has none.
    udp: i32,
    unconnected: i32,
    port: u16,
}

const ROWS: &[Row] = &[
    ("read below a directory", |given| at(given.root, c"etc/passwd")),
    ("read above a directory", |given| at(given.directory, c"..")),
    ("read in a directory", |given| at(given.directory, c"file")),
    ("go to a directory", |given| {
        system_call!(libc::SYS_fchdir, given.root)?;
        super::from_io(fs::read("etc/passwd"))
    }),
    ("remove a file in a directory", |given| {
        reaches(system_call!(libc::SYS_unlinkat, given.directory, c"nothing".as_ptr(), 0))
    }),
    ("make a directory in a directory", |given| {
        got(system_call!(libc::SYS_mkdirat, given.directory, c"new".as_ptr(), 0o700))
    }),
    ("make a link in a directory", |given| {
        got(system_call!(libc::SYS_symlinkat, c"/".as_ptr(), given.directory, c"link".as_ptr()))
    }),
    ("rename in a directory", |given| {
        let (directory, from, to) = (given.directory, c"nothing".as_ptr(), c"other".as_ptr());
        reaches(system_call!(libc::SYS_renameat2, directory, from, directory, to, 0))
    }),
    ("query a file in a directory", |given| {
        let mut status = [0_u64; 32];
        got(system_call!(libc::SYS_newfstatat, given.root, c"etc/passwd".as_ptr(), status.as_mut_ptr(), 0))
    }),
    ("read a link in a directory", |given| {
        let mut text = [0_u8; 64];
        reaches(system_call!(libc::SYS_readlinkat, given.root, c"proc/self".as_ptr(), text.as_mut_ptr(), 64))
    }),
    ("a signal to a process", |given| got(system_call!(424, given.parent, 0, null::<u8>(), 0))),
    ("a descriptor of a process", |given| got(system_call!(438, given.parent, 0, 0))),
    ("facts about a process", |given| {
        let mut information = [0_u64; 8];
        got(system_call!(libc::SYS_ioctl, given.parent, 0xc040_ff0b_u32, information.as_mut_ptr()))
    }),
    ("a seal on the memory that the program has mapped", |given| {
        got(system_call!(libc::SYS_fcntl, given.memory, libc::F_ADD_SEALS, 4))
    }),
    ("run a file in memory", |given| {
        reaches(system_call!(libc::SYS_execveat, given.memory, c"".as_ptr(), null::<u8>(), null::<u8>(), 0x1000))
    }),
    ("open a file again for writing", |given| {
        super::from_io(fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", given.file)))
    }),
    ("permissions of a file", |given| got(system_call!(libc::SYS_fchmod, given.file, 0o644))),
    ("the owner of a file", |given| got(system_call!(libc::SYS_fchown, given.file, -1, -1))),
    ("times of a file", |given| got(system_call!(libc::SYS_utimensat, given.file, null::<u8>(), null::<u8>(), 0))),
    ("a lease on a file", |given| got(system_call!(libc::SYS_fcntl, given.file, libc::F_SETLEASE, libc::F_RDLCK))),
    ("signals about a directory", |given| got(system_call!(libc::SYS_fcntl, given.directory, libc::F_NOTIFY, 2))),
    ("a descriptor that the other end sends", |given| receive(given.socket)),
    ("a descriptor by the number of the channel", |given| {
        // Without a sandbox any number will do. In one, messages can be received from the channel alone.
        let is_free = File::open("/proc/self/status").is_ok();
        let may_receive = |fd: &i32| *fd != given.socket && receive(*fd) == Err(libc::EAGAIN);
        let number = if is_free { 900 } else { (3..32).find(may_receive).ok_or(libc::EPERM)? };
        system_call!(libc::SYS_dup3, given.socket, number, 0)?;
        receive(number)
    }),
    ("send a descriptor to the other end", |given| {
        let mut part = libc::iovec { iov_base: [0_u8; 1].as_mut_ptr().cast(), iov_len: 1 };
        // SAFETY: a message of zeroes is empty.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        got(system_call!(libc::SYS_sendmsg, given.socket, &raw const message, libc::MSG_NOSIGNAL))
    }),
    ("a connection to a path", |given| got(system_call!(libc::SYS_accept4, given.unix, null::<u8>(), null::<u8>(), 0))),
    ("a connection to a port", |given| got(system_call!(libc::SYS_accept, given.tcp, null::<u8>(), null::<u8>()))),
    ("connect a socket", |given| {
        let address = address(given.port);
        got(system_call!(libc::SYS_connect, given.unconnected, &raw const address, 16))
    }),
    ("a fast open", |given| {
        let (address, flags) = (address(given.port), 0x2000_0000);
        got(system_call!(libc::SYS_sendto, given.unconnected, b"x".as_ptr(), 1, flags, &raw const address, 16))
    }),
    ("a datagram to another port", |given| {
        let address = address(given.port);
        got(system_call!(libc::SYS_sendto, given.udp, b"x".as_ptr(), 1, 0, &raw const address, 16))
    }),
    ("bind a socket", |given| {
        let address = address(0);
        got(system_call!(libc::SYS_bind, given.unconnected, &raw const address, 16))
    }),
    ("listen without binding", |given| got(system_call!(libc::SYS_listen, given.unconnected, 1))),
    ("an option of a socket", |given| {
        let on = [1_i32];
        got(system_call!(libc::SYS_setsockopt, given.udp, libc::SOL_SOCKET, libc::SO_BROADCAST, on.as_ptr(), 4))
    }),
    ("the interfaces", |given| got(system_call!(libc::SYS_ioctl, given.udp, 0x8912, [0_u64; 2].as_mut_ptr()))),
];

/// What the program sends, and what it keeps.
struct Gifts {
    handles: Vec<Handle>,
    port: u16,
    directory: tempfile::TempDir,
    _others: Vec<OwnedFd>,
}

impl Gifts {
    fn new() -> Gifts {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("file"), "some text").expect("written");
        let file = || File::open(directory.path().join("file")).expect("it is there");
        let (socket, other) = UnixStream::pair().expect("a pair");
        send(&other, &file());
        let unix_path = directory.path().join("socket");
        let unix = UnixListener::bind(&unix_path).expect("bound");
        let to_unix = UnixStream::connect(&unix_path).expect("connected");
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = tcp.local_addr().expect("bound").port();
        let to_tcp = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connected");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let own = |result: Result<i64, i32>| {
            let fd = result.expect("a descriptor") as i32;
            // SAFETY: the descriptor was made just now, and nothing else has it.
            unsafe { OwnedFd::from_raw_fd(fd) }
        };
        let memory = own(system_call!(libc::SYS_memfd_create, c"x".as_ptr(), libc::MFD_ALLOW_SEALING));
        let mut memory = File::from(memory);
        memory.write_all(&[0; 8192]).expect("written");
        let handles = vec![
            File::open("/").expect("it is there").into(),
            File::open(directory.path()).expect("it is there").into(),
            own(system_call!(434, std::process::id(), 0)),
            memory.into(),
            file().into(),
            socket.into(),
            unix.into(),
            tcp.into(),
            udp.into(),
            own(system_call!(libc::SYS_socket, libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0)),
        ];
        let handles = handles.into_iter().map(Handle::new).collect();
        Gifts { handles, port, directory, _others: vec![other.into(), to_unix.into(), to_tcp.into()] }
    }
}

/// Sends a file through a socket.
fn send(socket: &UnixStream, file: &File) {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = rustix::net::SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    ancillary.push(rustix::net::SendAncillaryMessage::ScmRights(&files));
    let bytes = [std::io::IoSlice::new(b"x")];
    rustix::net::sendmsg(socket, &bytes, &mut ancillary, rustix::net::SendFlags::NOSIGNAL).expect("sent");
}

/// Receives a descriptor.
fn receive(socket: i32) -> Got {
    let (mut byte, mut space) = ([0_u8; 1], [0_u64; 4]);
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: a message of zeroes is empty.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    (message.msg_control, message.msg_controllen) = (space.as_mut_ptr().cast(), size_of_val(&space) as _);
    system_call!(libc::SYS_recvmsg, socket, &raw mut message, libc::MSG_DONTWAIT)?;
    if message.msg_controllen == 0 { Err(libc::EPERM) } else { Ok("a descriptor".into()) }
}

fn at(directory: i32, name: &std::ffi::CStr) -> Got {
    got(system_call!(libc::SYS_openat, directory, name.as_ptr(), libc::O_RDONLY))
}

fn address(port: u16) -> libc::sockaddr_in {
    let local = libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) };
    libc::sockaddr_in { sin_family: libc::AF_INET as u16, sin_port: port.to_be(), sin_addr: local, sin_zero: [0; 8] }
}

fn run(pool: &ProcessPoolExecutor, row: usize) -> (Outcome, Result<(), String>) {
    let gifts = Gifts::new();
    let attempt = |(row, port, handles): (usize, u16, Vec<Handle>)| {
        let fds: Vec<i32> = handles.iter().map(|handle| handle.as_fd().as_raw_fd()).collect();
        let [root, directory, parent, memory, file, socket, unix, tcp, udp, unconnected] = fds[..] else {
            return Err(errno());
        };
        (ROWS[row].1)(&Given { root, directory, parent, memory, file, socket, unix, tcp, udp, unconnected, port })
    };
    let result = pool.submit(attempt, (row, gifts.port, gifts.handles.clone())).and_then(|future| get(&future));
    let length = File::from(gifts.handles[3].as_fd().try_clone_to_owned().expect("a descriptor")).metadata();
    let files: Vec<PathBuf> =
        fs::read_dir(gifts.directory.path()).expect("listed").flatten().map(|entry| entry.path()).collect();
    let harm = match (length.expect("its length").len(), files.len()) {
        (8192, 2) => Ok(()),
        facts => Err(format!("{facts:?}")),
    };
    (outcome_of(result), harm)
}

fn pool(transport: Transport, sandbox: Option<Refusal>) -> ProcessPoolExecutor {
    let builder = builder(transport, 1);
    let builder = match sandbox {
        Some(refusal) => builder.sandbox(Sandbox::compute().on_refusal(refusal).inherit_env("TEST_OUTPUT")),
        None => builder,
    };
    builder.build().expect("this system can keep it")
}

fn attack(transport: Transport) {
    let mut wrong = Vec::new();
    for (row, (name, _)) in ROWS.iter().enumerate() {
        let control = run(&pool(transport, None), row).0;
        if !matches!(control, Outcome::Got(_)) {
            println!("SKIPPED, because it fails without a sandbox, too: {name}: {control:?}");
            continue;
        }
        for refusal in [Refusal::Error, Refusal::Explain, Refusal::Kill] {
            let inside = pool(transport, Some(refusal));
            let (outcome, harm) = run(&inside, row);
            if !is_right(Reply::Stopped, refusal, &outcome) || harm.is_err() {
                wrong.push(format!("{refusal:?}, {name}: {outcome:?}, {harm:?}"));
            }
            let answer = inside.submit(|n: u64| n + 1, 41).and_then(|future| get(&future));
            assert_eq!(answer.expect("the pool goes on"), 42, "{name}");
        }
    }
    assert!(wrong.is_empty(), "{transport:?}: some attempts were not refused as they must be:\n{}", wrong.join("\n"));
}

/// The program that attacks over both transports.
pub fn attacks() {
    over_both_transports(attack);
}

/// The same as an ordinary user.
pub fn attacks_as_nobody() {
    become_nobody();
    attacks();
}

#[test]
fn a_descriptor_that_is_given_leads_nowhere_else() {
    print!("{}", programs::succeeds("attacks_with_descriptors", &[]));
}

#[test]
fn a_descriptor_that_is_given_to_an_ordinary_user_leads_nowhere_else() {
    succeeds_as_nobody("attacks_with_descriptors_as_nobody");
}
