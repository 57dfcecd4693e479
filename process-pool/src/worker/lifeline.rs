//! The end of a worker whose parent is gone.
//!
//! A thread waits for the other end of the socketpair to close, which happens however the parent ends, or for the
//! parent's process to end, where the system can tell: the socket outlives a parent that was forked. Then it kills what
//! the worker's tasks have started, in whatever group, and the worker's process group: the worker itself, busy or not.

use std::{io, os::fd::OwnedFd, sync::Arc};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Signal, getpgrp, getpid, kill_process, kill_process_group},
};

use crate::signals;

/// Starts the thread. What it watches is open when this returns, whatever a task does to the limits of this process
/// then.
pub(super) fn start(socket: Arc<OwnedFd>, parent: u32) -> io::Result<()> {
    // It calls nothing deep, and a worker's memory may be limited.
    const STACK: usize = 64 * 1024;
    let parent = end_of(parent);
    let thread = std::thread::Builder::new().name("lifeline".into()).stack_size(STACK);
    let watch = move || match wait_for_hang_up(&socket, parent.as_ref()) {
        Ok(()) => end_group(),
        Err(error) => super::lose_link(&error),
    };
    // The signals that are sent to this process are for its task.
    signals::with_all_blocked(|| thread.spawn(watch))?;
    Ok(())
}

/// Until the parent is gone. An error: this cannot be watched any more, for a task has closed a descriptor that was not
/// its own.
fn wait_for_hang_up(socket: &OwnedFd, parent: Option<&OwnedFd>) -> io::Result<()> {
    loop {
        // Of the socket nothing is asked for, so what is to be read, which is not this thread's business, does not wake
        // it.
        let on_socket = PollFd::new(socket, PollFlags::empty());
        let on_parent = PollFd::new(parent.unwrap_or(socket), parent.map_or(PollFlags::empty(), |_| PollFlags::IN));
        let mut watched = [on_socket, on_parent];
        match poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let saw = |what: PollFlags| watched.iter().any(|watched| watched.revents().intersects(what));
                if saw(PollFlags::NVAL) {
                    return Err(rustix::io::Errno::BADF.into());
                }
                if saw(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                    return Ok(());
                }
            }
        }
    }
}

/// Ready to read when the parent's process has ended.
#[cfg(target_os = "linux")]
fn end_of(parent: u32) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, getppid, pidfd_open};
    // Where a worker is in a process namespace of its own it cannot see its parent.
    let now = getppid()?;
    let descriptor = pidfd_open(now, PidfdFlags::empty()).ok();
    if now.as_raw_nonzero().get().unsigned_abs() != parent {
        // It was gone before this could look, and somebody else has taken its place.
        end_group();
    }
    descriptor
}

#[cfg(not(target_os = "linux"))]
fn end_of(_: u32) -> Option<OwnedFd> {
    None
}

/// Ends this process and everything that it has started, and whatever else is in its group if the group is its own.
pub(super) fn end_group() -> ! {
    super::children::end();
    super::group::leave();
    let group = getpgrp();
    if group == getpid() {
        let _ = kill_process_group(group, Signal::KILL);
    }
    end_this_process()
}

/// Ends this process alone, without a word.
pub(super) fn end_this_process() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    // Not reached: nobody can block or handle that signal.
    std::process::abort()
}
