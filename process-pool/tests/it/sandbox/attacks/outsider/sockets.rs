//! Attempts at networks beside the one that a sandbox grants: connections by TCP to one port.

use std::{net::TcpStream, os::fd::AsRawFd as _};

use super::{
    Got, from_io, got,
    grants::{Row, Tree},
    reaches,
};
use crate::{sandbox::attacks::files::path, system_call};

/// With a grant of connections to the port `granted`.
pub const ROWS: &[Row] = &[
    ("another port by MPTCP", |tree| connect(tree.port, libc::SOCK_STREAM, 262)),
    ("another port by SCTP", |tree| connect(tree.port, libc::SOCK_STREAM, 132)),
    ("another port by SMC", |tree| connect(tree.port, libc::SOCK_STREAM, 256)),
    ("another port by DCCP", |tree| connect(tree.port, 6, 33)),
    ("another port by UDP", |tree| connect(tree.port, libc::SOCK_DGRAM, 0)),
    ("another port by UDP-Lite", |tree| connect(tree.port, libc::SOCK_DGRAM, 136)),
    ("another port by a mapped address", |tree| from_io(TcpStream::connect(("::ffff:127.0.0.1", tree.port)))),
    ("another port by a fast open", |tree| {
        let (socket, address) = (socket(libc::AF_INET, libc::SOCK_STREAM, 0)?, address(tree.port));
        let data = b"x".as_ptr();
        got(system_call!(libc::SYS_sendto, socket, data, 1, FAST_OPEN, &raw const address, 16))
    }),
    ("another port by a fast open with bit 32", |tree| {
        let (socket, address) = (socket(libc::AF_INET, libc::SOCK_STREAM, 0)?, address(tree.port));
        let flags = 1_i64 << 32 | i64::from(FAST_OPEN);
        let data = b"x".as_ptr();
        got(system_call!(libc::SYS_sendto, socket, data, 1, flags, &raw const address, 16))
    }),
    ("another port by a fast open of a message", |tree| {
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        with_message(&address(tree.port), 16, |message| system_call!(libc::SYS_sendmsg, socket, message, FAST_OPEN))
    }),
    ("another port by a fast open of messages", |tree| {
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        with_message(&address(tree.port), 16, |message| system_call!(libc::SYS_sendmmsg, socket, message, 1, FAST_OPEN))
    }),
    ("another port after the one that is granted", |tree| {
        let socket =
            TcpStream::connect(("127.0.0.1", tree.granted)).map_err(|error| error.raw_os_error().unwrap_or(-1))?;
        let (socket, address) = (socket.as_raw_fd(), address(tree.port));
        system_call!(libc::SYS_connect, socket, [0_u64; 2].as_ptr(), 16)?;
        got(system_call!(libc::SYS_connect, socket, &raw const address, 16))
    }),
    ("a fast open by an option", |tree| {
        let (socket, address) = (socket(libc::AF_INET, libc::SOCK_STREAM, 0)?, address(tree.port));
        let on = [1_i32];
        system_call!(libc::SYS_setsockopt, socket, libc::IPPROTO_TCP, 30, on.as_ptr(), 4)?;
        system_call!(libc::SYS_connect, socket, &raw const address, 16)?;
        got(system_call!(libc::SYS_write, socket, b"x".as_ptr(), 1))
    }),
    ("listen without binding", |_| {
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        got(system_call!(libc::SYS_listen, socket, 1))
    }),
    ("bind to any port", |_| {
        let (socket, address) = (socket(libc::AF_INET, libc::SOCK_STREAM, 0)?, address(0));
        got(system_call!(libc::SYS_bind, socket, &raw const address, 16))
    }),
    ("raw packets", |_| got(system_call!(libc::SYS_socket, libc::AF_INET, libc::SOCK_RAW, 1))),
    ("raw packets of IPv6", |_| got(system_call!(libc::SYS_socket, libc::AF_INET6, libc::SOCK_RAW, 58))),
    ("the routes", |_| got(system_call!(libc::SYS_socket, libc::AF_NETLINK, libc::SOCK_RAW, 0))),
    ("a datagram to a path by a message", |tree| {
        let socket = pair(libc::SOCK_DGRAM)?;
        let address = unix(tree);
        let size = size_of::<libc::sockaddr_un>() as u32;
        with_message(&address, size, |message| system_call!(libc::SYS_sendmsg, socket, message, libc::MSG_NOSIGNAL))
    }),
    ("a datagram to a path by a pair of raw sockets", |tree| {
        let socket = pair(libc::SOCK_RAW)?;
        let address = unix(tree);
        let size = size_of::<libc::sockaddr_un>() as u32;
        with_message(&address, size, |message| system_call!(libc::SYS_sendmsg, socket, message, libc::MSG_NOSIGNAL))
    }),
    ("the interfaces", |_| {
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        got(system_call!(libc::SYS_ioctl, socket, 0x8912, [0_u64; 2].as_mut_ptr()))
    }),
    ("rename an interface", |_| {
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        reaches(system_call!(libc::SYS_ioctl, socket, 0x8923, [0_u64; 5].as_mut_ptr()))
    }),
    ("a filter program", |_| {
        // A program of one step, which accepts a packet.
        let code = [0x0000_ffff_0000_0006_u64];
        let program = [1_usize, code.as_ptr().expose_provenance()];
        let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        got(system_call!(libc::SYS_setsockopt, socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program.as_ptr(), 16))
    }),
    ("a filter program of the other kind", |_| option(libc::SOL_SOCKET, 50)),
    ("repair a connection", |_| option(libc::IPPROTO_TCP, 19)),
    ("rules of the firewall", |_| option(libc::IPPROTO_IP, 64)),
    ("addresses of others", |_| option(libc::IPPROTO_IP, 19)),
];

