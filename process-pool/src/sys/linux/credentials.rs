//! The rights of this process, of a socket's other end, and of a file.
#![allow(unsafe_code)]

use std::{
    ffi::OsStr,
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use rustix::{
    process::getpid,
    thread::{
        CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities_secure_bits, gettid, set_capabilities,
        set_no_new_privs,
    },
};

use crate::sys::rights::{Added, Ids, Rights, file_changes_ids, refused};

/// Returns `true` if this process has gained rights when its file was run. That never changes during its life.
pub(crate) fn started_with_more_rights() -> bool {
    // SAFETY: it only reads what the kernel has told this process at its start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Returns the rights of this process. A capability counts only if the calling thread and the main thread both have it:
/// capabilities belong to threads, and most programs give them up in the main thread alone.
pub(crate) fn own() -> io::Result<Rights> {
    let mut sets = capabilities(0)?;
    let main = getpid();
    if gettid() != main {
        // The main thread has the number of the process.
        let of_main = capabilities(main.as_raw_nonzero().get())?;
        sets.permitted &= of_main.permitted;
        sets.effective &= of_main.effective;
        sets.inheritable &= of_main.inheritable;
    }
    let Capabilities { permitted, effective, inheritable } = sets;
    Ok(Rights { ids: Ids::own()?, permitted, effective, inheritable })
}

/// Returns `true` if the ids with which the calling thread opens files differ from its effective ones.
pub(crate) fn file_system_ids_differ(rights: &Rights) -> bool {
    /// No id: it changes nothing, and the present one is returned.
    const NONE: u32 = u32::MAX;
    // SAFETY: system calls without pointers.
    let (user, group) = unsafe { (libc::setfsuid(NONE), libc::setfsgid(NONE)) };
    let differs = |id: i32, effective: u32| id != -1 && id as u32 != effective;
    differs(user, rights.ids.effective_user()) || differs(group, rights.ids.effective_group())
}

/// Returns an error with the reason if the other end of this socketpair was made by a process that is not the parent of
/// this one, or that had other ids or fewer groups.
pub(crate) fn check_peer(socket: BorrowedFd<'_>, own: &Rights) -> Result<(), String> {
    let mut peer = libc::ucred { pid: -1, uid: u32::MAX, gid: u32::MAX };
    // SAFETY: a `ucred` consists of plain numbers, for which any bytes are valid.
    unsafe { option(socket, libc::SO_PEERCRED, std::slice::from_mut(&mut peer)) }
        .map_err(|error| format!("the sender of the greeting cannot be determined: {error}"))?;
    // SAFETY: a system call without arguments. A process of another process namespace is 0, here and above.
    let parent = unsafe { libc::getppid() };
    if peer.pid != parent {
        return Err(format!(
            "its greeting came from process {}, and its parent is process {parent}: the program that started it has \
             ended, or another one pretends to be it",
            peer.pid
        ));
    }
    let same = [[peer.uid; 3], [peer.gid; 3]].concat() == own.ids.0;
    if !same {
        let (user, group) = (peer.uid, peer.gid);
        return Err(format!("the program that started it has other rights: user {user}, group {group}"));
    }
    let groups = rustix::process::getgroups().map_err(|error| format!("its groups cannot be determined: {error}"))?;
    let Some(peers) = peer_groups(socket) else { return Ok(()) };
    let more = groups.iter().map(|group| group.as_raw()).find(|group| !peers.contains(group));
    match more.filter(|more| *more != peer.gid) {
        Some(more) => Err(format!("it is in group {more}, and the program that started it is not")),
        None => Ok(()),
    }
}

/// Returns which rights the system would add to those of this thread when it runs this file.
pub(crate) fn added_by_exec(program: &OsStr, rights: &Rights) -> io::Result<Added> {
    let mut added = Added { ids: file_changes_ids(program, rights.ids)?, ..Added::default() };
    let is_root = rights.ids.0[0] == 0;
    if !is_root && has_capabilities(program) {
        return Err(refused(
            "the file of this program has capabilities (`getcap` shows them), which its workers would have and this \
             process may lack: take them from the file, or have this program started with ambient capabilities instead"
                .into(),
        ));
    }
    let thread = capabilities(0)?;
    // Ambient capabilities become effective, and are already permitted. The same holds for capabilities that only the
    // main thread lacks.
    added.capabilities = thread.permitted & !rights.effective != 0 || thread.inheritable != rights.inheritable;
    if is_root && !capabilities_secure_bits()?.contains(CapabilitiesSecureBits::NO_ROOT) {
        let more = thread.inheritable & !rights.effective != 0 || bounding_set_exceeds(rights.effective);
        added.privileged_user = more;
        added.capabilities |= more;
    }
    Ok(added)
}

/// Leaves the calling thread with no other capabilities than those that are effective in these rights.
pub(crate) fn lower(rights: &Rights) -> io::Result<()> {
    // Every permitted capability can become effective when a file is run.
    let most = CapabilitySet::from_bits_retain(rights.effective);
    let inheritable = CapabilitySet::from_bits_retain(rights.inheritable & rights.effective);
    Ok(set_capabilities(None, CapabilitySets { effective: most, permitted: most, inheritable })?)
}

/// Forbids the calling thread, and the programs that it starts, to gain rights by running a file.
pub(crate) fn forbid_gain() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// The capabilities of a thread.
struct Capabilities {
    permitted: u64,
    effective: u64,
    inheritable: u64,
}

/// Returns the capabilities of the thread with this number. 0 is the calling thread.
fn capabilities(thread: i32) -> io::Result<Capabilities> {
    #[repr(C)]
    struct Head {
        version: u32,
        thread: i32,
    }
    /// Sets of 64 bits, each in two halves.
    const VERSION_3: u32 = 0x2008_0522;
    let mut head = Head { version: VERSION_3, thread };
    // Effective, permitted and inheritable: the lower half of each, and then the upper half of each. They are zeroed
    // because valgrind assumes that the system writes the lower halves alone.
    let mut halves = [[0_u32; 3]; 2];
    // SAFETY: both are as large as the version says, and live through the call.
    if unsafe { libc::syscall(libc::SYS_capget, &raw mut head, halves.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let [lower, upper] = halves;
    let [effective, permitted, inheritable] = [0, 1, 2].map(|set| u64::from(lower[set]) | u64::from(upper[set]) << 32);
    Ok(Capabilities { permitted, effective, inheritable })
}

/// Returns the supplementary groups of the process that has made a socketpair, or `None` before Linux 4.13.
fn peer_groups(socket: BorrowedFd<'_>) -> Option<Vec<u32>> {
    const SO_PEERGROUPS: libc::c_int = 59;
    let mut groups = vec![0_u32; 64];
    loop {
        // SAFETY: the values are plain numbers, for which any bytes are valid.
        match unsafe { option(socket, SO_PEERGROUPS, &mut groups) } {
            Ok(count) => {
                groups.truncate(count);
                return Some(groups);
            }
            // A process can have up to 65,536.
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) && groups.len() < 1 << 16 => {
                groups.resize(groups.len() * 4, 0);
            }
            Err(_) => return None,
        }
    }
}

/// Reads an option of a socket, and returns how many values were written.
///
/// # Safety
///
/// Any bytes must be a valid `T`.
unsafe fn option<T>(socket: BorrowedFd<'_>, name: libc::c_int, values: &mut [T]) -> io::Result<usize> {
    let mut length = size_of_val(values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, which is the size of the slice. The caller promises that
    // any bytes are valid.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, values.as_mut_ptr().cast(), &mut length)
    };
    if result == 0 { Ok(length as usize / size_of::<T>()) } else { Err(io::Error::last_os_error()) }
}

/// Returns `true` if user 0 would be given a capability that is not among these.
fn bounding_set_exceeds(effective: u64) -> bool {
    // The kernel numbers them without gaps, and refuses numbers past the last.
    let others = (0..u64::BITS).filter(|capability| effective & 1 << capability == 0);
    others.map_while(|capability| is_in_bounding_set(capability).ok()).any(|is_in| is_in)
}

fn is_in_bounding_set(capability: u32) -> io::Result<bool> {
    // SAFETY: a system call without pointers.
    match unsafe { libc::prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(capability)) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result != 0),
    }
}

/// Returns `true` if running this file gives capabilities.
fn has_capabilities(program: &OsStr) -> bool {
    use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};
    let mut value = [0_u8; 64];
    let has = getxattr(program, c"security.capability", &mut value).is_ok();
    has && !statvfs(program).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOSUID))
}
