//! The thread that ends a worker whose parent is gone.
//!
//! It waits until the other end of the socketpair closes, which happens however the parent ends. Where the system can
//! report the end of the parent's process, it waits for that, too: if the parent was forked, the socket outlives it.
//! Then it kills all processes that the worker's tasks have started, in any group, and the worker's process group, even
//! if the worker is busy.

use std::{io, os::fd::OwnedFd, sync::Arc};

use rustix::event::{PollFd, PollFlags, poll};

use super::end::{end_group, lose_link};
use crate::sys::{process, signals};

/// Starts the thread. The descriptors that it watches are open when this returns, so later limits do not matter.
pub(super) fn start(socket: Arc<OwnedFd>, parent: u32) -> io::Result<()> {
    // A small stack suffices, and a worker's memory may be limited.
    const STACK: usize = 64 * 1024;
    let parent = open_parent(parent);
    let thread = std::thread::Builder::new().name("lifeline".into()).stack_size(STACK);
    let watch = move || match wait_for_hang_up(&socket, parent.as_ref()) {
        Ok(()) => end_group(),
        Err(error) => lose_link(&error),
    };
    // Signals sent to this process must reach its task.
    signals::with_all_blocked(|| thread.spawn(watch))?;
    Ok(())
}

/// Opens a descriptor that becomes ready to read when the parent ends, if the system has such descriptors.
fn open_parent(expected: u32) -> Option<OwnedFd> {
    let (parent, descriptor) = process::open_parent()?;
    if parent.as_raw_nonzero().get().unsigned_abs() != expected {
        // The parent has ended before this call, and this process has another one now.
        end_group();
    }
    descriptor
}

/// Waits until the parent is gone. An error means that this can no longer be watched, because a task has closed a
/// descriptor that it does not own.
fn wait_for_hang_up(socket: &OwnedFd, parent: Option<&OwnedFd>) -> io::Result<()> {
    loop {
        // The socket is polled for no event but its end, so that arriving bytes, which this thread does not read, do
        // not wake it.
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
