//! What the supervisor alone has of one worker: the process, and what it writes to its standard error.

use std::{
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    process::{Child, ChildStderr},
    sync::Arc,
};

use polling::{Event, PollMode, Poller};
use rustix::net::RecvFlags;

use super::stderr::Tail;
use crate::{
    process::Process,
    start::spawn::Started,
    transport::{Inbox, Outbox},
};

/// See the [module](self).
pub(super) struct Attendant {
    child: Child,
    exit: Option<Arc<OwnedFd>>,
    stderr: Option<ChildStderr>,
    socket: Arc<OwnedFd>,
    socket_is_watched: bool,
    pub(super) tail: Tail,
}

/// What a descriptor of a worker's is about: it is the poller's key, together with the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Socket,
    Exit,
    Stderr,
}

impl Source {
    fn key(self, unit: usize) -> usize {
        unit * 4 + self as usize
    }

    /// The unit and the descriptor that a key is about.
    pub(super) fn of(key: usize) -> Option<(usize, Source)> {
        let source = match key % 4 {
            0 => Source::Socket,
            1 => Source::Exit,
            2 => Source::Stderr,
            _ => return None,
        };
        Some((key / 4, source))
    }
}

impl Attendant {
    /// Takes charge of a worker that was started. Its link's sending end goes to the unit, its receiving end to whoever
    /// listens.
    pub(super) fn new(started: Started) -> (Attendant, Box<dyn Outbox>, Box<dyn Inbox>) {
        let Started { child, exit, stderr, socket, outbox, inbox } = started;
        let (exit, stderr, tail) = (exit.map(Arc::new), Some(stderr), Tail::default());
        (Attendant { child, exit, stderr, socket, socket_is_watched: false, tail }, outbox, inbox)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has the poller watch everything of this worker's.
    pub(super) fn watch(&mut self, poller: &Poller, unit: usize) -> io::Result<()> {
        let watch = |source: &dyn AsFd, kind: Source| add(poller, source, Event::readable(kind.key(unit)));
        watch(&*self.socket, Source::Socket)?;
        self.socket_is_watched = true;
        if let Some(exit) = &self.exit {
            watch(exit, Source::Exit)?;
        }
        if let Some(stderr) = &self.stderr {
            watch(stderr, Source::Stderr)?;
        }
        Ok(())
    }

    /// Says whether the poller is also to tell when the socket takes more.
    pub(super) fn watch_room(&self, poller: &Poller, unit: usize, wanted: bool) {
        if self.socket_is_watched {
            let key = Source::Socket.key(unit);
            let event = if wanted { Event::all(key) } else { Event::readable(key) };
            // A failure leaves the socket watched as before, and the next attempt to send tries again.
            let _ = poller.modify_with_mode(&*self.socket, event, PollMode::Level);
        }
    }

    pub(super) fn unwatch(&mut self, poller: &Poller) {
        self.unwatch_socket(poller);
        if let Some(exit) = &self.exit {
            let _ = poller.delete(exit);
        }
        self.close_stderr(poller);
    }

    pub(super) fn unwatch_socket(&mut self, poller: &Poller) {
        if std::mem::take(&mut self.socket_is_watched) {
            let _ = poller.delete(&*self.socket);
        }
    }

    fn close_stderr(&mut self, poller: &Poller) {
        if let Some(stderr) = self.stderr.take() {
            let _ = poller.delete(&stderr);
        }
    }

    /// An error if the worker has closed its end of the socket.
    pub(super) fn look_for_hang_up(&self) -> io::Result<()> {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(&*self.socket, &mut [0; 1], flags) {
            Ok((0, _)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what the worker has written to its standard error, and passes it on.
    pub(super) fn read_stderr(&mut self, poller: &Poller) {
        // So much at once that a worker that writes without end does not keep the supervisor from the others.
        const ROUNDS: usize = 16;
        let mut buffer = [0; 4096];
        for _ in 0..ROUNDS {
            let Some(stderr) = &mut self.stderr else { return };
            match stderr.read(&mut buffer) {
                Ok(0) => return self.close_stderr(poller),
                Ok(count) => self.tail.write(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.close_stderr(poller),
            }
        }
    }

    /// Whether the poller will tell when the process has ended. If not, its closed socket does.
    pub(super) fn tells_its_end(&self) -> bool {
        self.exit.is_some()
    }

    /// The process, as whoever signals it knows it.
    pub(super) fn process(&self) -> Process {
        Process::new(&self.child, self.exit.clone(), Some(self.socket.clone()))
    }
}

#[allow(unsafe_code)]
fn add(poller: &Poller, source: &dyn AsFd, event: Event) -> io::Result<()> {
    // SAFETY: an attendant takes its descriptors out of the poller before it closes them.
    unsafe { poller.add_with_mode(&source.as_fd(), event, PollMode::Level) }
}
