//! Which system calls there are, by what they are for.

use super::numbers::{Call, calls, new, unnamed};

/// Descriptors that the process has.
pub(super) const DESCRIPTORS: &[Call] = calls![
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_lseek,
    SYS_fstat,
    SYS_dup,
    SYS_fsync,
    SYS_fdatasync,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_ppoll,
    SYS_pselect6,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_recvfrom,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_fadvise64,
    SYS_readahead,
    #[cfg(target_arch = "x86_64")]
    SYS_poll,
    #[cfg(target_arch = "x86_64")]
    SYS_select,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_create,
    #[cfg(target_arch = "x86_64")]
    SYS_eventfd,
    #[cfg(target_arch = "x86_64")]
    SYS_pipe,
];

pub(super) const MEMORY: &[Call] = calls![
    SYS_munmap,
    SYS_mremap,
    SYS_brk,
    SYS_mincore,
    SYS_msync,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_membarrier,
    SYS_pkey_alloc,
    SYS_pkey_free,
    SYS_get_mempolicy,
];

pub(super) const THREADS: &[Call] = calls![
    SYS_futex,
    SYS_set_robust_list,
    SYS_set_tid_address,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_sched_rr_get_interval,
    SYS_getcpu,
    SYS_exit,
    SYS_exit_group,
    SYS_gettid,
    SYS_restart_syscall,
    #[cfg(target_arch = "x86_64")]
    SYS_arch_prctl,
];

/// Signals of the process itself, and its children, of which it has none unless it may start programs or its
/// initializer has.
pub(super) const SIGNALS: &[Call] = calls![
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_setitimer,
    SYS_getitimer,
    SYS_wait4,
    SYS_waitid,
    #[cfg(target_arch = "x86_64")]
    SYS_alarm,
    #[cfg(target_arch = "x86_64")]
    SYS_pause,
];

pub(super) const TIME: &[Call] = calls![
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_times,
    #[cfg(target_arch = "x86_64")]
    SYS_time,
];

/// What the process and the system are.
pub(super) const IDENTITY: &[Call] = calls![
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_capget,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_uname,
    SYS_getrandom,
    SYS_getcwd,
    SYS_umask,
    #[cfg(target_arch = "x86_64")]
    SYS_getpgrp,
];

/// Newer calls of all these kinds, and one that is older.
pub(super) const NEWER: &[Call] = &[
    unnamed::getrlimit,
    new::epoll_pwait2,
    new::futex_waitv,
    new::futex_wake,
    new::futex_wait,
    new::futex_requeue,
    new::mseal,
];

/// Calls with a path, and which argument the path is. Other means than the filter decide which paths are granted. If
/// none is, these fail as if the permissions of the file were the reason.
pub(super) const PATHS: &[(&[Call], u8)] = &[
    (calls![SYS_openat, SYS_newfstatat, SYS_statx, SYS_faccessat, SYS_readlinkat], 1),
    (&[new::openat2, new::faccessat2], 1),
    (
        calls![
            SYS_statfs,
            SYS_chdir,
            #[cfg(target_arch = "x86_64")]
            SYS_open,
            #[cfg(target_arch = "x86_64")]
            SYS_creat,
            #[cfg(target_arch = "x86_64")]
            SYS_stat,
            #[cfg(target_arch = "x86_64")]
            SYS_lstat,
            #[cfg(target_arch = "x86_64")]
            SYS_access,
            #[cfg(target_arch = "x86_64")]
            SYS_readlink,
        ],
        0,
    ),
];

/// What only open directories and files of a file system need.
pub(super) const DIRECTORIES: &[Call] = calls![SYS_getdents64, SYS_fstatfs, SYS_fchdir];

/// Calls with a path that change a directory or a file, and which argument the path is.
pub(super) const CHANGED_PATHS: &[(&[Call], u8)] = &[
    (&[unnamed::renameat], 1),
    (calls![SYS_mkdirat, SYS_unlinkat, SYS_renameat2, SYS_linkat,], 1),
    (calls![SYS_symlinkat], 2),
    (
        calls![
            SYS_truncate,
            #[cfg(target_arch = "x86_64")]
            SYS_mkdir,
            #[cfg(target_arch = "x86_64")]
            SYS_rmdir,
            #[cfg(target_arch = "x86_64")]
            SYS_unlink,
            #[cfg(target_arch = "x86_64")]
            SYS_rename,
            #[cfg(target_arch = "x86_64")]
            SYS_link,
        ],
        0,
    ),
    #[cfg(target_arch = "x86_64")]
    (calls![SYS_symlink], 1),
];

/// Calls that change the length of an open file, which a queue needs that a task puts items into.
pub(super) const LENGTHS: &[Call] = calls![SYS_ftruncate, SYS_fallocate];

/// Calls that change an open file. Copying a file sets its permissions.
pub(super) const CHANGED_FILES: &[Call] = calls![SYS_flock, SYS_fchmod];

/// Fast ways to copy, which fail with `ENOSYS` unless files are written, so that the slow way is taken.
pub(super) const COPIES: &[Call] = calls![SYS_copy_file_range, SYS_sendfile];

pub(super) const SOCKETS: &[Call] = calls![SYS_accept, SYS_accept4, SYS_listen, SYS_bind, SYS_connect, SYS_recvmmsg,];

