//! Waiting for many descriptors together: epoll, kqueue and the like.
#![allow(unsafe_code)]

use std::{io, os::fd::AsFd};

use polling::PollMode;
pub(crate) use polling::{Event, Events, Poller};

/// Makes the poller report these events of a descriptor, again and again while they last.
///
/// # Safety
///
/// - [`unwatch`] is called before the descriptor is closed.
pub(crate) unsafe fn watch(poller: &Poller, source: &dyn AsFd, event: Event) -> io::Result<()> {
    // SAFETY: by the contract.
    unsafe { poller.add_with_mode(&source.as_fd(), event, PollMode::Level) }
}

/// Changes the events of a descriptor that is watched. After a failure it is watched as before.
pub(crate) fn change(poller: &Poller, source: &dyn AsFd, event: Event) -> io::Result<()> {
    poller.modify_with_mode(source.as_fd(), event, PollMode::Level)
}

/// Makes the poller no longer report a descriptor.
pub(crate) fn unwatch(poller: &Poller, source: &dyn AsFd) {
    // It fails only if the descriptor is not watched.
    let _ = poller.delete(source.as_fd());
}