/// With a grant of all networks.
pub const ROWS_OF_ANY: &[Row] = &[
    ("raw packets", |_| got(system_call!(libc::SYS_socket, libc::AF_INET, libc::SOCK_RAW, 1))),
    ("raw packets with flags", |_| {
        got(system_call!(libc::SYS_socket, libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 1))
    }),
    ("packets of the old kind", |_| got(system_call!(libc::SYS_socket, libc::AF_INET, 10, 0x300))),
    ("packets", |_| got(system_call!(libc::SYS_socket, libc::AF_PACKET, libc::SOCK_DGRAM, 0))),
    ("the routes", |_| got(system_call!(libc::SYS_socket, libc::AF_NETLINK, libc::SOCK_RAW, 0))),
    ("events of devices", |_| got(system_call!(libc::SYS_socket, libc::AF_NETLINK, libc::SOCK_DGRAM, 15))),
    ("the kernel's tunnel", |_| got(system_call!(libc::SYS_socket, 15, libc::SOCK_RAW, 2))),
    ("the machine below", |_| got(system_call!(libc::SYS_socket, libc::AF_VSOCK, libc::SOCK_STREAM, 0))),
    ("XDP", |_| got(system_call!(libc::SYS_socket, 44, libc::SOCK_RAW, 0))),
    ("a datagram to a path by a message", |tree| {
        let socket = pair(libc::SOCK_DGRAM)?;
        let address = unix(tree);
        let size = size_of::<libc::sockaddr_un>() as u32;
        with_message(&address, size, |message| system_call!(libc::SYS_sendmsg, socket, message, libc::MSG_NOSIGNAL))
    }),
    ("a datagram to a path by a connection", |tree| {
        let socket = pair(libc::SOCK_DGRAM)?;
        let address = unix(tree);
        system_call!(libc::SYS_connect, socket, &raw const address, size_of::<libc::sockaddr_un>())?;
        got(system_call!(libc::SYS_write, socket, b"x".as_ptr(), 1))
    }),
    ("a path for a pair", |tree| {
        let socket = pair(libc::SOCK_STREAM)?;
        let mut address = unix(tree);
        let name = path(&tree.root.join("b/bound"));
        address.sun_path.iter_mut().for_each(|byte| *byte = 0);
        address.sun_path.iter_mut().zip(name.as_bytes()).for_each(|(into, byte)| *into = *byte as _);
        got(system_call!(libc::SYS_bind, socket, &raw const address, size_of::<libc::sockaddr_un>()))
    }),
];

const FAST_OPEN: i32 = 0x2000_0000;

fn socket(family: i32, kind: i32, protocol: i32) -> Result<i64, i32> {
    system_call!(libc::SYS_socket, family, kind, protocol)
}

fn pair(kind: i32) -> Result<i32, i32> {
    let mut ends = [-1; 2];
    system_call!(libc::SYS_socketpair, libc::AF_UNIX, kind, 0, ends.as_mut_ptr())?;
    Ok(ends[0])
}

fn address(port: u16) -> libc::sockaddr_in {
    let local = libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) };
    libc::sockaddr_in { sin_family: libc::AF_INET as u16, sin_port: port.to_be(), sin_addr: local, sin_zero: [0; 8] }
}

fn unix(tree: &Tree) -> libc::sockaddr_un {
    // SAFETY: an address consists of plain numbers.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    let name = path(&tree.root.join("datagrams"));
    address.sun_path.iter_mut().zip(name.as_bytes()).for_each(|(into, byte)| *into = *byte as _);
    address
}

fn connect(port: u16, kind: i32, protocol: i32) -> Got {
    let (socket, address) = (socket(libc::AF_INET, kind, protocol)?, address(port));
    got(system_call!(libc::SYS_connect, socket, &raw const address, 16))
}

fn option(level: i32, option: i32) -> Got {
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    let on = [1_i32, 0];
    reaches(system_call!(libc::SYS_setsockopt, socket, level, option, on.as_ptr(), 4))
}

/// Makes a call with a message of one byte to an address. It is long enough for an array of one message.
fn with_message<T>(address: &T, size: u32, call: impl Fn(*const libc::mmsghdr) -> Result<i64, i32>) -> Got {
    let mut byte = [0_u8; 1];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: a message of zeroes is empty.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_name = std::ptr::from_ref(address).cast_mut().cast();
    message.msg_hdr.msg_namelen = size;
    (message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen) = (&raw mut part, 1);
    got(call(&raw const message))
}
