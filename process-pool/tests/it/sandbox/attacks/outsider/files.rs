//! Attempts at files beside those that a sandbox grants: `a` may be read, `b` may be written, `c` may not be touched.

use std::{
    fs::{self, File},
    io::Read as _,
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    path::Path,
    ptr::null,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{
    Got, from_io, got,
    grants::{Row, Tree},
    reaches,
};
use crate::{sandbox::attacks::files::path, system_call};

pub const ROWS: &[Row] = &[
    ("truncate by opening for reading", |tree| open(&tree.root.join("a/file"), libc::O_RDONLY | libc::O_TRUNC)),
    ("create for reading", |tree| open(&tree.root.join("a/new"), libc::O_RDONLY | libc::O_CREAT)),
    ("a file without a name beside the grants", |tree| open(&tree.root.join("c"), libc::O_TMPFILE | libc::O_RDWR)),
    ("a file without a name, linked beside the grants", |tree| {
        let file = fs::OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).open(tree.root.join("b"));
        link_descriptor(&file.map_err(code)?, &tree.root.join("c/linked"))
    }),
    ("exchange with a file beside the grants", |tree| rename(tree, "b/file", "c/file", EXCHANGE)),
    ("exchange with a file that may be read", |tree| rename(tree, "a/file", "b/file", EXCHANGE)),
    ("exchange directories", |tree| rename(tree, "b/below", "c/below", EXCHANGE)),
    ("move a directory that may be read", |tree| rename(tree, "a/below", "b/moved", 0)),
    ("a device by a whiteout", |tree| rename(tree, "b/file", "b/renamed", WHITEOUT)),
    ("a device", |tree| mknod(tree, "b/device", libc::S_IFCHR | 0o666, 0x103)),
    ("a block device", |tree| mknod(tree, "b/disk", libc::S_IFBLK | 0o666, 0x100)),
    ("a socket by mknod", |tree| mknod(tree, "b/node", libc::S_IFSOCK | 0o600, 0)),
    ("a program with the rights of its owner, by fchmod", |tree| {
        let file = File::open(tree.root.join("b/file")).map_err(code)?;
        system_call!(libc::SYS_fchmod, file.as_raw_fd(), 0o4755)?;
        has_rights(&file)
    }),
    ("a program with the rights of its owner, by open", |tree| {
        has_rights(&create(&tree.root.join("b/owner"), 0o4755)?)
    }),
    ("a program with the rights of its group, by open", |tree| {
        has_rights(&create(&tree.root.join("b/group"), 0o2755)?)
    }),
    #[cfg(target_arch = "x86_64")]
    ("a program with the rights of its owner, by creat", |tree| {
        has_rights(&owned(system_call!(libc::SYS_creat, path(&tree.root.join("b/creat")).as_ptr(), 0o4755)?))
    }),
    ("a program with the rights of its owner, by openat2", |tree| {
        let how = [(libc::O_CREAT | libc::O_WRONLY) as u64, 0o4755, 0];
        let name = path(&tree.root.join("b/openat2"));
        has_rights(&owned(system_call!(437, libc::AT_FDCWD, name.as_ptr(), how.as_ptr(), 24)?))
    }),
    ("the owner of an open file", |tree| {
        on(&tree.root.join("b/file"), |fd| system_call!(libc::SYS_fchown, fd, -1, -1))
    }),
    ("the times of an open file", |tree| {
        on(&tree.root.join("b/file"), |fd| system_call!(libc::SYS_utimensat, fd, null::<u8>(), null::<u8>(), 0))
    }),
    ("an attribute of an open file", |tree| {
        on(&tree.root.join("b/file"), |fd| {
            system_call!(libc::SYS_fsetxattr, fd, c"user.x".as_ptr(), b"x".as_ptr(), 1, 0)
        })
    }),
    ("the flags of an open file", |tree| {
        on(&tree.root.join("b/file"), |fd| system_call!(libc::SYS_ioctl, fd, 0x4008_6602, null::<u8>()))
    }),
    ("the project of an open file", |tree| {
        on(&tree.root.join("b/file"), |fd| system_call!(libc::SYS_ioctl, fd, 0x401c_5820, null::<u8>()))
    }),
    ("verify an open file", |tree| {
        on(&tree.root.join("a/file"), |fd| system_call!(libc::SYS_ioctl, fd, 0x4080_6685_u32, null::<u8>()))
    }),
    ("a lease on an open file", |tree| {
        on(&tree.root.join("a/file"), |fd| system_call!(libc::SYS_fcntl, fd, libc::F_SETLEASE, libc::F_RDLCK))
    }),
    ("signals about a directory", |tree| {
        on(&tree.root.join("a"), |fd| system_call!(libc::SYS_fcntl, fd, libc::F_NOTIFY, 2))
    }),
    ("a handle of a file", |tree| {
        let (mut handle, mut mount) = ([128_u32; 40], [0_i32]);
        let name = path(&tree.root.join("a/file"));
        let (handle, mount) = (handle.as_mut_ptr(), mount.as_mut_ptr());
        got(system_call!(libc::SYS_name_to_handle_at, libc::AT_FDCWD, name.as_ptr(), handle, mount, 0))
    }),
    ("read in a directory that it goes to", |tree| {
        let before = File::open(tree.root.join("a")).map_err(code)?;
        system_call!(libc::SYS_chdir, path(&tree.root.join("c")).as_ptr())?;
        let read = from_io(fs::read("file"));
        let _ = system_call!(libc::SYS_fchdir, before.as_raw_fd());
        read
    }),
    ("read in a directory that is open as a path", |tree| {
        let directory = open_path(&tree.root.join("c"))?;
        read_at(&directory, c"file")
    }),
    ("read above a directory that is open", |tree| {
        read_at(&File::open(tree.root.join("a")).map_err(code)?, c"../c/file")
    }),
    ("open a path again", |tree| {
        let file = open_path(&tree.root.join("c/file"))?;
        from_io(File::open(format!("/proc/self/fd/{}", file.as_raw_fd())))
    }),
    ("open a path again by /dev/fd", |tree| {
        let file = open_path(&tree.root.join("c/file"))?;
        from_io(File::open(format!("/dev/fd/{}", file.as_raw_fd())))
    }),
    ("link a path", |tree| link_descriptor(&open_path(&tree.root.join("c/file"))?, &tree.root.join("b/linked"))),
    ("permissions of a path", |tree| {
        let file = open_path(&tree.root.join("c/file"))?;
        got(system_call!(452, file.as_raw_fd(), c"".as_ptr(), 0o600, libc::AT_EMPTY_PATH))
    }),
    ("an attribute beside the grants", |tree| {
        let name = path(&tree.root.join("c/file"));
        reaches(system_call!(libc::SYS_getxattr, name.as_ptr(), c"user.x".as_ptr(), null::<u8>(), 0))
    }),
    ("read by the root of a thread", |tree| from_io(fs::read(root(tree, "/proc/thread-self/root").join("c/file")))),
    ("read by the root of the parent", |tree| {
        from_io(fs::read(root(tree, &format!("/proc/{}/root", tree.parent)).join("c/file")))
    }),
    ("openat2", |tree| {
        let name = path(&tree.root.join("c/file"));
        got(system_call!(437, libc::AT_FDCWD, name.as_ptr(), [0_u64; 3].as_ptr(), 24))
    }),
    ("write by a link that it makes", |tree| {
        let link = tree.root.join("b/link");
        std::os::unix::fs::symlink(tree.root.join("c/file"), &link).map_err(code)?;
        from_io(fs::OpenOptions::new().write(true).open(link))
    }),
    ("remove beside the grants", |tree| from_io(fs::remove_file(tree.root.join("c/file")))),
    ("connect to a socket in a directory that it may write", |tree| {
        from_io(std::os::unix::net::UnixStream::connect(tree.root.join("b/socket")))
    }),
    ("run what may be read", |tree| {
        let file = File::open(tree.root.join("a/script")).map_err(code)?;
        let arguments = [c"x".as_ptr(), null()];
        got(born(system_call!(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0), || {
            let fd = file.as_raw_fd();
            let _ = system_call!(libc::SYS_execveat, fd, c"".as_ptr(), arguments.as_ptr(), [0_u64].as_ptr(), 0x1000);
        }))
    }),
    ("a race of a link with a file", race_of_links),
    ("a race of a directory with what is above it", race_of_directories),
];

