//! Waiting for descriptors.

use std::{os::fd::BorrowedFd, time::Instant};

use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

/// Waits until a socket is ready or the deadline has passed. Returns `true` if it is ready, which the end of a
/// connection is too.
pub(super) fn poll_one(socket: BorrowedFd<'_>, events: PollFlags, deadline: Option<Instant>) -> bool {
    !poll_all(&mut [PollFd::from_borrowed_fd(socket, events)], deadline).is_empty()
}

/// Waits until one of several descriptors is ready or the deadline has passed. Returns the indices of those that are.
pub(super) fn poll_all(files: &mut [PollFd<'_>], deadline: Option<Instant>) -> Vec<usize> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let time = left.and_then(|left| Timespec::try_from(left).ok());
        let ready = poll(files, time.as_ref()).unwrap_or(0);
        if ready > 0 {
            let is_ready = |file: &PollFd<'_>| !file.revents().is_empty();
            return files.iter().enumerate().filter(|(_, file)| is_ready(file)).map(|(index, _)| index).collect();
        }
        // It was interrupted, or the time is over.
        if left.is_some_and(|left| left.is_zero()) {
            return Vec::new();
        }
    }
}
