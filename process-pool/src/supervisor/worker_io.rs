//! The supervisor's part of a worker: its standard error, and the descriptors that the poller watches.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    process::ChildStderr,
    sync::Arc,
    time::Instant,
};

use executor_core::Error;

use super::stderr::Tail;
use crate::{
    forward::{Forwarder, WorkerId},
    lines::{Lines, Splitter},
    pool::{SlotId, SocketWatch},
    sandbox::Scanner,
    start::spawn::Started,
    sys::{
        child::Process,
        poller::{self, Event, Poller},
        socket,
        temporary::TemporaryDirectory,
    },
    transport::{Inbox, Outbox, Report, bytes_in_pipe, descriptors::Channel},
};

/// See the [module](self).
pub(super) struct WorkerIo {
    /// The place of the first slot among all that the poller reports.
    first_place: usize,
    exit: Option<Arc<OwnedFd>>,
    stderr: Option<ChildStderr>,
    stderr_is_watched: bool,
    stdout: Option<File>,
    stdout_is_watched: bool,
    /// What splits the output into lines, if a function gets them.
    stdout_lines: Option<Splitter>,
    stderr_lines: Option<Splitter>,
    /// What its events are read from. The reader of its replies has it too.
    telemetry: Option<Arc<File>>,
    socket: Arc<OwnedFd>,
    socket_is_watched: bool,
    channel: Channel,
    channel_is_watched: bool,
    tail: Tail,
    line_is_watched: bool,
    report: Option<Report>,
    /// Without a report: how many bytes it had written to its standard error at its last reply.
    written_at_last_reply: u64,
    /// Why it could not become ready, if it has reported that.
    pub(super) declined: Option<Error>,
    /// What finds the calls that its sandbox has refused, if they are collected.
    pub(super) scanner: Option<Scanner>,
    /// Its private directory, which outlives it.
    pub(super) directory: Option<TemporaryDirectory>,
}

/// The means to read a worker's standard error.
pub(super) struct Reading<'a> {
    pub(super) poller: &'a Poller,
    /// What writes it to this program's own, if it is written there.
    pub(super) forwarder: Option<&'a Forwarder>,
    /// The lines for a function, if there is one.
    pub(super) lines: Option<&'a Lines>,
    /// Whether a delivery of the lines must be scheduled.
    pub(super) is_due: bool,
    pub(super) worker: WorkerId,
    /// The buffer for reads. It is as long as the most that one read takes.
    pub(super) buffer: &'a mut [u8],
}

/// Which descriptor of a worker the poller reports. Together with the place of the slot it is the poller's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Socket,
    Exit,
    Stderr,
    /// The channel for descriptors, which is only watched while it is full.
    Channel,
    Stdout,
    /// The pipe for events.
    Telemetry,
}

impl Source {
    const KINDS: usize = Source::Telemetry as usize + 1;

    fn key(self, place: usize) -> usize {
        place * Source::KINDS + self as usize
    }

    /// Reverses [`key`](Source::key): returns the place and the source.
    pub(crate) fn of(key: usize) -> Option<(usize, Source)> {
        let source = match key % Source::KINDS {
            0 => Source::Socket,
            1 => Source::Exit,
            2 => Source::Stderr,
            3 => Source::Channel,
            4 => Source::Stdout,
            5 => Source::Telemetry,
            _ => return None,
        };
        Some((key / Source::KINDS, source))
    }
}

impl WorkerIo {
    /// Splits a worker that was started into the supervisor's part, the process, and the two ends of the link.
    pub(super) fn new(
        name: &str,
        started: Started,
        first_place: usize,
    ) -> (WorkerIo, Process, Box<dyn Outbox>, Box<dyn Inbox>) {
        let Started { child, exit, stdout, stderr, telemetry, mark, socket, outbox, inbox, channel, report, directory } =
            started;
        let splitter = || mark.clone().map(|mark| Splitter::new(name, mark));
        let exit = exit.map(Arc::new);
        let process = Process::new(&child, exit.clone(), Some(socket.clone()));
        let io = WorkerIo {
            first_place,
            exit,
            stderr,
            stderr_is_watched: false,
            stdout_lines: if stdout.is_some() { splitter() } else { None },
            stderr_lines: splitter(),
            stdout,
            stdout_is_watched: false,
            telemetry,
            socket,
            socket_is_watched: false,
            channel,
            channel_is_watched: false,
            tail: Tail::default(),
            line_is_watched: false,
            report,
            written_at_last_reply: 0,
            declined: None,
            scanner: None,
            directory,
        };
        (io, process, outbox, inbox)
    }

