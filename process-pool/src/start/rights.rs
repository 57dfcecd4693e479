//! The rights of a worker: it never has one that the process that starts it lacks.
//!
//! The caller of a program chooses its environment and its standard input. A program that has more rights than its
//! caller (set-uid, set-gid, or with capabilities on its file) must not be controlled by those, so it is never a
//! worker. A worker is started from the program's file, so the system would give it the rights of that file again, even
//! if the building process has given them up. Therefore there are three checks, each before any task or initializer:
//!
//! 1. Both sides refuse a process that was started with more rights than its caller, or whose ids differ ([`refusal`]).
//! 2. The building process determines which rights the system would add when it runs the file, and starts the worker so
//!    that nothing is added ([`Terms`]).
//! 3. The worker accepts a greeting only from its parent ([`check_greeted`]), and compares its own rights with those in
//!    the greeting ([`check_worker`]).

use std::{ffi::OsStr, io, os::fd::BorrowedFd};

use crate::sys::{
    credentials,
    rights::{Rights, refused},
};

/// Returns why this process may neither be a worker nor start any.
pub(crate) fn refusal() -> Option<String> {
    own_rights().err()
}

/// Returns the rights of this process if it may be a worker or start any, and otherwise the reason why not.
fn own_rights() -> Result<Rights, String> {
    if credentials::started_with_more_rights() {
        return Err(
            "this program was started with rights that its caller does not have: its file is set-uid or set-gid or has \
             capabilities, or a security policy says so. Its caller chooses its environment and its standard input, \
             and could make a worker of it. Use the pool in another program, without such rights, that this one starts"
                .into(),
        );
    }
    let unknown = |error: io::Error| format!("the rights of this process cannot be determined: {error}");
    let rights = credentials::own().map_err(unknown)?;
    if rights.ids().differ_among_themselves() || credentials::file_system_ids_differ(&rights) {
        return Err(format!(
            "the real, effective and saved ids of this process differ ({}), so it has suspended rights, and a worker, \
             which is started from the program's file, could resume them. Give the rights up for good, or resume them, \
             before workers are started",
            rights.ids()
        ));
    }
    Ok(rights)
}

/// Returns an error with the reason if this process must not become a worker although a greeting waits in this socket:
/// the process may not be a worker at all, or the other end was not made by its parent, with the same rights.
pub(super) fn check_greeted(socket: BorrowedFd<'_>) -> Result<(), String> {
    let rights = own_rights()?;
    credentials::check_peer(socket, &rights)
}

/// Returns an error if this process, a worker, has a right that is not among those that came with the greeting.
pub(crate) fn check_worker(greeted: &Rights) -> io::Result<()> {
    match greeted.excess(&credentials::own()?) {
        None => Ok(()),
        Some(excess) => {
            Err(refused(format!("it has rights that the program that started it lacks: {excess}. Nothing was run")))
        }
    }
}

/// The conditions for starting a worker under which the system adds no right to those of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The most rights that the worker may have.
    pub(super) rights: Rights,
    /// Whether the starting thread must first give up the capabilities that are not effective.
    pub(super) lowers: bool,
    /// Whether that thread must also set `no_new_privs`, which programs started by tasks inherit.
    pub(super) forbids_gain: bool,
}

impl Terms {
    /// Returns the terms for workers that are started from this file, or an error that says why there can be none.
    pub(super) fn of(program: &OsStr) -> io::Result<Terms> {
        let rights = own_rights().map_err(refused)?;
        let added = credentials::added_by_exec(program, &rights)?;
        Ok(Terms { rights, lowers: added.capabilities, forbids_gain: added.privileged_user | added.ids })
    }

    /// Returns `true` if any thread of this process may start the worker without giving anything up.
    pub(super) fn are_met(&self) -> bool {
        !self.lowers && !self.forbids_gain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_a_worker_of_one_with_its_own_rights() {
        let own = credentials::own().expect("known");
        check_worker(&own).expect("the same rights");
        let mut bytes = own.to_bytes();
        bytes[0] ^= 1;
        let other = Rights::from_bytes(&bytes);
        assert_eq!(check_worker(&other).expect_err("other ids").kind(), io::ErrorKind::PermissionDenied);
    }
}
