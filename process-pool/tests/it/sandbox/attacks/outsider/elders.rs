//! Calls that a later one has replaced, or that replace one: a list of the usual ones does not name them.

use std::ptr::null;

use super::{Attempt, Reply, World, call, from_io, got, reaches};
use crate::{sandbox::attacks::files::path, system_call};

/// A path at which nothing is, in a directory that can be written.
const NOTHING: *const libc::c_char = c"/tmp/concurrent-futures-there-is-no-such-file".as_ptr();
const PASSWORDS: *const libc::c_char = c"/etc/passwd".as_ptr();

pub const ATTEMPTS: &[Attempt] = &[
    #[cfg(target_arch = "x86_64")]
    call!("open", libc::SYS_open, PASSWORDS, libc::O_RDONLY),
    #[cfg(target_arch = "x86_64")]
    call!("creat", libc::SYS_creat, c"/tmp/concurrent-futures-there-is-no-such-directory/x".as_ptr(), 0o600),
    #[cfg(target_arch = "x86_64")]
    call!("stat", libc::SYS_stat, PASSWORDS, [0_u64; 32].as_mut_ptr()),
    #[cfg(target_arch = "x86_64")]
    call!("lstat", libc::SYS_lstat, PASSWORDS, [0_u64; 32].as_mut_ptr()),
    #[cfg(target_arch = "x86_64")]
    call!("access", libc::SYS_access, PASSWORDS, libc::R_OK),
    call!("faccessat2", 439, libc::AT_FDCWD, PASSWORDS, libc::R_OK, 0),
    call!("statfs", libc::SYS_statfs, PASSWORDS, [0_u64; 32].as_mut_ptr()),
    #[cfg(target_arch = "x86_64")]
    call!("readlink", libc::SYS_readlink, PASSWORDS, [0_u8; 8].as_mut_ptr(), 8),
    #[cfg(target_arch = "x86_64")]
    call!("chmod", libc::SYS_chmod, NOTHING, 0o600),
    call!("fchmodat2", 452, libc::AT_FDCWD, NOTHING, 0o600, 0),
    call!("fchmod", libc::SYS_fchmod, -1, 0o600),
    #[cfg(target_arch = "x86_64")]
    call!("chown", libc::SYS_chown, NOTHING, -1, -1),
    #[cfg(target_arch = "x86_64")]
    call!("lchown", libc::SYS_lchown, NOTHING, -1, -1),
    call!("fchown", libc::SYS_fchown, -1, -1, -1),
    #[cfg(target_arch = "x86_64")]
    call!("utime", libc::SYS_utime, NOTHING, null::<u8>()),
    #[cfg(target_arch = "x86_64")]
    call!("utimes", libc::SYS_utimes, NOTHING, null::<u8>()),
    #[cfg(target_arch = "x86_64")]
    call!("futimesat", libc::SYS_futimesat, libc::AT_FDCWD, NOTHING, null::<u8>()),
    #[cfg(target_arch = "x86_64")]
    call!("mknod", libc::SYS_mknod, PASSWORDS, libc::S_IFIFO | 0o600, 0),
    #[cfg(target_arch = "x86_64")]
    call!("link", libc::SYS_link, NOTHING, NOTHING),
    #[cfg(target_arch = "x86_64")]
    call!("rename over nothing", libc::SYS_rename, NOTHING, NOTHING),
    call!("renameat2", libc::SYS_renameat2, libc::AT_FDCWD, NOTHING, libc::AT_FDCWD, NOTHING, 2),
    #[cfg(target_arch = "x86_64")]
    call!("unlink", libc::SYS_unlink, NOTHING),
    #[cfg(target_arch = "x86_64")]
    call!("rmdir", libc::SYS_rmdir, NOTHING),
    #[cfg(target_arch = "x86_64")]
    call!("signalfd", libc::SYS_signalfd, -1, null::<u8>(), 8),
    #[cfg(target_arch = "x86_64")]
    call!("inotify_init", libc::SYS_inotify_init),
    #[cfg(target_arch = "x86_64")]
    Attempt {
        name: "the call fork",
        run: |_| super::halves::born(system_call!(libc::SYS_fork)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "read an attribute of a directory",
        run: |world| {
            let (file, name) = (path(&world.directory), c"user.x");
            reaches(system_call!(libc::SYS_getxattr, file.as_ptr(), name.as_ptr(), null::<u8>(), 0))
        },
        reply: Reply::Stopped,
    },
    Attempt {
        name: "list the attributes of a directory",
        run: |world| got(system_call!(libc::SYS_llistxattr, path(&world.directory).as_ptr(), null::<u8>(), 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "remove an attribute of a directory",
        run: |world| reaches(system_call!(libc::SYS_removexattr, path(&world.directory).as_ptr(), c"user.x".as_ptr())),
        reply: Reply::Stopped,
    },
    call!("setxattrat", 463, libc::AT_FDCWD, NOTHING, 0, c"user.x".as_ptr(), null::<u8>(), 16),
    call!("file_getattr", 468, libc::AT_FDCWD, NOTHING, null::<u8>(), 24, 0),
    call!("open_tree_attr", 467, -1, NOTHING, 0, null::<u8>(), 0),
    call!("fspick", 433, -1, NOTHING, 0),
    call!("fsconfig", 431, -1, 0, null::<u8>(), null::<u8>(), 0),
    call!("fsmount", 432, -1, 0, 0),
    call!("listmount", 458, null::<u8>(), null::<u8>(), 0, 0),
    Attempt {
        name: "messages by sendmmsg",
        run: |_| got(system_call!(libc::SYS_sendmmsg, socket()?, null::<u8>(), 0, 0)),
        reply: Reply::Stopped,
    },
    Attempt {
        name: "messages by recvmmsg",
        run: |_| reaches(system_call!(libc::SYS_recvmmsg, socket()?, null::<u8>(), 1, libc::MSG_DONTWAIT, 0)),
        reply: Reply::Stopped,
    },
    Attempt { name: "write its memory by a file", run: |_| own("mem"), reply: Reply::Fails(libc::EACCES) },
    Attempt {
        name: "its place at the end of memory",
        run: |_| own("oom_score_adj"),
        reply: Reply::Fails(libc::EACCES),
    },
    Attempt { name: "what is dumped of it", run: |_| own("coredump_filter"), reply: Reply::Fails(libc::EACCES) },
    Attempt { name: "its label", run: |_| own("attr/current"), reply: Reply::Fails(libc::EACCES) },
    Attempt {
        name: "a terminal of its own",
        run: |_| from_io(std::fs::File::open("/dev/ptmx")),
        reply: Reply::Fails(libc::EACCES),
    },
    Attempt {
        name: "the parent's working directory",
        run: |world: &World| from_io(std::fs::read_dir(format!("/proc/{}/cwd/", world.parent))),
        reply: Reply::Fails(libc::EACCES),
    },
];

/// Returns the end of a pair.
fn socket() -> Result<i32, i32> {
    let mut ends = [-1; 2];
    system_call!(libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr())?;
    let _ = system_call!(libc::SYS_close, ends[1]);
    Ok(ends[0])
}

/// Opens a file of this process for writing.
fn own(file: &str) -> super::Got {
    from_io(std::fs::OpenOptions::new().write(true).open(format!("/proc/self/{file}")))
}