/// Calls for starting programs, and for signals to them.
pub(super) const PROCESSES: &[Call] = calls![
    SYS_execve,
    SYS_kill,
    SYS_tgkill,
    SYS_tkill,
    #[cfg(target_arch = "x86_64")]
    SYS_fork,
    #[cfg(target_arch = "x86_64")]
    SYS_vfork,
];

/// Calls that begin a process. The C library makes them with all signals blocked, where a signal for a refused call
/// would be the end of the process, so they fail in every mode.
pub(super) const BIRTHS: &[Call] = calls![
    #[cfg(target_arch = "x86_64")]
    SYS_fork,
    #[cfg(target_arch = "x86_64")]
    SYS_vfork,
    SYS_clone,
];

/// Known calls that are refused unless something above allows them.
pub(super) const REFUSED: &[Call] = calls![
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_execve,
    SYS_execveat,
    SYS_setpgid,
    SYS_setsid,
    SYS_socket,
    SYS_connect,
    SYS_accept,
    SYS_accept4,
    SYS_bind,
    SYS_listen,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_setsockopt,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_personality,
    SYS_vhangup,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_fanotify_init,
    SYS_fanotify_mark,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_memfd_create,
    SYS_shmget,
    SYS_shmat,
    SYS_shmctl,
    SYS_shmdt,
    SYS_semget,
    SYS_semop,
    SYS_semctl,
    SYS_semtimedop,
    SYS_msgget,
    SYS_msgsnd,
    SYS_msgrcv,
    SYS_msgctl,
    SYS_mq_open,
    SYS_mq_unlink,
    SYS_mq_timedsend,
    SYS_mq_timedreceive,
    SYS_mq_notify,
    SYS_timer_create,
    SYS_sched_setaffinity,
    SYS_sched_setscheduler,
    SYS_sched_setparam,
    SYS_sched_setattr,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_capset,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_mknodat,
    SYS_vmsplice,
    SYS_move_pages,
    SYS_migrate_pages,
    SYS_mbind,
    SYS_set_mempolicy,
    SYS_remap_file_pages,
    SYS_signalfd4,
    SYS_sync,
    SYS_syncfs,
    SYS_mlockall,
    SYS_munlockall,
    SYS_seccomp,
    #[cfg(target_arch = "x86_64")]
    SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    SYS_inotify_init,
    #[cfg(target_arch = "x86_64")]
    SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    SYS_chown,
    #[cfg(target_arch = "x86_64")]
    SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    SYS_utime,
    #[cfg(target_arch = "x86_64")]
    SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    SYS_futimesat,
    #[cfg(target_arch = "x86_64")]
    SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    SYS_signalfd,
    #[cfg(target_arch = "x86_64")]
    SYS_uselib,
];

/// Newer calls that are refused, and one that is older.
pub(super) const NEWER_REFUSED: &[Call] = &[
    unnamed::setrlimit,
    new::pidfd_send_signal,
    new::pidfd_open,
    new::pidfd_getfd,
    new::process_madvise,
    new::process_mrelease,
    new::open_tree,
    new::move_mount,
    new::fsopen,
    new::fsconfig,
    new::fsmount,
    new::fspick,
    new::mount_setattr,
    new::statmount,
    new::listmount,
    new::open_tree_attr,
    new::quotactl_fd,
    new::memfd_secret,
    new::fchmodat2,
    new::setxattrat,
    new::removexattrat,
];

/// Calls whose arguments decide.
pub(super) const WITH_RULES: &[Call] = calls![
    SYS_close,
    SYS_dup3,
    #[cfg(target_arch = "x86_64")]
    SYS_dup2,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_kill,
    SYS_tgkill,
    SYS_tkill,
    SYS_clone,
    SYS_mmap,
    SYS_mprotect,
    SYS_pkey_mprotect,
    SYS_madvise,
    SYS_ioctl,
    SYS_fcntl,
    SYS_prctl,
    SYS_prlimit64,
    SYS_pipe2,
    SYS_socketpair,
    SYS_sendto,
    SYS_recvmsg,
    SYS_rt_sigaction,
    SYS_getpgid,
    SYS_getsid,
    SYS_getpriority,
    SYS_get_robust_list,
];

/// Returns the argument of a call that is a path, if it has one.
pub(crate) fn path_argument(number: u32) -> Option<u8> {
    let lists = PATHS.iter().chain(CHANGED_PATHS);
    lists
        .flat_map(|(calls, at)| calls.iter().map(move |call| (call, *at)))
        .find(|(call, _)| call.number == number)
        .map(|(_, at)| at)
}

/// Returns `true` for a call that only looks at paths.
pub(crate) fn only_looks(number: u32) -> bool {
    PATHS.iter().flat_map(|(calls, _)| *calls).any(|call| call.number == number)
}

/// Returns the name of a known call.
pub(crate) fn name(number: u32) -> Option<&'static str> {
    let named = |calls: &[Call]| calls.iter().find(|call| call.number == number).map(|call| call.name());
    let with_paths = PATHS.iter().chain(CHANGED_PATHS).map(|(calls, _)| *calls);
    let lists = [REFUSED, NEWER_REFUSED, WITH_RULES, CHANGED_FILES, SOCKETS, BIRTHS, DESCRIPTORS, MEMORY];
    with_paths.chain(lists).find_map(named)
}
