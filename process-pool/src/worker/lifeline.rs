//! The end of a worker whose parent is gone.
//!
//! A thread waits for the other end of the socketpair to close, which happens however the parent ends. Then it kills the
//! worker's process group: the worker itself, busy or not, and what its tasks have started.

use std::{io, os::fd::OwnedFd, sync::Arc};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Signal, getpgrp, getpid, kill_process_group},
};

use super::EXIT_ORPHANED;

/// Starts the thread.
pub(super) fn start(socket: Arc<OwnedFd>) -> io::Result<()> {
    // It calls nothing deep, and a worker's memory may be limited.
    const STACK: usize = 64 * 1024;
    let thread = std::thread::Builder::new().name("lifeline".into()).stack_size(STACK);
    thread.spawn(move || {
        wait_for_hang_up(&socket);
        end_group();
    })?;
    Ok(())
}

fn wait_for_hang_up(socket: &OwnedFd) {
    loop {
        // Nothing is asked for, so what is to be read, which is not this thread's business, does not wake it.
        let mut watched = [PollFd::new(socket, PollFlags::empty())];
        match poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
            Ok(_) if watched[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => return,
            Ok(_) => {}
        }
    }
}

/// Ends this process, and everything in its group if the group is its own.
pub(super) fn end_group() -> ! {
    let group = getpgrp();
    if group == getpid() {
        let _ = kill_process_group(group, Signal::KILL);
    }
    std::process::exit(EXIT_ORPHANED)
}
