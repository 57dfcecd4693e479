//! Landlock: the files, TCP ports, signals and abstract sockets that a thread may use.
//!
//! A rule set is made and filled once, and then restricts each thread that asks for it. It can only take rights away.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
    path::{Component, Path},
};

use rustix::fs::{FileType, Mode, OFlags, fstat};

use crate::sys::policy::{Access, Grant, Ports};

/// The first version that has the access rights on files that a grant needs: files can be truncated only below a
/// `write` grant from this one on.
pub(crate) const ABI_OF_FILES: u32 = 3;
/// The first version that knows TCP ports.
pub(crate) const ABI_OF_NETWORK: u32 = 4;
/// The first version that stops signals to processes outside.
pub(crate) const ABI_OF_SIGNALS: u32 = 6;

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// The rights that a file, as opposed to a directory, can have.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

const BIND_TCP: u64 = 1 << 0;
const CONNECT_TCP: u64 = 1 << 1;

const RULE_PATH_BENEATH: libc::c_int = 1;
const RULE_NET_PORT: libc::c_int = 2;

/// The kernel's `struct landlock_ruleset_attr`. Older kernels accept it if the fields that they do not know are zero.
#[repr(C)]
#[derive(Default)]
struct Handled {
    files: u64,
    network: u64,
    scoped: u64,
}

/// The kernel's `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// The kernel's `struct landlock_net_port_attr`.
#[repr(C)]
struct NetPort {
    allowed: u64,
    port: u64,
}

/// Returns the version of Landlock that the kernel has, or an error that says why there is none.
pub(crate) fn abi() -> io::Result<u32> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the kernel reads nothing and returns a number.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Handled>(), 0, VERSION) };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}

/// Returns what a kernel with this version can restrict.
fn handled(abi: u32, restricts_network: bool) -> Handled {
    let files = match abi {
        0 => 0,
        1 => REFER - 1,
        2 => TRUNCATE - 1,
        3 | 4 => IOCTL_DEV - 1,
        _ => (IOCTL_DEV << 1) - 1,
    };
    let network = if restricts_network && abi >= ABI_OF_NETWORK { BIND_TCP | CONNECT_TCP } else { 0 };
    // Abstract Unix sockets, and signals.
    let scoped = if abi >= ABI_OF_SIGNALS { 1 | 1 << 1 } else { 0 };
    Handled { files, network, scoped }
}

fn rights(access: Access) -> u64 {
    let reads = READ_FILE | READ_DIR;
    match access {
        Access::Read => reads,
        Access::Write => {
            reads | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER
        }
        Access::Execute => reads | EXECUTE,
    }
}

/// A rule set, which restricts nothing before [`restrict`] is called.
#[derive(Debug)]
pub(crate) struct Ruleset {
    ruleset: OwnedFd,
    handled: u64,
}

