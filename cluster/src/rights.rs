//! Whether this process may start programs and connections at all.
#![allow(unsafe_code)]

use executor_core::{Error, ErrorKind};

/// Returns an error if this process has gained rights when its file was run. Its environment then comes from a user who
/// has fewer of them, and names programs and servers.
pub(crate) fn check() -> Result<(), Error> {
    if !started_with_more_rights() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Broken,
        "this program has more rights than the user who started it (it is set-uid or has file capabilities), so it \
         cannot take part in a cluster: start it from a service that has these rights already",
    ))
}

fn started_with_more_rights() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: it only reads what the kernel has told this process at its start.
    return unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ))]
    // SAFETY: a system call without arguments.
    return unsafe { libc::issetugid() } != 0;
    #[allow(unreachable_code)]
    false
}
