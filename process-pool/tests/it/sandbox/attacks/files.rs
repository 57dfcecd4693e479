//! Attempts at files.

use std::{ffi::CString, fs, os::unix::ffi::OsStrExt as _, path::Path, ptr::null};

use super::{Attempt, Got, Reply, World, from_io, got, reaches};
use crate::system_call;

const DENIED: Reply = Reply::Fails(libc::EACCES);

pub const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "read /etc/passwd", run: |_| from_io(fs::read("/etc/passwd")), reply: DENIED },
    Attempt { name: "read the secret", run: |world| from_io(fs::read(&world.secret)), reply: DENIED },
    Attempt { name: "list /", run: |_| from_io(fs::read_dir("/")), reply: DENIED },
    Attempt { name: "create a file", run: |world| from_io(fs::write(world.directory.join("new"), "x")), reply: DENIED },
    Attempt { name: "write in /dev/shm", run: |_| in_shared_memory(), reply: DENIED },
    Attempt { name: "query the secret", run: |world| from_io(fs::metadata(&world.secret)), reply: DENIED },
    Attempt { name: "change the directory", run: |_| from_io(std::env::set_current_dir("/")), reply: DENIED },
    Attempt { name: "read a link", run: |_| from_io(fs::read_link("/proc/self/exe")), reply: DENIED },
    Attempt { name: "openat2", run: |world| openat2(&world.secret), reply: DENIED },
    Attempt { name: "a path with O_PATH", run: |world| open_path(&world.secret), reply: DENIED },
    Attempt {
        name: "change permissions",
        run: |world| got(system_call!(libc::SYS_fchmodat, libc::AT_FDCWD, path(&world.secret).as_ptr(), 0o644)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "change the owner",
        run: |world| got(system_call!(libc::SYS_fchownat, libc::AT_FDCWD, path(&world.secret).as_ptr(), -1, -1, 0)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "change times",
        run: |world| got(system_call!(libc::SYS_utimensat, libc::AT_FDCWD, path(&world.secret).as_ptr(), 0, 0)),
        reply: Reply::Refused,
    },
    Attempt { name: "set an attribute", run: |world| set_attribute(&world.secret), reply: Reply::Refused },
    Attempt {
        name: "truncate",
        run: |world| got(system_call!(libc::SYS_truncate, path(&world.secret).as_ptr(), 3)),
        reply: Reply::Refused,
    },
    Attempt {
        name: "make a directory",
        run: |world| from_io(fs::create_dir(world.directory.join("new directory"))),
        reply: Reply::Refused,
    },
    Attempt {
        name: "make a link",
        run: |world| from_io(fs::hard_link(&world.secret, world.directory.join("hard link"))),
        reply: Reply::Refused,
    },
    Attempt {
        name: "make a symbolic link",
        run: |world| from_io(std::os::unix::fs::symlink("/", world.directory.join("symbolic link"))),
        reply: Reply::Refused,
    },
    Attempt { name: "make a pipe with a name", run: make_node, reply: Reply::Refused },
    Attempt {
        name: "rename",
        run: |world| from_io(fs::rename(&world.secret, world.directory.join("renamed"))),
        reply: Reply::Refused,
    },
    Attempt {
        name: "remove",
        run: |world| from_io(fs::remove_file(world.directory.join("renamed"))),
        reply: Reply::Refused,
    },
    Attempt { name: "chroot", run: |_| got(system_call!(libc::SYS_chroot, c"/".as_ptr())), reply: Reply::Refused },
    Attempt { name: "name_to_handle_at", run: |world| handle(&world.directory), reply: Reply::Refused },
    Attempt {
        name: "open_by_handle_at",
        run: |_| reaches(system_call!(libc::SYS_open_by_handle_at, -1, null::<u8>(), 0)),
        reply: Reply::Refused,
    },
    Attempt { name: "inotify", run: |_| got(system_call!(libc::SYS_inotify_init1, 0)), reply: Reply::Refused },
    Attempt { name: "fanotify", run: |_| got(system_call!(libc::SYS_fanotify_init, 0x200, 0)), reply: Reply::Refused },
    Attempt { name: "sync", run: |_| got(system_call!(libc::SYS_sync)), reply: Reply::Refused },
    Attempt {
        name: "a path of the parent's files",
        run: |world| from_io(fs::read_link(format!("/proc/{}/cwd", world.parent))),
        reply: DENIED,
    },
];

pub fn path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no zero byte")
}

fn in_shared_memory() -> Got {
    let path = format!("/dev/shm/concurrent-futures-{}", std::process::id());
    from_io(fs::write(&path, "x").and_then(|()| fs::remove_file(path)))
}

fn openat2(file: &Path) -> Got {
    const OPENAT2: i64 = 437;
    let how = [0_u64; 3];
    got(system_call!(OPENAT2, libc::AT_FDCWD, path(file).as_ptr(), how.as_ptr(), 24))
}

fn open_path(file: &Path) -> Got {
    got(system_call!(libc::SYS_openat, libc::AT_FDCWD, path(file).as_ptr(), libc::O_PATH))
}

fn set_attribute(file: &Path) -> Got {
    got(system_call!(libc::SYS_setxattr, path(file).as_ptr(), c"user.x".as_ptr(), b"x".as_ptr(), 1, 0))
}

fn make_node(world: &World) -> Got {
    let node = path(&world.directory.join("node"));
    got(system_call!(libc::SYS_mknodat, libc::AT_FDCWD, node.as_ptr(), libc::S_IFIFO | 0o600, 0))
}

fn handle(file: &Path) -> Got {
    let mut handle = [128_u32; 40];
    let mut mount = 0_i32;
    let path = path(file);
    got(system_call!(
        libc::SYS_name_to_handle_at,
        libc::AT_FDCWD,
        path.as_ptr(),
        handle.as_mut_ptr(),
        &raw mut mount,
        0
    ))
}