    /// Makes the poller watch all descriptors of this worker.
    pub(super) fn watch(&mut self, poller: &Poller, slot: SlotId) -> io::Result<()> {
        let place = self.first_place + slot.index();
        let watch = |source: &dyn AsFd, kind: Source| add(poller, source, Event::readable(kind.key(place)));
        watch(&*self.socket, Source::Socket)?;
        self.socket_is_watched = true;
        if let Some(exit) = &self.exit {
            watch(exit, Source::Exit)?;
        }
        if let Some(stdout) = &self.stdout {
            watch(stdout, Source::Stdout)?;
            self.stdout_is_watched = true;
        }
        if let Some(telemetry) = &self.telemetry {
            watch(telemetry, Source::Telemetry)?;
        }
        self.watch_stderr(poller, slot)
    }

    /// Makes the poller report when the worker writes to its standard error.
    pub(super) fn watch_stderr(&mut self, poller: &Poller, slot: SlotId) -> io::Result<()> {
        if let (Some(stderr), false) = (&self.stderr, self.stderr_is_watched) {
            add(poller, stderr, Event::readable(Source::Stderr.key(self.first_place + slot.index())))?;
            self.stderr_is_watched = true;
        }
        Ok(())
    }

    pub(super) fn unwatch_stderr(&mut self, poller: &Poller) {
        if let Some(stderr) = &self.stderr {
            if std::mem::take(&mut self.stderr_is_watched) {
                poller::unwatch(poller, stderr);
            }
        }
    }

