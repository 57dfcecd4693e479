//! Attempts at other processes, and at making some.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    process::Command,
    ptr::{null, null_mut},
};

use super::{Attempt, Got, Reply, World, errno, from_io, got, reaches};
use crate::system_call;

const DENIED: Reply = Reply::Fails(libc::EACCES);
const BIRTH: Reply = Reply::Fails(libc::EPERM);
/// The C library musl signals its own threads by this call, which names a thread and not its process, so that a filter
/// does not know whose thread it is. There Landlock refuses it, with an error in every mode, or the filter, where
/// Landlock has no rule about signals.
const ONE_THREAD: Reply = if cfg!(target_env = "musl") { Reply::Stopped } else { Reply::Refused };

pub const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "read the parent's memory", run: |world| read_memory(world.parent, world), reply: DENIED },
    Attempt { name: "write the parent's memory", run: write_memory, reply: DENIED },
    Attempt { name: "read a sibling's maps", run: |world| open(world.sibling, "maps"), reply: DENIED },
    Attempt { name: "open a sibling's memory", run: |world| open(world.sibling, "mem"), reply: DENIED },
    Attempt { name: "read the parent's environment", run: |world| open(world.parent, "environ"), reply: DENIED },
    Attempt { name: "open the parent's files", run: |world| open(world.parent, "fd/2"), reply: DENIED },
    Attempt { name: "list processes", run: |_| from_io(fs::read_dir("/proc")), reply: DENIED },
    Attempt {
        name: "ptrace",
        run: |world| reaches(system_call!(libc::SYS_ptrace, libc::PTRACE_PEEKDATA, world.parent, 0, 0)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "process_vm_readv",
        run: |world| transfer(libc::SYS_process_vm_readv, world),
        reply: Reply::Refused,
    },
    Attempt {
        name: "process_vm_writev",
        run: |world| transfer(libc::SYS_process_vm_writev, world),
        reply: Reply::Refused,
    },
    Attempt {
        name: "kcmp",
        run: |world| reaches(system_call!(libc::SYS_kcmp, world.parent, std::process::id(), 0, 0, 0)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "move_pages",
        run: |world| got(system_call!(libc::SYS_move_pages, world.parent, 0, 0, 0, 0, 0)),
        reply: Reply::Refused,
    },
    Attempt { name: "pidfd_open", run: |world| pidfd(world.parent).map(|fd| fd.to_string()), reply: Reply::Refused },
    Attempt { name: "pidfd_getfd", run: |_| reaches(system_call!(438, -1, 0, 0)), reply: Reply::Refused },
    Attempt { name: "an inherited pidfd", run: |_| inherited_pidfd(), reply: Reply::Refused },
    Attempt { name: "process_madvise", run: |_| reaches(system_call!(440, -1, 0, 0, 0, 0)), reply: Reply::Refused },
    Attempt { name: "process_mrelease", run: |_| reaches(system_call!(448, -1, 0)), reply: Reply::Refused },
    Attempt {
        name: "kill the parent",
        run: |world| got(system_call!(libc::SYS_kill, world.parent, 0)),
        reply: Reply::Refused,
    },
    Attempt { name: "kill everything", run: |_| got(system_call!(libc::SYS_kill, -1, 0)), reply: Reply::Refused },
    Attempt {
        name: "kill the parent's group",
        run: |world| reaches(system_call!(libc::SYS_kill, -world.parent, 0)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "tgkill",
        run: |world| got(system_call!(libc::SYS_tgkill, world.parent, world.parent, 0)),
        reply: Reply::Refused,
    },
    Attempt { name: "tkill", run: |world| got(system_call!(libc::SYS_tkill, world.parent, 0)), reply: ONE_THREAD },
    Attempt {
        name: "rt_sigqueueinfo",
        run: |world| {
            got(system_call!(libc::SYS_rt_sigqueueinfo, world.parent, 0, [0_i32, 0, -1, 0].repeat(8).as_ptr()))
        },
        reply: Reply::Refused,
    },
    Attempt {
        name: "prlimit of the parent",
        run: |world| {
            got(system_call!(libc::SYS_prlimit64, world.parent, libc::RLIMIT_NOFILE, 0, [0_u64; 2].as_mut_ptr()))
        },
        reply: Reply::Refused,
    },
    Attempt {
        name: "the parent's processors",
        run: |world| got(system_call!(libc::SYS_sched_setaffinity, world.parent, 128, [u64::MAX; 16].as_ptr())),
        reply: Reply::Refused,
    },
    Attempt {
        name: "its own processors",
        run: |_| got(system_call!(libc::SYS_sched_setaffinity, 0, 128, [u64::MAX; 16].as_ptr())),
        reply: Reply::Refused,
    },
    Attempt {
        name: "the parent's priority",
        run: |world| got(system_call!(libc::SYS_setpriority, libc::PRIO_PROCESS, world.parent, 0)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "the parent's input and output",
        run: |world| got(system_call!(libc::SYS_ioprio_set, 1, world.parent, 2 << 13 | 4)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "the parent's scheduler",
        run: |world| got(system_call!(libc::SYS_sched_setscheduler, world.parent, 0, [0_i32].as_ptr())),
        reply: Reply::Refused,
    },
    Attempt {
        name: "the parent's group",
        run: |world| got(system_call!(libc::SYS_getpgid, world.parent)),
        reply: BIRTH,
    },
    Attempt {
        name: "the parent's locks",
        run: |world| {
            got(system_call!(libc::SYS_get_robust_list, world.parent, [0_u64; 1].as_mut_ptr(), [0_u64; 1].as_mut_ptr()))
        },
        reply: BIRTH,
    },
    Attempt { name: "fork", run: |_| born(system_call!(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0)), reply: BIRTH },
    Attempt {
        name: "clone with a user namespace",
        run: |_| born(system_call!(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0)),
        reply: BIRTH,
    },
    Attempt { name: "clone3", run: |_| clone3(), reply: Reply::Fails(libc::ENOSYS) },
    Attempt {
        name: "run a shell",
        run: |_| from_io(Command::new("/bin/sh").args(["-c", "true"]).status()),
        reply: Reply::Nothing,
    },
    Attempt { name: "execve", run: |_| execve(), reply: Reply::Refused },
    Attempt {
        name: "execveat",
        run: |_| reaches(system_call!(libc::SYS_execveat, -1, c"".as_ptr(), null::<u8>(), null::<u8>(), 0)),
        reply: Reply::Refused,
    },
    Attempt { name: "setsid", run: |_| reaches_group(system_call!(libc::SYS_setsid)), reply: Reply::Refused },
    Attempt { name: "setpgid", run: |_| reaches(system_call!(libc::SYS_setpgid, 0, 0)), reply: Reply::Refused },
];

fn open(process: i32, file: &str) -> Got {
    from_io(fs::File::open(format!("/proc/{process}/{file}")))
}

fn read_memory(process: i32, world: &World) -> Got {
    let mut word = [0; 8];
    let memory = fs::File::open(format!("/proc/{process}/mem"));
    from_io(memory.and_then(|memory| memory.read_exact_at(&mut word, world.sentinel)))
}

fn write_memory(world: &World) -> Got {
    let memory = fs::OpenOptions::new().write(true).open(format!("/proc/{}/mem", world.parent));
    from_io(memory.and_then(|memory| memory.write_all_at(&[7; 8], world.sentinel)))
}

fn transfer(number: libc::c_long, world: &World) -> Got {
    let mut word = [9_u64; 1];
    let local = libc::iovec { iov_base: word.as_mut_ptr().cast(), iov_len: 8 };
    let address = std::ptr::with_exposed_provenance_mut(world.sentinel as usize);
    let remote = libc::iovec { iov_base: address, iov_len: 8 };
    got(system_call!(number, world.parent, &raw const local, 1, &raw const remote, 1, 0_u64))
}

fn pidfd(process: i32) -> Result<i64, i32> {
    const PIDFD_OPEN: i64 = 434;
    system_call!(PIDFD_OPEN, process, 0)
}

/// The lifeline has a descriptor of the parent.
fn inherited_pidfd() -> Got {
    const PIDFD_SEND_SIGNAL: i64 = 424;
    let send = |fd: i32| system_call!(PIDFD_SEND_SIGNAL, fd, 0, null::<u8>(), 0);
    (3..64).find_map(|fd| send(fd).ok()).map(|_| "a signal".to_string()).ok_or(libc::EPERM)
}

/// Lets a new process end, and counts it as a success.
fn born(result: Result<i64, i32>) -> Got {
    if result == Ok(0) {
        // SAFETY: it ends this process, which is the new one.
        unsafe { libc::_exit(0) };
    }
    got(result)
}

fn clone3() -> Got {
    const CLONE3: i64 = 435;
    let mut arguments = [0_u64; 8];
    arguments[4] = libc::SIGCHLD as u64;
    born(system_call!(CLONE3, arguments.as_ptr(), 64))
}

fn execve() -> Got {
    let result = system_call!(libc::SYS_execve, c"/there/is/no/such/file".as_ptr(), null_mut::<u8>(), null_mut::<u8>());
    reaches(result.map_err(|_| errno()))
}

/// The leader of a group cannot begin a session, which is `EPERM` without a sandbox, too.
fn reaches_group(result: Result<i64, i32>) -> Got {
    got(result)
}
