//! How a worker process comes to life, on both sides.
//!
//! The parent runs its own file ([`executable`]) again ([`spawn`]), with a marker in the environment and one end of a
//! socketpair as the standard input. Before `main`, or in [`init`](crate::init), the new process looks for both
//! ([`entry`]): a process that has the marker and finds the parent's greeting in the socket is a worker, serves, and
//! exits without ever reaching the program's `main`. Any other process that happens to inherit the marker is not.
//!
//! A worker never has more rights than the process that starts it ([`rights`]), and of its descriptors only those that
//! it is meant to have ([`inheritance`]); [`launch`] sees to both.

mod credentials;
pub(crate) mod entry;
pub(crate) mod executable;
#[cfg(target_os = "linux")]
mod inheritance;
pub(crate) mod initialisers;
mod launch;
#[cfg(target_os = "linux")]
mod mapping;
pub(crate) mod program;
pub(crate) mod rights;
pub(crate) mod setup;
pub(crate) mod spawn;
pub(crate) mod standard;

use std::{
    ffi::OsStr,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::io::Errno;

/// The marker. Its value is the token that the greeting must repeat.
pub(crate) const MARKER: &str = "CONCURRENT_FUTURES_WORKER";

/// How many pools of workers lie between the user's program and this process.
pub(crate) const DEPTH: &str = "CONCURRENT_FUTURES_DEPTH";

/// The control group that a worker is to join.
pub(crate) const GROUP: &str = "CONCURRENT_FUTURES_GROUP";

/// From here on a worker may not start a pool of its own: something starts pools without end.
pub(crate) const DEEPEST: u32 = 8;

/// Whether a variable of the environment is this module's own.
pub(crate) fn is_own_variable(key: &OsStr) -> bool {
    key == MARKER || key == DEPTH || key == GROUP
}

/// How deep this process is. What cannot be read counts as too deep: somebody meddles with it.
pub(crate) fn depth() -> u32 {
    match std::env::var_os(DEPTH) {
        None => 0,
        Some(value) => value.to_str().and_then(|value| value.parse().ok()).unwrap_or(DEEPEST),
    }
}

/// Whether this is one of the standard descriptors.
pub(crate) fn is_standard(descriptor: &OwnedFd) -> bool {
    (0..=2).contains(&descriptor.as_raw_fd())
}

/// The token in a marker.
pub(crate) fn token(marker: &OsStr) -> Option<u64> {
    u64::from_str_radix(marker.to_str()?, 16).ok()
}

/// What to do where the system has refused to start a worker for this reason, behind a semicolon; nothing where only
/// the reason itself tells.
pub(crate) fn advice(cause: &io::Error) -> &'static str {
    match Errno::from_io_error(cause) {
        Some(Errno::TOOBIG) => "; the environment is larger than the system passes to a process: pass less",
        Some(Errno::ACCESS | Errno::PERM) => {
            "; workers run this program's own file: let this user execute it, and start processes at all"
        }
        Some(Errno::NOENT | Errno::NOTDIR) => {
            "; workers run this program's own file, which only /proc leads to: mount it, and have the file's own \
             loader in place"
        }
        Some(Errno::NOMEM) => "; close other programs, or use fewer workers",
        Some(Errno::AGAIN) => {
            "; use fewer workers, or raise the limit of processes (`ulimit -u`, or `pids.max` of the cgroup)"
        }
        Some(Errno::MFILE) => "; use fewer workers, or raise the limit of descriptors (`ulimit -n`)",
        Some(Errno::NFILE) => "; the whole system has no descriptors left: close other programs, or use fewer workers",
        // The reason is this crate's own, and says what to do.
        None if cause.kind() == io::ErrorKind::PermissionDenied => "; no process was started",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_fits_the_cause_and_there_is_none_for_an_unknown_one() {
        let said = |errno: Errno| advice(&errno.into());
        for errno in [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM] {
            assert!(said(errno).contains("fewer workers"), "{errno}");
        }
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::ACCESS, Errno::PERM, Errno::TOOBIG, Errno::IO, Errno::NOSYS] {
            assert!(!said(errno).contains("fewer workers"), "{errno}");
        }
        assert!(said(Errno::NOENT).contains("/proc") && said(Errno::ACCESS).contains("execute"));
        assert!(said(Errno::MFILE).contains("descriptors") && said(Errno::AGAIN).contains("processes"));
        assert_eq!(advice(&io::ErrorKind::NotFound.into()), "", "not the system's");
    }
}
