//! Other systems do not tell which processes a process has started, so only its group can be ended.

use std::os::fd::OwnedFd;

use rustix::process::Pid;

/// Does nothing.
pub(crate) fn kill_below(_: Pid, _: impl Fn() -> bool) {}

/// Returns nothing.
pub(crate) fn descendants(_: Pid, _: impl Fn() -> bool) -> Vec<OwnedFd> {
    Vec::new()
}

/// Does nothing.
pub(crate) fn kill_each(_: &[OwnedFd]) {}

/// Calls nothing.
pub(crate) fn for_each_zombie(_: impl FnMut(Pid, u64)) {}
