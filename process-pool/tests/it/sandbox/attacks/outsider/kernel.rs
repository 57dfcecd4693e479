//! Attempts at the kernel, and at facts about other processes, by calls that few programs make.

use std::ptr::null;

use super::{Attempt, Got, Reply, World, call, got, reaches};
use crate::system_call;

/// Makes a row that asks for a fact about the parent.
macro_rules! of_parent {
    ($name:literal, |$parent:ident| $call:expr) => {
        Attempt {
            name: $name,
            run: |world| {
                let $parent = world.parent;
                got($call)
            },
            reply: Reply::Stopped,
        }
    };
}

pub const ATTEMPTS: &[Attempt] = &[
    #[cfg(target_arch = "x86_64")]
    call!("kexec_file_load", libc::SYS_kexec_file_load, -1, -1, 0, null::<u8>(), 99),
    call!("swapoff", libc::SYS_swapoff, null::<u8>()),
    call!("settimeofday", libc::SYS_settimeofday, 1, null::<u8>()),
    call!("clock_adjtime", libc::SYS_clock_adjtime, 99, null::<u8>()),
    call!("the domain's name", libc::SYS_setdomainname, null::<u8>(), -1),
    call!("quotactl_fd", 443, -1, 0, 0, null::<u8>()),
    call!("io_setup", libc::SYS_io_setup, 0, null::<u8>()),
    call!("io_submit", libc::SYS_io_submit, 0, 1, null::<u8>()),
    call!("io_uring_enter", 426, -1, 0, 0, 0, null::<u8>(), 0),
    call!("io_uring_register", 427, -1, 99, null::<u8>(), 0),
    call!("fanotify_mark", libc::SYS_fanotify_mark, -1, 0, 0_i64, -1, null::<u8>()),
    call!("inotify_add_watch", libc::SYS_inotify_add_watch, -1, null::<u8>(), 0),
    call!("a list of security modules", 461, null::<u8>(), null::<u8>(), 0),
    call!("its security attributes", 459, 100, null::<u8>(), null::<u8>(), 0),
    call!("set its security attributes", 460, 100, null::<u8>(), 0, 0),
    call!("cachestat", 451, -1, null::<u8>(), null::<u8>(), 0),
    call!("a shadow stack", 453, 1, 0, 99),
    call!("syncfs", libc::SYS_syncfs, -1),
    call!("migrate_pages of another process", libc::SYS_migrate_pages, 1, 0, null::<u8>(), null::<u8>()),
    call!("set_mempolicy", libc::SYS_set_mempolicy, 99, null::<u8>(), 0),
    call!("pidfd_open of itself", 434, std::process::id(), 0),
    call!("a signal by PIDFD_SELF", 424, -10000, 0, null::<u8>(), 99),
    call!("shmat", libc::SYS_shmat, -1, null::<u8>(), 0),
    call!("msgctl", libc::SYS_msgctl, 0, 3, [0_u64; 32].as_mut_ptr()),
    call!("semctl", libc::SYS_semctl, 0, 0, 19, [0_u64; 32].as_mut_ptr()),
    call!("mq_unlink", libc::SYS_mq_unlink, c"there-is-no-such-queue".as_ptr()),
    call!("umount by an empty path", libc::SYS_umount2, c"".as_ptr(), 8),
    Attempt { name: "rt_tgsigqueueinfo", run: queue_to_a_thread, reply: Reply::Stopped },
    Attempt {
        name: "sched_setattr of the parent",
        run: |world| reaches(system_call!(libc::SYS_sched_setattr, world.parent, null::<u8>(), 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "sched_setparam of the parent",
        run: |world| reaches(system_call!(libc::SYS_sched_setparam, world.parent, [0_i32].as_ptr())),
        reply: Reply::Stopped,
    },
    of_parent!("sched_getattr of the parent", |parent| {
        system_call!(libc::SYS_sched_getattr, parent, [0_u64; 16].as_mut_ptr(), 128, 0)
    }),
    of_parent!("getpriority of the parent", |parent| system_call!(libc::SYS_getpriority, 0, parent)),
    of_parent!("ioprio_get of the parent", |parent| system_call!(libc::SYS_ioprio_get, 1, parent)),
    of_parent!("getsid of the parent", |parent| system_call!(libc::SYS_getsid, parent)),
    of_parent!("the time that the parent has computed", |parent| {
        system_call!(libc::SYS_clock_gettime, processor_clock(parent), [0_u64; 2].as_mut_ptr())
    }),
    of_parent!("the resolution of the parent's clock", |parent| {
        system_call!(libc::SYS_clock_getres, processor_clock(parent), [0_u64; 2].as_mut_ptr())
    }),
    of_parent!("sleep until the parent computes", |parent| {
        let time = [0_u64; 2];
        system_call!(libc::SYS_clock_nanosleep, processor_clock(parent), 0, time.as_ptr(), null::<u8>())
    }),
    call!("a reaper of others", libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0),
    Attempt {
        name: "share a core with the parent",
        run: |world| reaches(system_call!(libc::SYS_prctl, 62, 0, world.parent, 0, 0)),
        reply: Reply::Stopped,
    },
    call!("a mode of seccomp that there is not", libc::SYS_prctl, libc::PR_SET_SECCOMP, 99, 0, 0, 0),
    call!("secure bits", libc::SYS_prctl, libc::PR_SET_SECUREBITS, 0, 0, 0, 0),
    call!("an ambient capability", libc::SYS_prctl, libc::PR_CAP_AMBIENT, 2, 999, 0, 0),
    call!("drop a capability", libc::SYS_prctl, libc::PR_CAPBSET_DROP, 999, 0, 0, 0),
    call!("errors of memory", libc::SYS_prctl, libc::PR_MCE_KILL, 99, 0, 0, 0),
    call!("flush input and output", libc::SYS_prctl, 57, 99, 0, 0, 0),
    call!("speculation", libc::SYS_prctl, 53, 99, 99, 0, 0),
    call!("merge memory with others", libc::SYS_prctl, 67, 99, 0, 0, 0),
    call!("dispatch calls itself", libc::SYS_prctl, 59, 99, 0, 0, 0),
    call!("the counter of time", libc::SYS_prctl, libc::PR_SET_TSC, 99, 0, 0, 0),
    #[cfg(target_arch = "x86_64")]
    call!("ioperm", libc::SYS_ioperm, 0x1_0000, 0x1_0000, 1),
    #[cfg(target_arch = "x86_64")]
    call!("the list of file systems", libc::SYS_sysfs, 3),
    #[cfg(target_arch = "x86_64")]
    call!("ustat", libc::SYS_ustat, 0, [0_u64; 16].as_mut_ptr()),
];

/// Returns the clock of the time that a process has computed.
fn processor_clock(process: i32) -> i32 {
    (!process << 3) | 2
}

fn queue_to_a_thread(world: &World) -> Got {
    let information = [0_i32, 0, -1, 0].repeat(8);
    got(system_call!(libc::SYS_rt_tgsigqueueinfo, world.parent, world.parent, 0, information.as_ptr()))
}
