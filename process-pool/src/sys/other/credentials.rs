//! The rights of this process and of a file. These systems have no capabilities, and cannot tell which process is at
//! the other end of a socket.
#![allow(unsafe_code)]

use std::{ffi::OsStr, io, os::fd::BorrowedFd};

use crate::sys::rights::{Added, Ids, Rights, file_changes_ids, refused};

/// Returns `true` if this process has gained rights when its file was run. That never changes during its life.
pub(crate) fn started_with_more_rights() -> bool {
    #[cfg(target_os = "android")]
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

/// Returns the rights of this process.
pub(crate) fn own() -> io::Result<Rights> {
    Ok(Rights { ids: Ids::own()?, permitted: 0, effective: 0, inheritable: 0 })
}

/// Returns `false`: files are opened with the effective ids.
pub(crate) fn file_system_ids_differ(_: &Rights) -> bool {
    false
}

/// Accepts any peer.
pub(crate) fn check_peer(_: BorrowedFd<'_>, _: &Rights) -> Result<(), String> {
    Ok(())
}

/// Returns an error if running this file would add rights, because [`forbid_gain`] cannot prevent it.
pub(crate) fn added_by_exec(program: &OsStr, rights: &Rights) -> io::Result<Added> {
    if file_changes_ids(program, rights.ids)? {
        return Err(refused(
            "the file of this program is set-uid or set-gid, and would give its workers rights that this process \
             lacks: take these bits from the file"
                .into(),
        ));
    }
    Ok(Added::default())
}

/// Fails. It is never called, because [`added_by_exec`] adds nothing here.
pub(crate) fn lower(_: &Rights) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Fails, as [`lower`] does.
pub(crate) fn forbid_gain() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
