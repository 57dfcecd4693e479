//! Which rights a worker has: never one that the process that starts it lacks.
//!
//! The caller of a program chooses its environment and its standard input. A program that has more rights than its
//! caller (set-uid, set-gid, or with capabilities on its file) must not take orders from there, so it is never a
//! worker. And because a worker is started from the program's file, the system would give it the rights of that file
//! again, even if the building process has given them up. So there are three checks, each before any task or
//! initializer:
//!
//! 1. Both sides refuse a process that was started with more rights than its caller, or whose ids differ ([`refusal`]).
//! 2. The building process looks at what the system would add when it runs the file, and starts the worker so that
//!    nothing is added ([`Terms`]).
//! 3. The worker accepts a greeting only from its parent ([`check_greeted`]), and compares its own rights with those in
//!    the greeting ([`Rights::check_worker`]).

use std::{ffi::OsStr, fmt::Write as _, io, os::fd::BorrowedFd};

use super::credentials;

/// The rights of a process, as far as they change when it runs a file. Supplementary groups do not; the socket knows
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// The real, effective and saved user, and the same for the group.
    pub(super) ids: [u32; 6],
    /// Sets of capabilities; empty where the system has none.
    pub(super) permitted: u64,
    pub(super) effective: u64,
    pub(super) inheritable: u64,
}

impl Rights {
    /// The length of [`to_bytes`](Rights::to_bytes).
    pub(super) const SIZE: usize = 48;

    /// The rights that this process has. A capability counts only if the calling thread and the main thread both have
    /// it: capabilities belong to threads, and most programs give them up in the main thread alone.
    pub(super) fn own() -> io::Result<Rights> {
        credentials::rights()
    }

    pub(super) fn to_bytes(self) -> [u8; Rights::SIZE] {
        let mut bytes = [0; Rights::SIZE];
        let (ids, sets) = bytes.split_at_mut(24);
        for (into, id) in ids.chunks_exact_mut(4).zip(self.ids) {
            into.copy_from_slice(&id.to_le_bytes());
        }
        for (into, set) in sets.chunks_exact_mut(8).zip([self.permitted, self.effective, self.inheritable]) {
            into.copy_from_slice(&set.to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; Rights::SIZE]) -> Rights {
        let id = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let set = |at: usize| u64::from(id(at)) | u64::from(id(at + 4)) << 32;
        Rights { ids: [0, 4, 8, 12, 16, 20].map(id), permitted: set(24), effective: set(32), inheritable: set(40) }
    }

    /// In a worker: an error if this process has a right that is not among these, which came with the greeting.
    pub(crate) fn check_worker(&self) -> io::Result<()> {
        match self.excess(&Rights::own()?) {
            None => Ok(()),
            Some(excess) => {
                Err(refused(format!("it has rights that the program that started it lacks: {excess}. Nothing was run")))
            }
        }
    }

    /// What a worker with these rights has more than the process that these are the rights of, in words.
    fn excess(&self, worker: &Rights) -> Option<String> {
        if worker.ids != self.ids {
            return Some(format!("its ids are {}, and the program's are {}", ids(worker), ids(self)));
        }
        let sets = [
            ("permitted", worker.permitted & !self.permitted),
            ("effective", worker.effective & !self.effective),
            ("inheritable", worker.inheritable & !self.inheritable),
        ];
        let mut text = String::new();
        for (name, more) in sets.into_iter().filter(|(_, more)| *more != 0) {
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}{name} capabilities {more:#x}");
        }
        (!text.is_empty()).then_some(text)
    }

    fn differ_among_themselves(&self) -> bool {
        let [user @ .., _, _, _] = self.ids;
        let [_, _, _, group @ ..] = self.ids;
        [user, group].iter().any(|ids| ids[0] != ids[1] || ids[1] != ids[2])
    }
}

fn ids(rights: &Rights) -> String {
    let [real, effective, saved, real_group, effective_group, saved_group] = rights.ids;
    format!("user {real}/{effective}/{saved}, group {real_group}/{effective_group}/{saved_group}")
}

/// Why this process may neither be a worker nor start any.
pub(crate) fn refusal() -> Option<String> {
    own_rights().err()
}

/// The rights of this process, if it may be a worker or start any; else why not.
fn own_rights() -> Result<Rights, String> {
    if credentials::started_with_more_rights() {
        return Err(
            "this program was started with rights that its caller does not have: its file is set-uid or set-gid or has \
             capabilities, or a security policy says so. Its caller chooses its environment and its standard input, and \
             could make a worker of it. Use the pool in another program, without such rights, that this one starts"
                .into(),
        );
    }
    let unknown = |error: io::Error| format!("the rights of this process cannot be determined: {error}");
    let rights = Rights::own().map_err(unknown)?;
    if rights.differ_among_themselves() || credentials::file_system_ids_differ(&rights) {
        return Err(format!(
            "the real, effective and saved ids of this process differ ({}), so it has put rights aside for a while, and a \
             worker, which is started from the program's file, could have them. Give the rights up for good, or take them \
             back, before workers are started",
            ids(&rights)
        ));
    }
    Ok(rights)
}

/// Why this process must not become a worker, although a greeting waits in this socket: it may be none at all, or the
/// other end was not made by its parent, with the same rights.
pub(super) fn check_greeted(socket: BorrowedFd<'_>) -> Result<(), String> {
    let rights = own_rights()?;
    credentials::check_peer(socket, &rights)
}

/// How a worker must be started so that the system adds no right to those of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// What the worker may have at most.
    pub(super) rights: Rights,
    /// Whether the thread that starts it must first give up the capabilities that are not effective.
    pub(super) lowers: bool,
    /// Whether that thread must also set `no_new_privs`. What tasks start inherits that.
    pub(super) forbids_gain: bool,
}

