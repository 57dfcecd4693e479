//! Arguments with more bits than the kernel looks at. A filter that compares all bits of an `int` takes them for other
//! arguments, and one that compares half of a word overlooks some.

use std::ptr::null_mut;

use super::{Attempt, Got, Reply, World, got, reaches};
use crate::system_call;

pub const ATTEMPTS: &[Attempt] = &[
    Attempt {
        name: "a socket whose family has bit 32",
        run: |_| got(system_call!(libc::SYS_socket, HIGH | 2, 1, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "a socket whose kind has bit 32",
        run: |_| got(system_call!(libc::SYS_socket, 2, HIGH | 2, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "a socket by a number with bit 32",
        run: |_| got(system_call!(HIGH | libc::SYS_socket, 2, 1, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "a file by a number with all high bits",
        run: |_| got(system_call!(HIGHEST | libc::SYS_openat, libc::AT_FDCWD, c"/etc/passwd".as_ptr(), libc::O_RDONLY)),
        reply: Reply::Stopped,
    },
    Attempt { name: "a pair of datagram sockets with bit 32", run: |_| pair(HIGH | 1, 2), reply: Reply::Stopped },
    Attempt { name: "a pair whose kind has bit 32", run: |_| pair(1, HIGH | 2), reply: Reply::Stopped },
    Attempt { name: "a pair of raw sockets", run: |_| pair(1, libc::SOCK_RAW.into()), reply: Reply::Stopped },
    Attempt {
        name: "signal the parent with bit 32",
        run: |world| got(system_call!(libc::SYS_kill, HIGH | i64::from(world.parent), 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "signal everything with zeroes above",
        run: |_| got(system_call!(libc::SYS_kill, 0xffff_ffff_i64, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "signal everything with other bits above",
        run: |_| got(system_call!(libc::SYS_kill, 0x7_ffff_ffff_i64, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "tgkill with bit 32",
        run: |world| {
            let parent = HIGH | i64::from(world.parent);
            got(system_call!(libc::SYS_tgkill, parent, parent, 0))
        },
        reply: Reply::Stopped,
    },
    Attempt { name: "limits of the parent with bit 32", run: limits, reply: Reply::Stopped },
    Attempt {
        name: "prctl with bit 32",
        run: |_| got(system_call!(libc::SYS_prctl, HIGH | i64::from(libc::PR_SET_DUMPABLE), 1, 0, 0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "fcntl with bit 32",
        run: |world| {
            let command = HIGH | i64::from(libc::F_SETOWN);
            reaches(system_call!(libc::SYS_fcntl, 0, command, world.parent))
        },
        reply: Reply::Stopped,
    },
    Attempt { name: "O_ASYNC with bit 32", run: |_| asynchronous(), reply: Reply::Stopped },
    Attempt {
        name: "shared memory with bit 32",
        run: |_| map(HIGH | i64::from(libc::MAP_SHARED | libc::MAP_ANONYMOUS)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "shared memory that is locked and populated",
        run: |_| map((libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_POPULATE | libc::MAP_NORESERVE).into()),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "shared memory of huge pages",
        run: |_| map((libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB).into()),
        reply: Reply::Stopped,
    },
    Attempt { name: "poison a page with bit 32", run: |_| advise(0, HIGH | 100), reply: Reply::Stopped },
    Attempt { name: "remove a page with bit 32", run: |_| advise(4096, HIGH | 9), reply: Reply::Stopped },
    Attempt {
        name: "a process with bit 32",
        run: |_| born(system_call!(libc::SYS_clone, HIGH | i64::from(libc::SIGCHLD), 0, 0, 0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "a process as a child of the parent",
        run: |_| born(system_call!(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "a process that shares descriptors",
        run: |_| born(system_call!(libc::SYS_clone, libc::CLONE_FILES | libc::CLONE_FS | libc::SIGCHLD, 0, 0, 0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "a process with other input and output",
        run: |_| born(system_call!(libc::SYS_clone, CLONE_IO | libc::CLONE_SYSVSEM | libc::SIGCHLD, 0, 0, 0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the parent's priority with bit 32",
        run: |world| got(system_call!(libc::SYS_setpriority, HIGH, HIGH | i64::from(world.parent), 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the priority of all processes of the user",
        run: |_| reaches(system_call!(libc::SYS_setpriority, libc::PRIO_USER, 0x7fff_fff0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "TIOCLINUX with bit 32",
        run: |_| reaches(system_call!(libc::SYS_ioctl, 0, HIGH | 0x541c, c"\x02".as_ptr())),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "the controlling terminal with bit 32",
        run: |_| reaches(system_call!(libc::SYS_ioctl, 0, HIGH | 0x540e, 0)),
        reply: Reply::Stopped,
    },
];

const HIGH: i64 = 1 << 32;
const HIGHEST: i64 = -1 << 32;
const CLONE_IO: i32 = 0x8000_0000_u32 as i32;

/// Lets a new process end, and counts it as a success.
pub fn born(result: Result<i64, i32>) -> Got {
    if result == Ok(0) {
        // SAFETY: it ends this process, which is the new one.
        unsafe { libc::_exit(0) };
    }
    got(result)
}

fn pair(family: i64, kind: i64) -> Got {
    let mut ends = [-1; 2];
    let made = system_call!(libc::SYS_socketpair, family, kind, 0, ends.as_mut_ptr());
    ends.iter().filter(|end| **end >= 0).for_each(|end| _ = system_call!(libc::SYS_close, *end));
    got(made)
}

fn limits(world: &World) -> Got {
    let mut limit = [0_u64; 2];
    let parent = HIGH | i64::from(world.parent);
    got(system_call!(libc::SYS_prlimit64, parent, libc::RLIMIT_NOFILE, 0, limit.as_mut_ptr()))
}

fn asynchronous() -> Got {
    let mut ends = [-1; 2];
    system_call!(libc::SYS_pipe2, ends.as_mut_ptr(), 0)?;
    let set = system_call!(libc::SYS_fcntl, ends[0], HIGH | i64::from(libc::F_SETFL), libc::O_ASYNC);
    ends.iter().for_each(|end| _ = system_call!(libc::SYS_close, *end));
    got(set)
}

fn map(flags: i64) -> Got {
    let length = if flags & i64::from(libc::MAP_HUGETLB) == 0 { 4096 } else { 2 << 20 };
    let at = system_call!(libc::SYS_mmap, null_mut::<u8>(), length, libc::PROT_READ, flags, -1, 0_i64)?;
    let _ = system_call!(libc::SYS_munmap, at, length);
    Ok("mapped".into())
}

fn advise(length: usize, advice: i64) -> Got {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let at = system_call!(libc::SYS_mmap, null_mut::<u8>(), 4096, libc::PROT_READ, flags, -1, 0_i64)?;
    let result = reaches(system_call!(libc::SYS_madvise, at, length, advice));
    let _ = system_call!(libc::SYS_munmap, at, 4096);
    result
}
