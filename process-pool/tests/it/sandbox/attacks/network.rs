//! Attempts at networks and sockets.

use std::{
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd as _, RawFd},
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixStream},
    },
    path::Path,
    ptr::null,
};

use super::{Attempt, Got, Reply, World, from_io, got};
use crate::system_call;

pub const ATTEMPTS: &[Attempt] = &[
    Attempt {
        name: "connect by TCP",
        run: |world| from_io(TcpStream::connect(("127.0.0.1", world.port))),
        reply: Reply::Refused,
    },
    Attempt { name: "listen by TCP", run: |_| from_io(TcpListener::bind("127.0.0.1:0")), reply: Reply::Refused },
    Attempt { name: "UDP", run: |_| from_io(UdpSocket::bind("127.0.0.1:0")), reply: Reply::Refused },
    Attempt {
        name: "a Unix socket by its path",
        run: |world| from_io(UnixStream::connect(&world.socket)),
        reply: Reply::Refused,
    },
    Attempt { name: "an abstract Unix socket", run: connect_abstract, reply: Reply::Refused },
    Attempt { name: "netlink", run: |_| socket(libc::AF_NETLINK, libc::SOCK_RAW), reply: Reply::Refused },
    Attempt { name: "packets", run: |_| socket(libc::AF_PACKET, libc::SOCK_RAW), reply: Reply::Refused },
    Attempt { name: "vsock", run: |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM), reply: Reply::Refused },
    Attempt { name: "AF_ALG", run: |_| socket(libc::AF_ALG, libc::SOCK_SEQPACKET), reply: Reply::Refused },
    Attempt {
        name: "a pair of datagram sockets",
        run: |_| pair(libc::SOCK_DGRAM).map(|_| "a pair".into()),
        reply: Reply::Refused,
    },
    Attempt { name: "a datagram to a path", run: |world| datagram(&world.datagrams), reply: Reply::Refused },
    Attempt { name: "send an address with a pair", run: |_| with_address(), reply: Reply::Refused },
    Attempt { name: "send a descriptor", run: |_| send_descriptor(), reply: Reply::Refused },
    Attempt { name: "receive descriptors", run: |_| receive_message(), reply: Reply::Refused },
    Attempt { name: "set an option of a socket", run: |_| set_option(), reply: Reply::Refused },
];

fn socket(family: i32, kind: i32) -> Got {
    got(system_call!(libc::SYS_socket, family, kind, 0))
}

fn connect_abstract(world: &World) -> Got {
    let address = SocketAddr::from_abstract_name(&world.abstract_name).expect("a name");
    from_io(UnixStream::connect_addr(&address))
}

fn pair(kind: i32) -> Result<[RawFd; 2], i32> {
    let mut ends = [-1; 2];
    system_call!(libc::SYS_socketpair, libc::AF_UNIX, kind, 0, ends.as_mut_ptr())?;
    Ok(ends)
}

fn address_of(path: &Path) -> libc::sockaddr_un {
    // SAFETY: an address consists of plain numbers.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    let bytes = path.as_os_str().as_encoded_bytes();
    address.sun_path.iter_mut().zip(bytes).for_each(|(into, byte)| *into = *byte as _);
    address
}

fn datagram(path: &Path) -> Got {
    let [end, _] = pair(libc::SOCK_DGRAM)?;
    let address = address_of(path);
    let size = size_of::<libc::sockaddr_un>();
    got(system_call!(libc::SYS_sendto, end, b"x".as_ptr(), 1, libc::MSG_NOSIGNAL, &raw const address, size))
}

/// A stream socket ignores the address, or says that it is connected.
fn with_address() -> Got {
    let [end, _] = pair(libc::SOCK_SEQPACKET)?;
    let address = address_of(Path::new("/nowhere"));
    let size = size_of::<libc::sockaddr_un>();
    got(system_call!(libc::SYS_sendto, end, b"x".as_ptr(), 1, libc::MSG_NOSIGNAL, &raw const address, size))
}

fn send_descriptor() -> Got {
    let (one, _other) = UnixStream::pair().map_err(|error| error.raw_os_error().unwrap_or(-1))?;
    let mut space = [0_u64; 4];
    let mut byte = [0_u8; 1];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: a message of zeroes is empty, and is filled below with memory that is there.
    let message = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = space.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let head = libc::CMSG_FIRSTHDR(&message);
        (*head).cmsg_level = libc::SOL_SOCKET;
        (*head).cmsg_type = libc::SCM_RIGHTS;
        (*head).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(head).cast::<i32>().write_unaligned(one.as_raw_fd());
        message
    };
    got(system_call!(libc::SYS_sendmsg, one.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL))
}

fn receive_message() -> Got {
    let [one, other] = pair(libc::SOCK_STREAM)?;
    system_call!(libc::SYS_write, one, b"x".as_ptr(), 1)?;
    let mut byte = [0_u8; 1];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: a message of zeroes is empty.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    got(system_call!(libc::SYS_recvmsg, other, &raw mut message, 0))
}

fn set_option() -> Got {
    let [one, _] = pair(libc::SOCK_STREAM)?;
    let (value, none) = (1_i32, null::<u8>());
    let result = system_call!(libc::SYS_setsockopt, one, libc::SOL_SOCKET, libc::SO_SNDBUF, &raw const value, 4, none);
    got(result)
}