impl Terms {
    /// For workers that are started from this file. An error says why there can be none.
    pub(super) fn of(program: &OsStr) -> io::Result<Terms> {
        let rights = own_rights().map_err(refused)?;
        let added = credentials::added_by_exec(program, &rights)?;
        Ok(Terms { rights, lowers: added.capabilities, forbids_gain: added.privileged_user | added.ids })
    }

    /// Whether nothing needs to be done.
    pub(super) fn are_met(&self) -> bool {
        !self.lowers && !self.forbids_gain
    }
}

/// What running a file would add to the rights of the thread that does it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Added {
    /// The file is set-uid or set-gid, for another user or group.
    pub(super) ids: bool,
    /// Capabilities that are permitted but not effective, or that another thread has given up.
    pub(super) capabilities: bool,
    /// Capabilities that the system gives to user 0 whatever it has given up.
    pub(super) privileged_user: bool,
}

pub(super) fn refused(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(ids: [u32; 6], permitted: u64, effective: u64) -> Rights {
        Rights { ids, permitted, effective, inheritable: 0 }
    }

    #[test]
    fn rights_are_read_as_they_were_written() {
        let all =
            Rights { ids: [1, 2, 3, 4, 5, u32::MAX], permitted: u64::MAX - 7, effective: 1 << 40, inheritable: 3 };
        assert_eq!(Rights::from_bytes(&all.to_bytes()), all);
    }

    #[test]
    fn less_is_accepted_and_more_is_named() {
        let host = rights([7; 6], 0b111, 0b011);
        assert_eq!(host.excess(&host), None);
        assert_eq!(host.excess(&rights([7; 6], 0b001, 0)), None);
        let more = host.excess(&rights([7; 6], 0b111, 0b111)).expect("an effective one more");
        assert_eq!(more, "effective capabilities 0x4");
        for at in 0..6 {
            let mut ids = [7; 6];
            ids[at] = 0;
            assert!(host.excess(&rights(ids, 0, 0)).is_some_and(|more| more.contains("ids")), "id {at}");
            assert!(rights(ids, 0, 0).differ_among_themselves(), "id {at}");
        }
        assert!(!rights([1, 1, 1, 2, 2, 2], 0, 0).differ_among_themselves());
    }

    #[test]
    fn a_process_may_be_a_worker_of_one_with_its_own_rights() {
        let own = Rights::own().expect("known");
        own.check_worker().expect("the same rights");
        let other = Rights { ids: own.ids.map(|id| id + 1), ..own };
        assert_eq!(other.check_worker().expect_err("other ids").kind(), io::ErrorKind::PermissionDenied);
    }
}