    /// Makes the poller report the wanted events of the socket.
    pub(super) fn watch_socket(&self, poller: &Poller, slot: SlotId, watch: SocketWatch) {
        let key = Source::Socket.key(self.first_place + slot.index());
        let event = match watch {
            SocketWatch::Unchanged => return,
            SocketWatch::Replies => Event::readable(key),
            SocketWatch::RepliesAndSpace => Event::all(key),
        };
        if self.socket_is_watched {
            // After a failure the next attempt to send tries again.
            let _ = poller::change(poller, &*self.socket, event);
        }
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Makes the poller report when the channel for descriptors has space again, or stops that. Returns `true` if it
    /// reports that.
    pub(super) fn watch_channel(&mut self, poller: &Poller, slot: SlotId, wanted: bool) -> bool {
        if wanted && !self.channel_is_watched {
            let event = Event::writable(Source::Channel.key(self.first_place + slot.index()));
            self.channel_is_watched = add(poller, &self.channel, event).is_ok();
        } else if !wanted && std::mem::take(&mut self.channel_is_watched) {
            poller::unwatch(poller, &self.channel);
        }
        self.channel_is_watched
    }

    pub(super) fn unwatch(&mut self, poller: &Poller, slot: SlotId) {
        self.unwatch_socket(poller);
        self.watch_channel(poller, slot, false);
        if let Some(exit) = &self.exit {
            poller::unwatch(poller, exit);
        }
        self.close_stderr(poller);
        self.close_stdout(poller);
        self.close_telemetry(poller);
    }

    pub(super) fn unwatch_socket(&mut self, poller: &Poller) {
        if std::mem::take(&mut self.socket_is_watched) {
            poller::unwatch(poller, &*self.socket);
        }
    }

    fn close_stderr(&mut self, poller: &Poller) {
        self.unwatch_stderr(poller);
        self.stderr = None;
    }

    fn close_stdout(&mut self, poller: &Poller) {
        if let Some(stdout) = self.stdout.take() {
            if std::mem::take(&mut self.stdout_is_watched) {
                poller::unwatch(poller, &stdout);
            }
        }
    }

    /// Returns what its events are read from.
    pub(super) fn telemetry(&self) -> Option<&Arc<File>> {
        self.telemetry.as_ref()
    }

    /// Stops watching the pipe for events.
    pub(super) fn close_telemetry(&mut self, poller: &Poller) {
        if let Some(telemetry) = self.telemetry.take() {
            poller::unwatch(poller, &telemetry);
        }
    }

    /// Reads some of what the worker has written to its standard output, for the function that gets its lines. Returns
    /// how many bytes it has read.
    pub(super) fn read_stdout(&mut self, reading: &mut Reading<'_>) -> usize {
        let Some(stdout) = &mut self.stdout else { return 0 };
        match stdout.read(reading.buffer) {
            Ok(0) => self.close_stdout(reading.poller),
            Ok(count) => {
                if let (Some(splitter), Some(lines)) = (&mut self.stdout_lines, reading.lines) {
                    reading.is_due |= splitter.push(&reading.buffer[..count], lines);
                }
                return count;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(_) => self.close_stdout(reading.poller),
        }
        0
    }

    /// Reads the rest of the standard output of a worker that has ended, as
    /// [`read_last_stderr`](WorkerIo::read_last_stderr) does.
    pub(super) fn read_last_stdout(&mut self, reading: &mut Reading<'_>) {
        let mut count = 0;
        while count < MOST_IN_A_PIPE {
            match self.read_stdout(reading) {
                0 => break,
                more => count += more,
            }
        }
        if let (Some(splitter), Some(lines)) = (&mut self.stdout_lines, reading.lines) {
            reading.is_due |= splitter.finish(lines);
        }
    }

    /// Checks whether the link is open.
    ///
    /// # Errors
    ///
    /// If the worker has closed its end of the socket.
    pub(super) fn check_link_open(&self) -> io::Result<()> {
        match socket::peek_now(&*self.socket, &mut [0; 1])? {
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads some of what the worker has written to its standard error, and forwards it.
    pub(super) fn read_stderr(&mut self, reading: &mut Reading<'_>) {
        self.read_some(reading, false);
    }

    /// Reads the rest of the standard error of a worker that has ended. This does not wait for programs that its tasks
    /// have started, which may still write.
    pub(super) fn read_last_stderr(&mut self, reading: &mut Reading<'_>) {
        let mut count = 0;
        while count < MOST_IN_A_PIPE {
            match self.read_some(reading, true) {
                0 => break,
                more => count += more,
            }
        }
        if let Some(forwarder) = reading.forwarder {
            self.tail.flush(reading.worker, forwarder, true);
        }
        if let (Some(splitter), Some(lines)) = (&mut self.stderr_lines, reading.lines) {
            reading.is_due |= splitter.finish(lines);
        }
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
                let bytes = &reading.buffer[..count];
                match reading.forwarder {
                    Some(forwarder) => self.tail.push(bytes, reading.worker, forwarder, is_last),
                    None => self.tail.keep(bytes),
                }
                if let (Some(splitter), Some(lines)) = (&mut self.stderr_lines, reading.lines) {
                    reading.is_due |= splitter.push(bytes, lines);
                }
                if let Some(scanner) = &mut self.scanner {
                    scanner.push(bytes);
                }
                return count;
            }
            // Nothing is lost: the next call reads it.
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(_) => self.close_stderr(reading.poller),
        }
        0
    }

    /// Forwards an unfinished line, if its time is over. If it is not, returns when to check again.
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

    /// Returns when to check an unfinished line, unless a timer is set for that.
    pub(super) fn start_line_timer(&mut self) -> Option<Instant> {
        let due = self.tail.line_is_due().filter(|_| !self.line_is_watched)?;
        self.line_is_watched = true;
        Some(due)
    }

    /// Records how much the worker has written up to a reply. Without a report this separates the output of one task
    /// from that of the next. In a batch it may include output of the next item, which runs already.
    pub(super) fn on_reply(&mut self) {
        if self.report.is_none() {
            let unread = self.stderr.as_ref().and_then(|stderr| bytes_in_pipe(stderr.as_fd()));
            self.written_at_last_reply = self.tail.total() + unread.unwrap_or(0);
        }
    }

    /// Returns what a worker that has ended had written since its last task began.
    pub(super) fn stderr_of_last_task(&self) -> String {
        let boundary = self.report.as_ref().map_or(self.written_at_last_reply, Report::boundary);
        self.tail.since(boundary, self.stderr_lines.as_ref().map(Splitter::beginning))
    }

    pub(super) fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Returns `true` if the poller reports the end of the process. If not, the closed socket does.
    pub(super) fn reports_exit(&self) -> bool {
        self.exit.is_some()
    }
}

/// Without a special right, a pipe cannot hold more on any system.
const MOST_IN_A_PIPE: usize = 1 << 20;

#[allow(unsafe_code)]
fn add(poller: &Poller, source: &dyn AsFd, event: Event) -> io::Result<()> {
    // SAFETY: a `WorkerIo` removes its descriptors from the poller before it closes them.
    unsafe { poller::watch(poller, source, event) }
}
