//! The thread that ends a worker whose parent is gone.
//!
//! It waits until the other end of the socketpair closes, which happens however the parent ends. Where the system can
//! report the end of the parent's process, it waits for that, too: if the parent was forked, the socket outlives it.
//! Then it kills all processes that the worker's tasks have started, in any group, and the worker's process group, even
//! if the worker is busy.

use std::{io, os::fd::OwnedFd, sync::Arc};

use super::end::{end_group, lose_link};
use crate::sys::{hang_up::HangUp, process, signals};

/// Starts the thread. What it watches is open and watched when this returns, so later limits do not matter.
pub(super) fn start(socket: Arc<OwnedFd>, parent: u32) -> io::Result<()> {
    // A small stack suffices, and a worker's memory may be limited.
    const STACK: usize = 64 * 1024;
    let end = HangUp::of(socket, open_parent(parent))?;
    let thread = std::thread::Builder::new().name("lifeline".into()).stack_size(STACK);
    let watch = move || match end.wait() {
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
    if parent != expected {
        // The parent has ended before this call, and this process has another one now.
        end_group();
    }
    descriptor
}
