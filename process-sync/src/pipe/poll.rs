//! Waiting for descriptors.

use std::{os::fd::BorrowedFd, thread, time::Instant};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    time::Timespec,
};

use crate::under_way::REST;

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
        match poll(files, time.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => {
                let is_ready = |file: &PollFd<'_>| !file.revents().is_empty();
                return files.iter().enumerate().filter(|(_, file)| is_ready(file)).map(|(index, _)| index).collect();
            }
            // The limit of descriptors is lower than their number, or there is no memory. Either may change.
            Err(_) => thread::sleep(left.unwrap_or(REST).min(REST)),
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Vec::new();
        }
    }
}
