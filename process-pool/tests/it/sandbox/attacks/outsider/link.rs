//! Attempts by the descriptors that a worker keeps: those of its link, of the lifeline, and its standard ones.

use std::ptr::null;

use super::{Attempt, Got, Reply, World, got, reaches};
use crate::system_call;

pub const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "a signal by the descriptor of a peer", run: |_| signal_a_peer(), reply: Reply::Stopped },
    Attempt { name: "a description of a peer", run: |_| describe_a_peer(), reply: Reply::Stopped },
    Attempt {
        name: "a namespace by an inherited descriptor",
        run: |_| any(3..64, |fd| (1..=10).find_map(|name| system_call!(libc::SYS_ioctl, fd, PIDFD | name, 0).ok())),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "a description by an inherited descriptor",
        run: |_| any(3..64, |fd| describe(fd).ok()),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the parent's descriptors by an inherited one",
        run: |_| any(3..64, |fd| system_call!(438, fd, 0, 0).ok()),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the parent's memory by an inherited descriptor",
        run: |world| {
            let part = [world.sentinel & !4095, 4096];
            any(3..64, |fd| system_call!(440, fd, part.as_ptr(), 1, libc::MADV_COLD, 0).ok())
        },
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the parent's namespaces by an inherited descriptor",
        run: |_| any(3..64, |fd| system_call!(libc::SYS_setns, fd, 0x4000_0000).err().filter(|e| *e == libc::EINVAL)),
        reply: Reply::Stopped,
    },
    option("a filter of the link", libc::SO_ATTACH_FILTER),
    option("a larger buffer of the link", libc::SO_RCVBUFFORCE),
    option("credentials on the link", libc::SO_PASSCRED),
    option("descriptors of peers on the link", SO_PASSPIDFD),
    option("where to peek on the link", libc::SO_PEEK_OFF),
    option("a mark of the link", libc::SO_MARK),
    option("a time limit of the link", libc::SO_RCVTIMEO),
    Attempt { name: "FIOSETOWN on the link", run: |world| own(0x8901, world), reply: Reply::Stopped },
    Attempt { name: "SIOCSPGRP on the link", run: |world| own(0x8902, world), reply: Reply::Stopped },
    Attempt {
        name: "FIOASYNC on the link",
        run: |_| on_link(|fd| system_call!(libc::SYS_ioctl, fd, 0x5452, [0_i32].as_ptr())),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "F_SETOWN_EX on the link",
        run: |world| on_link(|fd| system_call!(libc::SYS_fcntl, fd, 15, [1, world.parent].as_ptr())),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "F_NOTIFY",
        run: |_| reaches(system_call!(libc::SYS_fcntl, 0, libc::F_NOTIFY, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "F_SETLEASE",
        run: |_| reaches(system_call!(libc::SYS_fcntl, 0, libc::F_SETLEASE, libc::F_RDLCK)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "F_ADD_SEALS",
        run: |_| reaches(system_call!(libc::SYS_fcntl, 0, libc::F_ADD_SEALS, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "an empty message on the link",
        run: |_| on_link(|fd| system_call!(libc::SYS_sendmsg, fd, [0_u64; 8].as_ptr(), libc::MSG_DONTWAIT)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "messages by sendmmsg on the link",
        run: |_| on_link(|fd| system_call!(libc::SYS_sendmmsg, fd, null::<u8>(), 0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "messages by recvmmsg on the link",
        run: |_| on_link(|fd| system_call!(libc::SYS_recvmmsg, fd, null::<u8>(), 0, libc::MSG_DONTWAIT, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "connect the link elsewhere",
        run: |_| on_link(|fd| system_call!(libc::SYS_connect, fd, [libc::AF_UNIX as u16, 0x782f, 0].as_ptr(), 6)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "an abstract name for a pair",
        run: |_| on_pair(|fd| system_call!(libc::SYS_bind, fd, [libc::AF_UNIX as u16].as_ptr(), 2)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "listen on a pair",
        run: |_| on_pair(|fd| system_call!(libc::SYS_listen, fd, 1)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "accept on a pair",
        run: |_| on_pair(|fd| system_call!(libc::SYS_accept4, fd, null::<u8>(), null::<u8>(), 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the interfaces of the network by a pair",
        run: |_| on_pair(|fd| system_call!(libc::SYS_ioctl, fd, 0x8912, [0_u64; 2].as_mut_ptr())),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "rename an interface by a pair",
        run: |_| on_pair(|fd| system_call!(libc::SYS_ioctl, fd, 0x8923, [0_u64; 5].as_mut_ptr())),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the file of a socket",
        run: |_| on_pair(|fd| system_call!(libc::SYS_ioctl, fd, 0x89e0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "clone a file into standard input",
        run: |_| reaches(system_call!(libc::SYS_ioctl, 0, 0x4004_9409, -1)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the flags of a file",
        run: |_| reaches(system_call!(libc::SYS_ioctl, 0, 0x4008_6602, null::<u8>())),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "another descriptor for a terminal",
        run: |_| reaches(system_call!(libc::SYS_ioctl, 0, 0x5441, 0)),
        reply: Reply::Stopped,
    },
];

/// The codes of the calls by the descriptor of a process, without their numbers.
const PIDFD: i64 = 0xff00;
const SO_PEERPIDFD: i32 = 77;
const SO_PASSPIDFD: i32 = 76;

/// Makes a row that sets an option of the link to a value of no bytes.
const fn option(name: &'static str, option: i32) -> Attempt {
    let run: fn(&World) -> Got = match option {
        libc::SO_ATTACH_FILTER => |_| set_option(libc::SO_ATTACH_FILTER),
        libc::SO_RCVBUFFORCE => |_| set_option(libc::SO_RCVBUFFORCE),
        libc::SO_PASSCRED => |_| set_option(libc::SO_PASSCRED),
        SO_PASSPIDFD => |_| set_option(SO_PASSPIDFD),
        libc::SO_PEEK_OFF => |_| set_option(libc::SO_PEEK_OFF),
        libc::SO_MARK => |_| set_option(libc::SO_MARK),
        _ => |_| set_option(libc::SO_RCVTIMEO),
    };
    Attempt { name, run, reply: Reply::Stopped }
}

fn set_option(option: i32) -> Got {
    on_link(|fd| system_call!(libc::SYS_setsockopt, fd, libc::SOL_SOCKET, option, null::<u8>(), 0))
}

/// Returns the first descriptor with which a call has success.
fn any<T>(mut fds: std::ops::Range<i32>, call: impl Fn(i32) -> Option<T>) -> Got {
    fds.find(|fd| call(*fd).is_some()).map(|fd| format!("descriptor {fd}")).ok_or(libc::EPERM)
}

/// Returns the sockets of the link.
fn sockets() -> Vec<i32> {
    let is_socket = |fd: &i32| {
        // SAFETY: a structure of numbers, which the call fills.
        let mut status: libc::stat = unsafe { std::mem::zeroed() };
        let found = system_call!(libc::SYS_fstat, *fd, &raw mut status).is_ok();
        found && status.st_mode & libc::S_IFMT == libc::S_IFSOCK
    };
    (3..64).filter(is_socket).collect()
}

fn on_link(call: impl Fn(i32) -> Result<i64, i32>) -> Got {
    let socket = *sockets().first().ok_or(libc::ENOTSOCK)?;
    reaches(call(socket))
}

fn on_pair(call: impl Fn(i32) -> Result<i64, i32>) -> Got {
    let mut ends = [-1; 2];
    system_call!(libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr())?;
    let result = reaches(call(ends[0]));
    ends.iter().for_each(|end| _ = system_call!(libc::SYS_close, *end));
    result
}

fn own(request: i64, world: &World) -> Got {
    on_link(|fd| {
        let owner = [world.parent];
        let set = system_call!(libc::SYS_ioctl, fd, request, owner.as_ptr());
        let none = [0_i32];
        let _ = system_call!(libc::SYS_ioctl, fd, request, none.as_ptr());
        set
    })
}

/// Returns a descriptor of the process at the other end of the link.
fn peer() -> Result<i64, i32> {
    let mut last = libc::ENOTSOCK;
    for fd in sockets() {
        let (mut value, mut length) = ([-1_i32], [4_u32]);
        let (value_at, length_at) = (value.as_mut_ptr(), length.as_mut_ptr());
        match system_call!(libc::SYS_getsockopt, fd, libc::SOL_SOCKET, SO_PEERPIDFD, value_at, length_at) {
            Ok(_) => return Ok(value[0].into()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn signal_a_peer() -> Got {
    let peer = peer()?;
    let sent = system_call!(424, peer, 0, null::<u8>(), 0);
    let _ = system_call!(libc::SYS_close, peer);
    got(sent)
}

fn describe(fd: i32) -> Result<i64, i32> {
    const PIDFD_GET_INFO: i64 = 0xc040_ff0b;
    let mut information = [0_u64; 8];
    information[0] = 3;
    system_call!(libc::SYS_ioctl, fd, PIDFD_GET_INFO, information.as_mut_ptr())
}

fn describe_a_peer() -> Got {
    let peer = peer()?;
    let described = describe(peer as i32);
    let _ = system_call!(libc::SYS_close, peer);
    got(described)
}