const EXCHANGE: i32 = 2;
const WHITEOUT: i32 = 4;

/// How often a race is tried.
const TRIES: usize = 20_000;

fn code(error: std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(-1)
}

fn open(file: &Path, flags: i32) -> Got {
    got(system_call!(libc::SYS_openat, libc::AT_FDCWD, path(file).as_ptr(), flags, 0o600))
}

fn open_path(file: &Path) -> Result<File, i32> {
    fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(file).map_err(code)
}

fn rename(tree: &Tree, from: &str, to: &str, flags: i32) -> Got {
    let [from, to] = [from, to].map(|name| path(&tree.root.join(name)));
    got(system_call!(libc::SYS_renameat2, libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags))
}

fn mknod(tree: &Tree, name: &str, mode: u32, device: u32) -> Got {
    let name = path(&tree.root.join(name));
    got(system_call!(libc::SYS_mknodat, libc::AT_FDCWD, name.as_ptr(), mode, device))
}

fn link_descriptor(file: &File, to: &Path) -> Got {
    let from = path(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())));
    let (here, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
    got(system_call!(libc::SYS_linkat, here, from.as_ptr(), here, path(to).as_ptr(), follow))
}

fn create(file: &Path, mode: u32) -> Result<File, i32> {
    fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(code)
}

