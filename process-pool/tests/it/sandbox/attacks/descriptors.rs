//! Attempts by descriptors that a worker has.

use std::{
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    ptr::null_mut,
};

use super::{Attempt, Got, Reply, World, got, reaches};
use crate::system_call;

pub const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "signals to the parent when ready", run: own, reply: Reply::Refused },
    Attempt { name: "another signal when ready", run: |_| command(F_SETSIG, 0), reply: Reply::Refused },
    Attempt { name: "O_ASYNC", run: |_| command(libc::F_SETFL, libc::O_ASYNC), reply: Reply::Refused },
    Attempt { name: "the size of a pipe", run: |_| grow_a_pipe(), reply: Reply::Refused },
    Attempt {
        name: "TIOCSTI",
        run: |_| reaches(system_call!(libc::SYS_ioctl, 0, libc::TIOCSTI, c"x".as_ptr())),
        reply: Reply::Refused,
    },
    Attempt {
        name: "TIOCSTI with bit 32",
        run: |_| reaches(system_call!(libc::SYS_ioctl, 0, TIOCSTI_AND_MORE, c"x".as_ptr())),
        reply: Reply::Refused,
    },
    Attempt {
        name: "FIOASYNC",
        run: |_| reaches(system_call!(libc::SYS_ioctl, 0, 0x5452, &raw const WORD)),
        reply: Reply::Refused,
    },
    Attempt { name: "the listed terminal", run: |_| terminal(), reply: Reply::Nothing },
    Attempt {
        name: "a limit whose address has a lower half of zeroes",
        run: |_| limit_at_a_round_address(),
        reply: Reply::Refused,
    },
    Attempt { name: "raise a limit", run: |_| limit(), reply: Reply::Refused },
];

/// Sets the signal that says that a descriptor is ready.
const F_SETSIG: i32 = 10;

/// `TIOCSTI` with a bit that the kernel ignores, because it takes an `int`.
const TIOCSTI_AND_MORE: u64 = 0x1_0000_5412;

static WORD: i32 = 0;

fn own(world: &World) -> Got {
    let (one, _other) = UnixStream::pair().map_err(|error| error.raw_os_error().unwrap_or(-1))?;
    got(system_call!(libc::SYS_fcntl, one.as_raw_fd(), libc::F_SETOWN, world.parent))
}

fn command(command: i32, argument: i32) -> Got {
    let (one, _other) = UnixStream::pair().map_err(|error| error.raw_os_error().unwrap_or(-1))?;
    got(system_call!(libc::SYS_fcntl, one.as_raw_fd(), command, argument))
}

fn grow_a_pipe() -> Got {
    let mut ends = [-1; 2];
    system_call!(libc::SYS_pipe2, ends.as_mut_ptr(), 0)?;
    got(system_call!(libc::SYS_fcntl, ends[0], libc::F_SETPIPE_SZ, 8192))
}

/// Programs without a terminal must not find one by a descriptor that they have inherited.
fn terminal() -> Got {
    // SAFETY: it only looks at descriptors.
    let found = (0..64).find(|fd| unsafe { libc::isatty(*fd) } == 1);
    found.map(|fd| format!("descriptor {fd}")).ok_or(libc::ENOTTY)
}

fn limit() -> Got {
    let mut limit = [0_u64; 2];
    system_call!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, limit.as_mut_ptr())?;
    got(system_call!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, limit.as_ptr(), 0))
}

/// A filter that compares 32 bits of a pointer takes this one for none.
fn limit_at_a_round_address() -> Got {
    let address = std::ptr::without_provenance_mut::<u64>(1 << 33);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    system_call!(libc::SYS_mmap, address, 4096, protection, flags, -1, 0_i64)?;
    system_call!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, null_mut::<u64>(), address)?;
    let result = system_call!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, address, 0);
    let _ = system_call!(libc::SYS_munmap, address, 4096);
    got(result)
}
