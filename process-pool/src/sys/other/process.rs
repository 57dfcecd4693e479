//! Processes, which other systems name by number only, and settings of this process.

use std::{ffi::CStr, io, os::fd::OwnedFd, process::Child};

use rustix::{
    io::Errno,
    process::{Pid, Resource, Signal, WaitId, kill_process},
};

/// The resource that a memory limit counts: the whole address space, including the program's own file.
pub(crate) const LIMITED_MEMORY: Resource = Resource::As;

/// The limit on core dumps that turns them off.
pub(crate) const NO_CORE_DUMP: u64 = 0;

/// Returns `None`.
pub(crate) fn open_child(_: &Child) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// Returns `None`.
pub(crate) fn open_parent() -> Option<(u32, Option<OwnedFd>)> {
    None
}

/// Returns how to wait for a process.
pub(crate) fn wait_id(_: Option<&OwnedFd>, pid: Pid) -> WaitId<'_> {
    WaitId::Pid(pid)
}

/// Sends a signal to a process.
pub(crate) fn signal(_: Option<&OwnedFd>, pid: Pid, signal: Signal) -> Result<(), Errno> {
    kill_process(pid, signal)
}

/// Returns `false`: a group cannot be named by a descriptor.
pub(crate) fn signal_group(_: &OwnedFd, _: Signal) -> bool {
    false
}

/// Returns `None`.
pub(crate) fn status_after_reaping(_: &OwnedFd) -> Option<i32> {
    None
}

/// Does nothing: orphans go to the system's first process.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// Does nothing.
pub(crate) fn set_name(_: &CStr) {}

/// Returns a number that is not less than that of any signal.
pub(crate) fn last_signal() -> libc::c_int {
    128
}

/// Returns `None`.
pub(crate) fn stack_end() -> Option<usize> {
    None
}