/// Succeeds if a program of this file would run with the rights of its owner or group.
fn has_rights(file: &File) -> Got {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(code)?.permissions().mode();
    if mode & 0o6000 == 0 { Err(libc::EPERM) } else { Ok(format!("{mode:o}")) }
}

fn owned(file: i64) -> File {
    // SAFETY: the descriptor was opened just now, and nothing else has it.
    unsafe { std::os::fd::FromRawFd::from_raw_fd(file as i32) }
}

fn on(file: &Path, call: impl Fn(i32) -> Result<i64, i32>) -> Got {
    reaches(call(File::open(file).map_err(code)?.as_raw_fd()))
}

fn read_at(directory: &File, name: &std::ffi::CStr) -> Got {
    got(system_call!(libc::SYS_openat, directory.as_raw_fd(), name.as_ptr(), libc::O_RDONLY))
}

/// Returns the root of the tree below a link to `/`.
fn root(tree: &Tree, link: &str) -> std::path::PathBuf {
    Path::new(link).join(tree.root.strip_prefix("/").unwrap_or(&tree.root))
}

/// Runs a function in a new process, and returns its identifier.
fn born(result: Result<i64, i32>, then: impl FnOnce()) -> Result<i64, i32> {
    if result == Ok(0) {
        then();
        // SAFETY: it ends this process, which is the new one.
        unsafe { libc::_exit(0) };
    }
    result
}

/// Reads a file while another thread makes changes, until it has the text of `c`.
fn race(tree: &Tree, read: impl Fn() -> Option<String>, change: impl Fn() + Sync) -> Got {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                change();
            }
        });
        let found = (0..TRIES).any(|_| read().is_some_and(|text| text == tree.secret()));
        stop.store(true, Relaxed);
        if found { Ok("it has the text".into()) } else { Err(libc::EACCES) }
    })
}

fn race_of_links(tree: &Tree) -> Got {
    let (one, other) = (tree.root.join("b/one"), tree.root.join("b/other"));
    fs::write(&one, "mine").map_err(code)?;
    std::os::unix::fs::symlink(tree.root.join("c/file"), &other).map_err(code)?;
    race(tree, || fs::read_to_string(&one).ok(), || _ = rename(tree, "b/one", "b/other", EXCHANGE))
}

/// The name leads to `c` while the directory is one level higher.
fn race_of_directories(tree: &Tree) -> Got {
    fs::create_dir_all(tree.root.join("b/x/y")).map_err(code)?;
    fs::create_dir_all(tree.root.join("b/c")).map_err(code)?;
    fs::write(tree.root.join("b/c/file"), "mine").map_err(code)?;
    let directory = File::open(tree.root.join("b/x/y")).map_err(code)?;
    let read = || {
        let file = system_call!(libc::SYS_openat, directory.as_raw_fd(), c"../../c/file".as_ptr(), libc::O_RDONLY);
        let mut text = String::new();
        owned(file.ok()?).read_to_string(&mut text).ok().map(|_| text)
    };
    let change = || {
        let _ = rename(tree, "b/x/y", "b/y", 0);
        let _ = rename(tree, "b/y", "b/x/y", 0);
    };
    race(tree, read, change)
}
