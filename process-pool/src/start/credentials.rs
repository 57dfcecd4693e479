//! Questions about rights that the system answers: those of this process, of a socket's other end, and of a file.
#![allow(unsafe_code)]

use std::{ffi::OsStr, io, os::fd::BorrowedFd};

use rustix::fs::Mode;

use super::rights::{Added, Rights, refused};

/// Whether this process has gained rights when its file was run. It stays so for the life of the process.
pub(super) fn started_with_more_rights() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: it only looks into what the kernel has told this process at its start.
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

/// The real, effective and saved user, and the same for the group.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd"))]
fn ids() -> io::Result<[u32; 6]> {
    let mut ids = [0; 6];
    let [real, effective, saved, real_group, effective_group, saved_group] = &mut ids;
    // SAFETY: the results are written to valid places.
    let answers =
        unsafe { [libc::getresuid(real, effective, saved), libc::getresgid(real_group, effective_group, saved_group)] };
    if answers == [0, 0] { Ok(ids) } else { Err(io::Error::last_os_error()) }
}

/// Where the saved ids cannot be asked for, they count as the effective ones.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "openbsd")))]
fn ids() -> io::Result<[u32; 6]> {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    Ok([getuid().as_raw(), user, user, getgid().as_raw(), group, group])
}

#[cfg(not(target_os = "linux"))]
pub(super) fn rights() -> io::Result<Rights> {
    Ok(Rights { ids: ids()?, permitted: 0, effective: 0, inheritable: 0 })
}

#[cfg(target_os = "linux")]
pub(super) fn rights() -> io::Result<Rights> {
    use rustix::{process::getpid, thread::gettid};
    let mut sets = capabilities(0)?;
    let main = getpid();
    if gettid() != main {
        // The main thread has the number of the process.
        let of_main = capabilities(main.as_raw_nonzero().get())?;
        sets.permitted &= of_main.permitted;
        sets.effective &= of_main.effective;
        sets.inheritable &= of_main.inheritable;
    }
    Ok(Rights { ids: ids()?, permitted: sets.permitted, effective: sets.effective, inheritable: sets.inheritable })
}

/// The capabilities of a thread.
#[cfg(target_os = "linux")]
struct Capabilities {
    permitted: u64,
    effective: u64,
    inheritable: u64,
}

