//! What is restricted for a whole process at its start, before other code of the program runs.
#![allow(unsafe_code)]

use std::{io, os::fd::BorrowedFd};

use rustix::{
    io::{Errno, FdFlags, fcntl_setfd},
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::{UnshareFlags, set_no_new_privs},
};

/// The first number that is no standard descriptor.
const FIRST: u32 = 3;

/// Closes all descriptors but the standard ones and these.
pub(crate) fn close_others(keep: &[i32]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|number| u32::try_from(*number).ok()).collect();
    keep.sort_unstable();
    let mut next = FIRST;
    for kept in keep.into_iter().filter(|number| *number >= FIRST) {
        if kept > next {
            close_range(next, kept - 1)?;
        }
        next = next.max(kept + 1);
    }
    close_range(next, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: this process has just started. Its own descriptors are not in the range, and those that code before
    // `main` has opened are not to be used in a sandbox.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match Errno::from_io_error(&error) {
        // Before Linux 5.9, and in some containers.
        Some(Errno::NOSYS | Errno::PERM) => close_each(first, last),
        _ => Err(error),
    }
}

fn close_each(first: u32, last: u32) -> io::Result<()> {
    let entries = std::fs::read_dir("/proc/self/fd")?;
    let numbers: Vec<u32> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| (first..=last).contains(number)) {
        // SAFETY: as above. The descriptor of the list itself is closed already, which is an error here.
        unsafe { libc::close(number as libc::c_int) };
    }
    Ok(())
}

/// Leaves a descriptor open in programs that this process starts, so that its number means nothing else there.
pub(crate) fn keep_for_programs(number: i32) -> io::Result<()> {
    // SAFETY: the caller's descriptor is open for as long as this process lives.
    Ok(fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::empty())?)
}

/// Forbids this process to gain rights, and other processes of its user to read its memory.
pub(crate) fn forbid_gain() -> io::Result<()> {
    set_no_new_privs(true)?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Gives this process, which must have one thread, namespaces of its own, in which it keeps its user.
pub(crate) fn unshare() -> io::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let spaces = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    // SAFETY: the table of descriptors stays shared.
    unsafe { rustix::thread::unshare_unsafe(spaces)? };
    // A process without the right to do so may name its group only if it can no longer change its other groups.
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    let change = rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
    Ok(rustix::mount::mount_change(c"/", change)?)
}

/// Returns an error with the reason if the system certainly does not let this program make namespaces.
pub(crate) fn check_namespaces() -> Result<(), String> {
    let setting = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_string());
    let is_root = rustix::process::geteuid().is_root();
    for (path, forbids, applies_to_root) in [
        ("/proc/sys/user/max_user_namespaces", "0", true),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", false),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", false),
    ] {
        if setting(path).as_deref() == Some(forbids) && (applies_to_root || !is_root) {
            return Err(format!("{path} is {forbids}"));
        }
    }
    match std::path::Path::new("/proc/self/ns/user").exists() {
        true => Ok(()),
        false => Err("the kernel has no user namespaces, or /proc is missing".into()),
    }
}

/// Makes the C library read the time zone, which it cannot once files are refused.
pub(crate) fn read_time_zone() {
    unsafe extern "C" {
        /// The C library's `tzset`.
        fn tzset();
    }
    // SAFETY: it reads the environment, which no thread of this process changes while it starts to serve, or which the
    // initializer has left to its threads as any Rust code must.
    unsafe { tzset() };
}
