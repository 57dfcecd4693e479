//! Advice for users when a worker cannot be started.

use std::io;

use rustix::io::Errno;

/// Returns advice if the system has refused to start a worker for this reason. The text follows the reason and begins
/// with a semicolon, or is empty.
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
        // This crate has made this error, and it contains the advice.
        None if cause.kind() == io::ErrorKind::PermissionDenied => "; no process was started",
        _ => "",
    }
}

/// Returns `true` if the system lacks a resource that other programs may free at any moment.
pub(crate) fn may_pass(cause: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(cause),
        Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM | Errno::NOBUFS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_fits_the_cause_and_an_unknown_cause_has_none() {
        let advised = |errno: Errno| advice(&errno.into());
        for errno in [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM] {
            assert!(advised(errno).contains("fewer workers"), "{errno}");
        }
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::ACCESS, Errno::PERM, Errno::TOOBIG, Errno::IO, Errno::NOSYS] {
            assert!(!advised(errno).contains("fewer workers"), "{errno}");
        }
        assert!(advised(Errno::NOENT).contains("/proc") && advised(Errno::ACCESS).contains("execute"));
        assert!(advised(Errno::MFILE).contains("descriptors") && advised(Errno::AGAIN).contains("processes"));
        assert_eq!(advice(&io::ErrorKind::NotFound.into()), "", "not the system's");
    }
}