/// The capabilities of the thread with this number; 0 is the calling one.
#[cfg(target_os = "linux")]
fn capabilities(thread: i32) -> io::Result<Capabilities> {
    #[repr(C)]
    struct Head {
        version: u32,
        thread: i32,
    }
    /// Sets of 64 bits, each in two halves.
    const VERSION_3: u32 = 0x2008_0522;
    let mut head = Head { version: VERSION_3, thread };
    // Of the lower half, and then of the upper one: effective, permitted, inheritable. They are zero before, because
    // valgrind believes that the system writes the lower half alone.
    let mut halves = [[0_u32; 3]; 2];
    // SAFETY: both are as large as the version says, and live through the call.
    if unsafe { libc::syscall(libc::SYS_capget, &raw mut head, halves.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let [lower, upper] = halves;
    let [effective, permitted, inheritable] = [0, 1, 2].map(|set| u64::from(lower[set]) | u64::from(upper[set]) << 32);
    Ok(Capabilities { permitted, effective, inheritable })
}

/// Whether the ids that the calling thread opens files with differ from its effective ones.
#[cfg(target_os = "linux")]
pub(super) fn file_system_ids_differ(rights: &Rights) -> bool {
    /// No id: it changes nothing, and the answer is the present one.
    const NONE: u32 = u32::MAX;
    // SAFETY: system calls without pointers.
    let (user, group) = unsafe { (libc::setfsuid(NONE), libc::setfsgid(NONE)) };
    let differs = |answer: i32, effective: u32| answer != -1 && answer.cast_unsigned() != effective;
    differs(user, rights.ids[1]) || differs(group, rights.ids[4])
}

#[cfg(not(target_os = "linux"))]
pub(super) fn file_system_ids_differ(_: &Rights) -> bool {
    false
}

/// An error, in words, if the other end of this socketpair was made by a process that is not the parent of this one, or
/// had other ids or fewer groups.
#[cfg(target_os = "linux")]
pub(super) fn check_peer(socket: BorrowedFd<'_>, own: &Rights) -> Result<(), String> {
    let mut peer = libc::ucred { pid: -1, uid: u32::MAX, gid: u32::MAX };
    // SAFETY: a `ucred` is plain numbers, which the kernel may write as it likes.
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
    let same = [[peer.uid; 3], [peer.gid; 3]].concat() == own.ids;
    if !same {
        let (user, group) = (peer.uid, peer.gid);
        return Err(format!("the program that started it has other rights: user {user}, group {group}"));
    }
    let groups = rustix::process::getgroups().map_err(|error| format!("its groups cannot be determined: {error}"))?;
    if let Some(peers) = peer_groups(socket)
        && let Some(more) = groups.iter().map(|group| group.as_raw()).find(|group| !peers.contains(group))
        && more != peer.gid
    {
        return Err(format!("it is in group {more}, and the program that started it is not"));
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn check_peer(_: BorrowedFd<'_>, _: &Rights) -> Result<(), String> {
    Ok(())
}

/// The supplementary groups of the process that has made a socketpair. None before Linux 4.13.
#[cfg(target_os = "linux")]
fn peer_groups(socket: BorrowedFd<'_>) -> Option<Vec<u32>> {
    const SO_PEERGROUPS: libc::c_int = 59;
    let mut groups = vec![0_u32; 64];
    loop {
        // SAFETY: numbers, which the kernel may write as it likes.
        match unsafe { option(socket, SO_PEERGROUPS, &mut groups) } {
            Ok(count) => {
                groups.truncate(count);
                return Some(groups);
            }
            // The most that a process can have are 65,536.
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) && groups.len() < 1 << 16 => {
                groups.resize(groups.len() * 4, 0);
            }
            Err(_) => return None,
        }
    }
}

/// Asks for an option of a socket, and returns how many values were written.
///
/// # Safety
///
/// Any bytes must be a valid `T`.
#[cfg(target_os = "linux")]
unsafe fn option<T>(socket: BorrowedFd<'_>, name: libc::c_int, values: &mut [T]) -> io::Result<usize> {
    use std::os::fd::AsRawFd as _;
    let mut length = size_of_val(values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, which is what the slice has; the caller vouches for the type.
    let answer = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, values.as_mut_ptr().cast(), &mut length)
    };
    if answer == 0 { Ok(length as usize / size_of::<T>()) } else { Err(io::Error::last_os_error()) }
}

/// What the system would add to the rights of this thread when it runs this file.
pub(super) fn added_by_exec(program: &OsStr, rights: &Rights) -> io::Result<Added> {
    let file = rustix::fs::stat(program)?;
    let mode = Mode::from_raw_mode(file.st_mode);
    let sets_user = mode.contains(Mode::SUID) && file.st_uid != rights.ids[1];
    // Without the right to execute, the bit means something else.
    let sets_group = mode.contains(Mode::SGID | Mode::XGRP) && file.st_gid != rights.ids[4];
    let added = Added { ids: sets_user || sets_group, ..Added::default() };
    if added.ids && !cfg!(target_os = "linux") {
        return Err(refused(
            "the file of this program is set-uid or set-gid, and would give its workers rights that this process lacks: \
             take these bits from the file"
                .into(),
        ));
    }
    #[cfg(target_os = "linux")]
    let added = capabilities_added_by_exec(program, rights, added)?;
    Ok(added)
}

#[cfg(target_os = "linux")]
fn capabilities_added_by_exec(program: &OsStr, rights: &Rights, mut added: Added) -> io::Result<Added> {
    use rustix::thread::{CapabilitiesSecureBits, capabilities_secure_bits};
    let is_root = rights.ids[0] == 0;
    if !is_root && has_capabilities(program) {
        return Err(refused(
            "the file of this program has capabilities (`getcap` shows them), which its workers would have and this \
             process may lack: take them from the file, or have this program started with ambient capabilities instead"
                .into(),
        ));
    }
    let thread = capabilities(0)?;
    // What is ambient becomes effective, and is permitted before; so does what the main thread lacks.
    added.capabilities = thread.permitted & !rights.effective != 0 || thread.inheritable != rights.inheritable;
    if is_root && !capabilities_secure_bits()?.contains(CapabilitiesSecureBits::NO_ROOT) {
        let more = thread.inheritable & !rights.effective != 0 || bounding_set_exceeds(rights.effective);
        added.privileged_user = more;
        added.capabilities |= more;
    }
    Ok(added)
}

/// Whether user 0 would be given a capability that is not among these.
#[cfg(target_os = "linux")]
fn bounding_set_exceeds(effective: u64) -> bool {
    // The kernel numbers them without gaps, and refuses what is behind the last.
    let others = (0..u64::BITS).filter(|capability| effective & 1 << capability == 0);
    others.map_while(|capability| is_in_bounding_set(capability).ok()).any(|is_in| is_in)
}

#[cfg(target_os = "linux")]
fn is_in_bounding_set(capability: u32) -> io::Result<bool> {
    // SAFETY: a system call without pointers.
    match unsafe { libc::prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(capability)) } {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer != 0),
    }
}

/// Whether a file gives capabilities to those who run it.
#[cfg(target_os = "linux")]
fn has_capabilities(program: &OsStr) -> bool {
    use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};
    let mut value = [0_u8; 64];
    let has = getxattr(program, c"security.capability", &mut value).is_ok();
    has && !statvfs(program).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOSUID))
}
