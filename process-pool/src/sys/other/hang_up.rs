//! Waiting for the end of the parent.
#![allow(unsafe_code)]

pub(crate) use system::HangUp;

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
mod system {
    use std::{
        io,
        mem::MaybeUninit,
        os::fd::{AsRawFd as _, OwnedFd},
        ptr::null_mut,
        sync::Arc,
    };

    use rustix::{
        event::kqueue::{Event, EventFilter, EventFlags, ProcessEvents, kevent, kqueue},
        io::{Errno, FdFlags, fcntl_setfd},
        process::getppid,
    };

    /// The end of the link or of the parent, whichever is seen first. The descriptor of the parent is never there.
    ///
    /// `poll` without events reports no hang-up on these systems, so this is the filter for reading, once for each
    /// arrival of bytes, and its flag for the end. The filter for processes reports the end of a parent that was
    /// forked, whose socket outlives it.
    #[derive(Debug)]
    pub(crate) struct HangUp {
        queue: OwnedFd,
        // It is watched as long as it is open.
        _socket: Arc<OwnedFd>,
        /// The parent had ended before it could be watched.
        is_over: bool,
    }

    impl HangUp {
        /// Begins to watch the other end of the socket, and the parent.
        pub(crate) fn of(socket: Arc<OwnedFd>, _: Option<OwnedFd>) -> io::Result<HangUp> {
            let queue = kqueue()?;
            fcntl_setfd(&queue, FdFlags::CLOEXEC)?;
            let parent = getppid();
            let flags = EventFlags::ADD | EventFlags::CLEAR;
            let on_socket = Event::new(EventFilter::Read(socket.as_raw_fd()), flags, null_mut());
            let on_parent = parent.map(|pid| {
                let filter = EventFilter::Proc { pid, flags: ProcessEvents::EXIT };
                Event::new(filter, EventFlags::ADD | EventFlags::ONESHOT, null_mut())
            });
            // SAFETY: the socket is open, and a descriptor that is closed later leaves the queue by itself.
            unsafe { kevent(&queue, &[on_socket], &mut [MaybeUninit::<Event>::uninit(); 0], None) }?;
            let mut is_over = false;
            if let Some(event) = on_parent {
                // SAFETY: it names a process, not a descriptor.
                let result = unsafe { kevent(&queue, &[event], &mut [MaybeUninit::<Event>::uninit(); 0], None) };
                // It may have ended already. Without the right to watch it, its end of the socket has to do.
                is_over = matches!(result, Err(Errno::SRCH)) || getppid() != parent;
            }
            Ok(HangUp { queue, _socket: socket, is_over })
        }

        /// Waits until the other end of the socket is closed, or the parent has ended.
        ///
        /// # Errors
        ///
        /// If this can no longer be watched, because a task has closed a descriptor that it does not own.
        pub(crate) fn wait(&self) -> io::Result<()> {
            let is_over = |event: &Event| match event.filter() {
                EventFilter::Proc { .. } => true,
                _ => event.flags().contains(EventFlags::EOF),
            };
            while !self.is_over {
                let mut space = [MaybeUninit::<Event>::uninit(); 2];
                // SAFETY: nothing is added.
                match unsafe { kevent(&self.queue, &[], &mut space, None) } {
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                    Ok((events, _)) if events.iter().any(is_over) => return Ok(()),
                    Ok(_) => {}
                }
            }
            Ok(())
        }
    }
}

#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
mod system {
    use std::{io, os::fd::OwnedFd, sync::Arc};

    use rustix::{
        event::{PollFd, PollFlags, poll},
        io::Errno,
    };

    /// The end of the link. The descriptor of the parent is never there.
    #[derive(Debug)]
    pub(crate) struct HangUp(Arc<OwnedFd>);

    impl HangUp {
        /// Begins to watch the other end of the socket.
        pub(crate) fn of(socket: Arc<OwnedFd>, _: Option<OwnedFd>) -> io::Result<HangUp> {
            Ok(HangUp(socket))
        }

        /// Waits until the other end of the socket is closed, which `poll` reports even if no event is asked for.
        ///
        /// # Errors
        ///
        /// If this can no longer be watched, because a task has closed a descriptor that it does not own, or lowered
        /// the limit of descriptors to zero.
        pub(crate) fn wait(&self) -> io::Result<()> {
            loop {
                let mut watched = [PollFd::new(&*self.0, PollFlags::empty())];
                match poll(&mut watched, None) {
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                    Ok(_) if watched[0].revents().contains(PollFlags::NVAL) => return Err(Errno::BADF.into()),
                    Ok(_) if watched[0].revents().is_empty() => {}
                    Ok(_) => return Ok(()),
                }
            }
        }
    }
}
