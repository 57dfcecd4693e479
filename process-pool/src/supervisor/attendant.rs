//! What the supervisor alone has of one worker: the process, and what it writes to its standard error.

use std::{
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    process::{Child, ChildStderr},
    sync::Arc,
    time::Instant,
};

use executor_core::Error;
use polling::{Event, PollMode, Poller};
use rustix::net::RecvFlags;

use super::stderr::Tail;
use crate::{
    forward::{Forwarder, WorkerId},
    process::Process,
    start::spawn::Started,
    transport::{Inbox, Outbox, Report, bytes_in_pipe},
};

/// See the [module](self).
pub(super) struct Attendant {
    child: Child,
    exit: Option<Arc<OwnedFd>>,
    stderr: Option<ChildStderr>,
    stderr_is_watched: bool,
    socket: Arc<OwnedFd>,
    socket_is_watched: bool,
    tail: Tail,
    line_is_watched: bool,
    report: Option<Report>,
    /// What had come of its standard error when it had answered for the last time, where there is no report.
    answered_at: u64,
    /// Why it has said that it cannot serve.
    pub(super) declined: Option<Error>,
}

/// What it takes to read a worker's standard error.
pub(super) struct Reading<'a> {
    pub(super) poller: &'a Poller,
    pub(super) forwarder: &'a Forwarder,
    pub(super) worker: WorkerId,
    /// Where it is put; as long as what is taken at once.
    pub(super) buffer: &'a mut [u8],
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
        let Started { child, exit, stderr, socket, outbox, inbox, report } = started;
        let attendant = Attendant {
            child,
            exit: exit.map(Arc::new),
            stderr: Some(stderr),
            stderr_is_watched: false,
            socket,
            socket_is_watched: false,
            tail: Tail::default(),
            line_is_watched: false,
            report,
            answered_at: 0,
            declined: None,
        };
        (attendant, outbox, inbox)
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
        self.watch_stderr(poller, unit)
    }

    /// Has the poller tell when the worker writes to its standard error.
    pub(super) fn watch_stderr(&mut self, poller: &Poller, unit: usize) -> io::Result<()> {
        if let Some(stderr) = &self.stderr
            && !self.stderr_is_watched
        {
            add(poller, stderr, Event::readable(Source::Stderr.key(unit)))?;
            self.stderr_is_watched = true;
        }
        Ok(())
    }

    pub(super) fn unwatch_stderr(&mut self, poller: &Poller) {
        if let Some(stderr) = &self.stderr
            && std::mem::take(&mut self.stderr_is_watched)
        {
            let _ = poller.delete(stderr);
        }
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
        self.unwatch_stderr(poller);
        self.stderr = None;
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

    /// Takes some of what the worker has written to its standard error, and hands it on.
    pub(super) fn read_stderr(&mut self, reading: &mut Reading<'_>) {
        self.read_some(reading, false);
    }

    /// Takes all that is left, of a worker that has ended. What it has started may still write, and is not waited for.
    pub(super) fn read_last_stderr(&mut self, reading: &mut Reading<'_>) {
        // The most that the system lets anybody have in a pipe without a right to more.
        const MOST: usize = 1 << 20;
        let mut count = 0;
        while count < MOST {
            match self.read_some(reading, true) {
                0 => break,
                more => count += more,
            }
        }
        self.tail.flush(reading.worker, reading.forwarder, true);
    }

    fn read_some(&mut self, reading: &mut Reading<'_>, is_last: bool) -> usize {
        let Some(stderr) = &mut self.stderr else { return 0 };
        let outcome = match &self.report {
            Some(report) => report.count(self.tail.total(), || {
                let outcome = stderr.read(reading.buffer);
                let count = outcome.as_ref().map_or(0, |count| *count as u64);
                (outcome, count)
            }),
            None => stderr.read(reading.buffer),
        };
        match outcome {
            Ok(0) => self.close_stderr(reading.poller),
            Ok(count) => {
                self.tail.take(&reading.buffer[..count], reading.worker, reading.forwarder, is_last);
                return count;
            }
            // Nothing is lost by coming again.
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(_) => self.close_stderr(reading.poller),
        }
        0
    }

    /// Hands on a line that has not ended, if it has had its time. Returns when to look again.
    pub(super) fn flush_line(&mut self, worker: WorkerId, forwarder: &Forwarder) -> Option<Instant> {
        self.line_is_watched = false;
        let due = self.tail.line_is_due()?;
        if due > Instant::now() {
            self.line_is_watched = true;
            return Some(due);
        }
        self.tail.flush(worker, forwarder, false);
        None
    }

    /// When to look at a line that has not ended, unless somebody is going to look already.
    pub(super) fn begins_to_watch_line(&mut self) -> Option<Instant> {
        let due = self.tail.line_is_due().filter(|_| !self.line_is_watched)?;
        self.line_is_watched = true;
        Some(due)
    }

    /// The worker has answered a task. Where it reports nothing itself, what it has written up to now is that task's.
    /// It may be more than that of a batch, whose next item runs already.
    pub(super) fn note_answer(&mut self) {
        if self.report.is_none() {
            let unread = self.stderr.as_ref().and_then(|stderr| bytes_in_pipe(stderr.as_fd()));
            self.answered_at = self.tail.total() + unread.unwrap_or(0);
        }
    }

    /// What the worker, which has ended, has written since its last task but the one that it ran.
    pub(super) fn own_stderr(&self) -> String {
        self.tail.since(self.report.as_ref().map_or(self.answered_at, Report::boundary))
    }

    pub(super) fn report(&self) -> Option<&Report> {
        self.report.as_ref()
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