impl Ruleset {
    /// Makes a rule set that allows nothing but these grants. `ports` is `None` if the network is not restricted.
    pub(crate) fn new(abi: u32, grants: &[Grant], ports: Option<&Ports>) -> io::Result<Ruleset> {
        let handled = handled(abi, ports.is_some());
        let (attributes, size) = (&raw const handled, size_of::<Handled>());
        // SAFETY: the kernel reads `size` bytes, which are there.
        let ruleset = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attributes, size, 0) };
        let ruleset = RawFd::try_from(ruleset).ok().filter(|ruleset| *ruleset >= 0);
        let ruleset = ruleset.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the kernel has just opened this descriptor, with `CLOEXEC`.
        let ruleset = Ruleset { ruleset: unsafe { OwnedFd::from_raw_fd(ruleset) }, handled: handled.files };
        for grant in grants {
            ruleset.allow_path(grant)?;
        }
        if let Some(ports) = ports.filter(|_| abi >= ABI_OF_NETWORK) {
            ports.connect.iter().try_for_each(|port| ruleset.allow_port(*port, CONNECT_TCP))?;
            ports.bind.iter().try_for_each(|port| ruleset.allow_port(*port, BIND_TCP))?;
        }
        Ok(ruleset)
    }

    fn allow_path(&self, grant: &Grant) -> io::Result<()> {
        let path = Path::new(&grant.path);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = open_without_links(path).map_err(named)?;
        let is_directory = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::Directory;
        let possible = if is_directory { u64::MAX } else { OF_FILES };
        let rule = PathBeneath { allowed: rights(grant.access) & possible & self.handled, parent: file.as_raw_fd() };
        self.add(RULE_PATH_BENEATH, &raw const rule).map_err(named)
    }

    fn allow_port(&self, port: u16, allowed: u64) -> io::Result<()> {
        let rule = NetPort { allowed, port: port.into() };
        self.add(RULE_NET_PORT, &raw const rule)
    }

    fn add<T>(&self, kind: libc::c_int, rule: *const T) -> io::Result<()> {
        // SAFETY: the rule is of the type that belongs to its kind, and is read before the call returns.
        let result = unsafe { libc::syscall(libc::SYS_landlock_add_rule, self.ruleset.as_raw_fd(), kind, rule, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn number(&self) -> RawFd {
        self.ruleset.as_raw_fd()
    }
}

/// Opens a file whose absolute path has no links. A task of an earlier worker may have been granted to write a part of
/// that path, and have put a link there.
fn open_without_links(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = rustix::fs::open(c"/", flags, Mode::empty())?;
    for component in path.components().filter(|component| *component != Component::RootDir) {
        file = rustix::fs::openat(&file, component.as_os_str(), flags, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::Symlink {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "a part of it was replaced by a link"));
        }
    }
    Ok(file)
}

/// Restricts the calling thread, which must have `no_new_privs`, and the threads and processes that it starts. Returns
/// an error number, or 0. It may be called in a signal handler.
pub(super) fn restrict(ruleset: RawFd) -> i32 {
    // SAFETY: a system call without pointers. A number that is no rule set is refused.
    if unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0) } == 0 {
        return 0;
    }
    // SAFETY: the location is that of the calling thread.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    /// Runs an action in a thread that a kernel with this version would restrict so.
    fn restricted<R: Send>(abi: u32, grants: &[Grant], ports: Option<&Ports>, action: impl FnOnce() -> R + Send) -> R {
        thread::scope(|scope| {
            let restricted = || {
                rustix::thread::set_no_new_privs(true).expect("possible");
                let ruleset = Ruleset::new(abi, grants, ports).expect("made");
                assert_eq!(restrict(ruleset.number()), 0);
                action()
            };
            scope.spawn(restricted).join().expect("it does not panic")
        })
    }

    #[test]
    fn each_version_restricts_files_to_the_grants() {
        let Ok(present) = abi() else { return eprintln!("SKIPPED: this system has no Landlock") };
        let directory = tempfile::tempdir().expect("a directory");
        let (granted, other) = (directory.path().join("granted"), directory.path().join("other"));
        for path in [&granted, &other] {
            fs::create_dir(path).expect("created");
            fs::write(path.join("file"), "text").expect("written");
        }
        for abi in 1..=present.min(ABI_OF_SIGNALS) {
            let grants = [Grant { path: granted.clone().into(), access: Access::Read }];
            let seen = restricted(abi, &grants, None, || {
                let write = fs::OpenOptions::new().write(true).open(granted.join("file")).is_ok();
                (fs::read(granted.join("file")).is_ok(), fs::read(other.join("file")).is_ok(), write)
            });
            assert_eq!(seen, (true, false, false), "version {abi}");
        }
    }

    #[test]
    fn no_version_asks_for_what_it_does_not_know() {
        for abi in 1..12 {
            let handled = handled(abi, true);
            assert_eq!(handled.files & REFER != 0, abi >= 2);
            assert_eq!(handled.files & TRUNCATE != 0, abi >= ABI_OF_FILES);
            assert_eq!(handled.files & IOCTL_DEV != 0, abi >= 5);
            assert_eq!((handled.network != 0, handled.scoped != 0), (abi >= ABI_OF_NETWORK, abi >= ABI_OF_SIGNALS));
        }
    }
}
