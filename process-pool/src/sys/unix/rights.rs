//! The rights of a process, as values.
#![allow(unsafe_code)]

use std::{ffi::OsStr, fmt, fmt::Write as _, io};

use rustix::fs::Mode;

/// The rights of a process that may change when it runs a file. Supplementary groups do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(in crate::sys) ids: Ids,
    /// Sets of capabilities, which are empty where the system has none.
    pub(in crate::sys) permitted: u64,
    pub(in crate::sys) effective: u64,
    pub(in crate::sys) inheritable: u64,
}

/// The real, effective and saved user, and the same for the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids(pub(in crate::sys) [u32; 6]);

impl Rights {
    /// The length of [`to_bytes`](Rights::to_bytes).
    pub(crate) const SIZE: usize = 48;

    pub(crate) fn to_bytes(self) -> [u8; Rights::SIZE] {
        let mut bytes = [0; Rights::SIZE];
        let (ids, sets) = bytes.split_at_mut(24);
        for (into, id) in ids.chunks_exact_mut(4).zip(self.ids.0) {
            into.copy_from_slice(&id.to_le_bytes());
        }
        for (into, set) in sets.chunks_exact_mut(8).zip([self.permitted, self.effective, self.inheritable]) {
            into.copy_from_slice(&set.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Rights::SIZE]) -> Rights {
        let id = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let set = |at: usize| u64::from(id(at)) | u64::from(id(at + 4)) << 32;
        let ids = Ids([0, 4, 8, 12, 16, 20].map(id));
        Rights { ids, permitted: set(24), effective: set(32), inheritable: set(40) }
    }

    /// Describes the rights that `other` has beyond these. Returns `None` if it has none.
    pub(crate) fn excess(&self, other: &Rights) -> Option<String> {
        if other.ids != self.ids {
            return Some(format!("its ids are {}, and the program's are {}", other.ids, self.ids));
        }
        let sets = [
            ("permitted", other.permitted & !self.permitted),
            ("effective", other.effective & !self.effective),
            ("inheritable", other.inheritable & !self.inheritable),
        ];
        let mut text = String::new();
        for (name, more) in sets.into_iter().filter(|(_, more)| *more != 0) {
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}{name} capabilities {more:#x}");
        }
        (!text.is_empty()).then_some(text)
    }

    /// Returns the ids.
    pub(crate) fn ids(&self) -> Ids {
        self.ids
    }
}

impl Ids {
    /// Returns the ids of this process.
    pub(in crate::sys) fn own() -> io::Result<Ids> {
        own_ids().map(Ids)
    }

    pub(in crate::sys) fn effective_user(self) -> u32 {
        self.0[1]
    }

    pub(in crate::sys) fn effective_group(self) -> u32 {
        self.0[4]
    }

    /// Returns `true` if the real, effective and saved ids are not all the same.
    pub(crate) fn differ_among_themselves(self) -> bool {
        let [user @ .., _, _, _] = self.0;
        let [_, _, _, group @ ..] = self.0;
        [user, group].iter().any(|ids| ids[0] != ids[1] || ids[1] != ids[2])
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [real, effective, saved, real_group, effective_group, saved_group] = self.0;
        write!(formatter, "user {real}/{effective}/{saved}, group {real_group}/{effective_group}/{saved_group}")
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd"))]
fn own_ids() -> io::Result<[u32; 6]> {
    let mut ids = [0; 6];
    let [real, effective, saved, real_group, effective_group, saved_group] = &mut ids;
    // SAFETY: the results are written to valid variables.
    let results =
        unsafe { [libc::getresuid(real, effective, saved), libc::getresgid(real_group, effective_group, saved_group)] };
    if results == [0, 0] { Ok(ids) } else { Err(io::Error::last_os_error()) }
}

/// Returns the ids, with the effective ones in place of the saved ones, which these systems do not tell.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd")))]
fn own_ids() -> io::Result<[u32; 6]> {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    Ok([getuid().as_raw(), user, user, getgid().as_raw(), group, group])
}

/// The rights that running a file would add to those of the thread that does it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Added {
    /// The file is set-uid or set-gid, for another user or group.
    pub(crate) ids: bool,
    /// Capabilities that are permitted but not effective, or that another thread has given up.
    pub(crate) capabilities: bool,
    /// Capabilities that the system gives to user 0 even if it has given them up.
    pub(crate) privileged_user: bool,
}

/// Returns `true` if running this file would change the effective ids of this process.
pub(in crate::sys) fn file_changes_ids(program: &OsStr, ids: Ids) -> io::Result<bool> {
    let file = rustix::fs::stat(program)?;
    let mode = Mode::from_raw_mode(file.st_mode);
    let sets_user = mode.contains(Mode::SUID) && file.st_uid != ids.effective_user();
    // Without the right to execute, the bit means something else.
    let sets_group = mode.contains(Mode::SGID | Mode::XGRP) && file.st_gid != ids.effective_group();
    Ok(sets_user || sets_group)
}

/// Makes the error of a process that must not start workers, or must not be one.
pub(crate) fn refused(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(ids: [u32; 6], permitted: u64, effective: u64) -> Rights {
        Rights { ids: Ids(ids), permitted, effective, inheritable: 0 }
    }

    #[test]
    fn rights_are_read_as_they_were_written() {
        let all =
            Rights { ids: Ids([1, 2, 3, 4, 5, u32::MAX]), permitted: u64::MAX - 7, effective: 1 << 40, inheritable: 3 };
        assert_eq!(Rights::from_bytes(&all.to_bytes()), all);
    }

    #[test]
    fn fewer_rights_are_accepted_and_more_are_named() {
        let host = rights([7; 6], 0b111, 0b011);
        assert_eq!(host.excess(&host), None);
        assert_eq!(host.excess(&rights([7; 6], 0b001, 0)), None);
        let more = host.excess(&rights([7; 6], 0b111, 0b111)).expect("an effective one more");
        assert_eq!(more, "effective capabilities 0x4");
        for at in 0..6 {
            let mut ids = [7; 6];
            ids[at] = 0;
            assert!(host.excess(&rights(ids, 0, 0)).is_some_and(|more| more.contains("ids")), "id {at}");
            assert!(Ids(ids).differ_among_themselves(), "id {at}");
        }
        assert!(!Ids([1, 1, 1, 2, 2, 2]).differ_among_themselves());
    }
}
