//! Waiting for the end of the parent.

use std::{io, os::fd::OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

/// Waits until the other end of the socket is closed, or the parent, of which this is the descriptor, has ended.
///
/// # Errors
///
/// If this can no longer be watched, because a task has closed a descriptor that it does not own.
pub(crate) fn wait(socket: &OwnedFd, parent: Option<&OwnedFd>) -> io::Result<()> {
    loop {
        // The socket is polled for no event but its end, so that arriving bytes, which this thread does not read, do
        // not wake it.
        let on_socket = PollFd::new(socket, PollFlags::empty());
        let on_parent = PollFd::new(parent.unwrap_or(socket), parent.map_or(PollFlags::empty(), |_| PollFlags::IN));
        let mut watched = [on_socket, on_parent];
        match poll(&mut watched, None) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let saw = |what: PollFlags| watched.iter().any(|watched| watched.revents().intersects(what));
                if saw(PollFlags::NVAL) {
                    return Err(Errno::BADF.into());
                }
                if saw(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                    return Ok(());
                }
            }
        }
    }
}
