//! Waiting for the end of the parent.
#![allow(unsafe_code)]

use std::{io, os::fd::OwnedFd};

/// Waits until the other end of the socket is closed, or the parent has ended. The descriptor is never there.
///
/// `poll` without events reports no hang-up on these systems, so this is the filter for reading, once for each arrival
/// of bytes, and its flag for the end. The filter for processes reports the end of a parent that was forked, whose
/// socket outlives it.
///
/// # Errors
///
/// If this can no longer be watched, because a task has closed a descriptor that it does not own.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
pub(crate) fn wait(socket: &OwnedFd, _: Option<&OwnedFd>) -> io::Result<()> {
    use std::{mem::MaybeUninit, os::fd::AsRawFd as _, ptr::null_mut};

    use rustix::{
        event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue},
        io::{Errno, FdFlags, fcntl_setfd},
        process::getppid,
    };

    let queue = kqueue()?;
    fcntl_setfd(&queue, FdFlags::CLOEXEC)?;
    let parent = getppid();
    let on_socket = Event::new(EventFilter::Read(socket.as_raw_fd()), EventFlags::ADD | EventFlags::CLEAR, null_mut());
    let on_parent = parent.map(|pid| {
        let filter = EventFilter::Proc { pid, flags: ProcessEvents::EXIT };
        Event::new(filter, EventFlags::ADD | EventFlags::ONESHOT, null_mut())
    });
    // SAFETY: the socket is open, and a descriptor that is closed later leaves the queue by itself.
    unsafe { kevent(&queue, &[on_socket], &mut [MaybeUninit::<Event>::uninit(); 0], None) }?;
    if let Some(event) = on_parent {
        // SAFETY: it names a process, not a descriptor.
        match unsafe { kevent(&queue, &[event], &mut [MaybeUninit::<Event>::uninit(); 0], None) } {
            // It has ended already.
            Err(Errno::SRCH) => return Ok(()),
            // Without the right to watch it, its end of the socket has to do.
            _ if getppid() != parent => return Ok(()),
            _ => {}
        }
    }
    loop {
        let mut space = [MaybeUninit::<Event>::uninit(); 2];
        // SAFETY: nothing is added.
        let (events, _) = match unsafe { kevent(&queue, &[], &mut space, None) } {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        let is_over = |event: &Event| match event.filter() {
            EventFilter::Proc { .. } => true,
            _ => event.flags().contains(EventFlags::EOF),
        };
        if events.iter().any(is_over) {
            return Ok(());
        }
    }
}

/// Waits until the other end of the socket is closed, which `poll` reports even if no event is asked for.
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
pub(crate) fn wait(socket: &OwnedFd, _: Option<&OwnedFd>) -> io::Result<()> {
    use rustix::{
        event::{PollFd, PollFlags, poll},
        io::Errno,
    };

    loop {
        let mut watched = [PollFd::new(socket, PollFlags::empty())];
        match poll(&mut watched, None) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) if watched[0].revents().contains(PollFlags::NVAL) => return Err(Errno::BADF.into()),
            Ok(_) if watched[0].revents().is_empty() => {}
            Ok(_) => return Ok(()),
        }
    }
}
