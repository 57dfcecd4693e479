//! Attempts at the kernel, its settings, and more rights.

use std::ptr::{null, null_mut};

use super::{Attempt, Got, Reply, got, reaches};
use crate::system_call;

/// Makes a row for a call that is made with arguments that can do no harm.
macro_rules! bad_arguments {
    ($name:literal, $number:expr $(, $argument:expr)*) => {
        Attempt { name: $name, run: |_| reaches(system_call!($number $(, $argument)*)), reply: Reply::Refused }
    };
}

pub const ATTEMPTS: &[Attempt] = &[
    bad_arguments!("unshare", libc::SYS_unshare, libc::CLONE_NEWUSER),
    bad_arguments!("setns", libc::SYS_setns, -1, 0),
    bad_arguments!("mount", libc::SYS_mount, null::<u8>(), null::<u8>(), null::<u8>(), 0, 0),
    bad_arguments!("umount2", libc::SYS_umount2, null::<u8>(), 0),
    bad_arguments!("pivot_root", libc::SYS_pivot_root, null::<u8>(), null::<u8>()),
    bad_arguments!("fsopen", 430, null::<u8>(), 0),
    bad_arguments!("open_tree", 428, -1, c"x".as_ptr(), 0),
    bad_arguments!("move_mount", 429, -1, null::<u8>(), -1, null::<u8>(), 0),
    bad_arguments!("mount_setattr", 442, -1, null::<u8>(), 0, null::<u8>(), 0),
    bad_arguments!("statmount", 457, null::<u8>(), null::<u8>(), 0, 0),
    bad_arguments!("bpf", libc::SYS_bpf, 99, null::<u8>(), 0),
    bad_arguments!("perf_event_open", libc::SYS_perf_event_open, null::<u8>(), 0, -1, -1, 0),
    bad_arguments!("keyctl", libc::SYS_keyctl, 0, -3, 0),
    bad_arguments!("add_key", libc::SYS_add_key, null::<u8>(), null::<u8>(), null::<u8>(), 0, 0),
    bad_arguments!("request_key", libc::SYS_request_key, null::<u8>(), null::<u8>(), null::<u8>(), 0),
    bad_arguments!("init_module", libc::SYS_init_module, null::<u8>(), 0, null::<u8>()),
    bad_arguments!("finit_module", libc::SYS_finit_module, -1, null::<u8>(), 0),
    bad_arguments!("delete_module", libc::SYS_delete_module, null::<u8>(), 0),
    bad_arguments!("kexec_load", libc::SYS_kexec_load, 0, 1000, null::<u8>(), 0),
    bad_arguments!("reboot", libc::SYS_reboot, 0, 0, 0, 0),
    bad_arguments!("swapon", libc::SYS_swapon, null::<u8>(), 0),
    bad_arguments!("acct", libc::SYS_acct, c"/there/is/no/such/file".as_ptr()),
    bad_arguments!("quotactl", libc::SYS_quotactl, -1, null::<u8>(), 0, null::<u8>()),
    bad_arguments!("syslog", libc::SYS_syslog, 10, null::<u8>(), 0),
    bad_arguments!("personality", libc::SYS_personality, -1),
    bad_arguments!("the clock", libc::SYS_clock_settime, 99, null::<u8>()),
    bad_arguments!("adjtimex", libc::SYS_adjtimex, null::<u8>()),
    bad_arguments!("the host's name", libc::SYS_sethostname, null::<u8>(), -1),
    bad_arguments!("seccomp", libc::SYS_seccomp, 3, 0, null::<u8>()),
    bad_arguments!("timer_create", libc::SYS_timer_create, 0, null::<u8>(), null::<u8>()),
    bad_arguments!("signalfd", libc::SYS_signalfd4, -1, null::<u8>(), 8, 0),
    bad_arguments!("mq_open", libc::SYS_mq_open, null::<u8>(), 0),
    bad_arguments!("dumpable", libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0),
    bad_arguments!("a tracer", libc::SYS_prctl, 0x5961_6d61, 0, 0, 0, 0),
    bad_arguments!("memory of the program", libc::SYS_prctl, libc::PR_SET_MM, 0, 0, 0, 0),
    bad_arguments!("a filter by prctl", libc::SYS_prctl, libc::PR_SET_SECCOMP, 2, 0, 0, 0),
    bad_arguments!("keep capabilities", libc::SYS_prctl, libc::PR_SET_KEEPCAPS, 0, 0, 0, 0),
    Attempt { name: "io_uring", run: |_| io_uring(), reply: Reply::Fails(libc::ENOSYS) },
    Attempt { name: "the user", run: |_| user(), reply: Reply::Refused },
    Attempt {
        name: "the groups",
        run: |_| reaches(system_call!(libc::SYS_setgroups, 0, null::<u8>())),
        reply: Reply::Refused,
    },
    Attempt { name: "capabilities", run: |_| capabilities(), reply: Reply::Nothing },
    Attempt {
        name: "set capabilities",
        run: |_| reaches(system_call!(libc::SYS_capset, null::<u8>(), null::<u8>())),
        reply: Reply::Refused,
    },
    Attempt { name: "take the handler away", run: |_| default_action(), reply: Reply::Fails(libc::EPERM) },
    #[cfg(target_arch = "x86_64")]
    bad_arguments!("modify_ldt", libc::SYS_modify_ldt, 0, null_mut::<u8>(), 0),
    #[cfg(target_arch = "x86_64")]
    bad_arguments!("iopl", libc::SYS_iopl, 99),
    #[cfg(target_arch = "x86_64")]
    Attempt { name: "a call for 32 bits", run: |_| int_80(), reply: Reply::Dies },
];

fn io_uring() -> Got {
    const IO_URING_SETUP: i64 = 425;
    got(system_call!(IO_URING_SETUP, 1, [0_u64; 32].as_mut_ptr()))
}

fn user() -> Got {
    // SAFETY: a system call without arguments.
    let own = unsafe { libc::geteuid() };
    got(system_call!(libc::SYS_setuid, own))
}

/// Succeeds if any capability is there.
fn capabilities() -> Got {
    let header = [0x2008_0522_u32, 0];
    let mut sets = [[0_u32; 3]; 2];
    system_call!(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr())?;
    if sets == [[0; 3]; 2] { Err(libc::EPERM) } else { Ok(format!("{sets:x?}")) }
}

fn default_action() -> Got {
    let action = [0_u64; 4];
    got(system_call!(libc::SYS_rt_sigaction, libc::SIGSYS, action.as_ptr(), null_mut::<u8>(), 8))
}

#[cfg(target_arch = "x86_64")]
fn int_80() -> Got {
    const GETPID: i64 = 20;
    let result: i64;
    // SAFETY: the call has no arguments. The kernel changes no other registers than these.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("rax") GETPID => result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    if result > 0 { Ok(result.to_string()) } else { Err(-result as i32) }
}
