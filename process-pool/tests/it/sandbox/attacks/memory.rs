//! Attempts at memory that counts for nobody, and at the machine's.

use std::ptr::null_mut;

use super::{Attempt, Got, Reply, got, reaches};
use crate::system_call;

pub const ATTEMPTS: &[Attempt] = &[
    Attempt {
        name: "shared memory",
        run: |_| map(libc::MAP_SHARED | libc::MAP_ANONYMOUS).map(|at| at.to_string()),
        reply: Reply::Refused,
    },
    Attempt { name: "memfd_create", run: |_| memory_file(), reply: Reply::Refused },
    Attempt { name: "memfd_secret", run: |_| got(system_call!(447, 0)), reply: Reply::Refused },
    Attempt { name: "userfaultfd", run: |_| got(system_call!(libc::SYS_userfaultfd, 1)), reply: Reply::Refused },
    Attempt { name: "poison a page", run: |_| advise(100), reply: Reply::Refused },
    Attempt { name: "take a page off", run: |_| advise(101), reply: Reply::Refused },
    Attempt { name: "remove a page", run: |_| reaches_advice(9), reply: Reply::Refused },
    Attempt { name: "shmget", run: |_| segment(), reply: Reply::Refused },
    Attempt { name: "semget", run: |_| semaphore(), reply: Reply::Refused },
    Attempt { name: "msgget", run: |_| queue(), reply: Reply::Refused },
    Attempt {
        name: "mbind",
        run: |_| reaches(system_call!(libc::SYS_mbind, 0, 0, 0, 0, 0, 0_i64)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "remap_file_pages",
        run: |_| reaches(system_call!(libc::SYS_remap_file_pages, 0, 0, 0, 0, 0)),
        reply: Reply::Refused,
    },
    Attempt { name: "mlockall", run: |_| reaches(system_call!(libc::SYS_mlockall, 0)), reply: Reply::Refused },
    Attempt {
        name: "vmsplice",
        run: |_| reaches(system_call!(libc::SYS_vmsplice, -1, 0, 0, 0)),
        reply: Reply::Refused,
    },
];

fn map(flags: i32) -> Result<i64, i32> {
    system_call!(libc::SYS_mmap, null_mut::<u8>(), 4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0_i64)
}

fn memory_file() -> Got {
    got(system_call!(libc::SYS_memfd_create, c"x".as_ptr(), 0))
}

/// Of no pages at all.
fn advise(advice: i32) -> Got {
    let at = map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)?;
    reaches(system_call!(libc::SYS_madvise, at, 0, advice))
}

fn reaches_advice(advice: i32) -> Got {
    let at = map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)?;
    reaches(system_call!(libc::SYS_madvise, at, 4096, advice))
}

fn segment() -> Got {
    let id = system_call!(libc::SYS_shmget, libc::IPC_PRIVATE, 4096, 0o600)?;
    got(system_call!(libc::SYS_shmctl, id, libc::IPC_RMID, 0))
}

fn semaphore() -> Got {
    let id = system_call!(libc::SYS_semget, libc::IPC_PRIVATE, 1, 0o600)?;
    got(system_call!(libc::SYS_semctl, id, 0, libc::IPC_RMID, 0))
}

fn queue() -> Got {
    let id = system_call!(libc::SYS_msgget, libc::IPC_PRIVATE, 0o600)?;
    got(system_call!(libc::SYS_msgctl, id, libc::IPC_RMID, 0))
}
