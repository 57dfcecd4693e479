//! Where no one can say what a process has started: only its group is ended.

use std::os::fd::OwnedFd;

use rustix::process::Pid;

pub(crate) fn end_below(_: Pid, _: impl Fn() -> bool) {}

pub(crate) fn outside_of_group(_: Pid, _: impl Fn() -> bool) -> Vec<OwnedFd> {
    Vec::new()
}

pub(crate) fn end_each(_: &[OwnedFd]) {}

pub(crate) fn for_each_corpse(_: impl FnMut(Pid, u64)) {}
