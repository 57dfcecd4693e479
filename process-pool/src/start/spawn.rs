//! Starting a worker process.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use executor_core::function::BuildId;

use super::{
    environment::{DEPTH, GROUP, MARKER, depth},
    launch::launch,
    program,
    rights::Terms,
    scheduling::Scheduling,
    setup::{Attachments, Marks, Role, Setup},
};
use crate::{
    lines,
    output::{Output, Sink},
    process::current_process,
    sandbox::Rules,
    sys::{
        child, clock::monotonic_now, control_group::ControlGroup, executable::Executable, pipe, process, signals,
        standard, temporary::TemporaryDirectory,
    },
    telemetry::Telemetry,
    transport::{Inbox, NewLink, Outbox, Report, Transport, descriptors::Channel},
};

/// The data that is the same for all workers of a pool.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) role: Role,
    /// The default name of the worker if it is a process of its own. The worker of a pool has none but its name.
    pub(crate) lineage: Option<String>,
    /// The standard streams of the next worker. A worker of a pool has the usual ones.
    pub(crate) streams: Streams,
    pub(crate) executable: Arc<Executable>,
    pub(crate) transport: Transport,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) initializes: bool,
    /// Where the output of the workers of a pool goes.
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    /// Where events and records of the workers go.
    pub(crate) telemetry: Telemetry,
    /// The working directory, or `None` for that of this program.
    pub(crate) directory: Option<PathBuf>,
    /// The size of the stack of the thread that runs tasks, or `None` for the usual one.
    pub(crate) stack_size: Option<u64>,
    pub(crate) scheduling: Scheduling,
    /// Descriptors that the workers inherit besides the standard ones, under the same numbers.
    pub(crate) passed: Vec<OwnedFd>,
    pub(crate) core_dumps: Option<bool>,
    pub(crate) sandbox: Option<Rules>,
    /// The group that holds the processes that a crashed worker leaves behind.
    pub(crate) group: Option<ControlGroup>,
}

/// The standard streams of a worker.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) input: Stream,
    pub(crate) output: Stream,
    /// The standard error, or `None` if the supervisor reads it.
    pub(crate) error: Option<Stream>,
}

/// A standard stream of a worker.
#[derive(Debug)]
pub(crate) enum Stream {
    /// The same as that of this program.
    Inherited,
    /// The null device.
    Null,
    /// This end of a pipe.
    Pipe(OwnedFd),
}

impl Default for Streams {
    /// Returns the streams of a worker of a pool.
    fn default() -> Streams {
        Streams { input: Stream::Null, output: Stream::Inherited, error: None }
    }
}

impl From<Stream> for Stdio {
    fn from(stream: Stream) -> Stdio {
        match stream {
            Stream::Inherited => Stdio::inherit(),
            Stream::Null => Stdio::null(),
            Stream::Pipe(end) => Stdio::from(end),
        }
    }
}

/// A worker that was started and has not replied yet.
pub(crate) struct Started {
    pub(crate) child: Child,
    /// A descriptor that becomes ready to read when the process ends. `None` if the system has no such descriptor, or
    /// the process is already gone.
    pub(crate) exit: Option<OwnedFd>,
    /// The standard output, if the supervisor reads it.
    pub(crate) stdout: Option<File>,
    /// The standard error, if the supervisor reads it.
    pub(crate) stderr: Option<ChildStderr>,
    /// What its events are read from, if it sends any.
    pub(crate) telemetry: Option<Arc<File>>,
    /// The beginning of the marks in its output, if it writes any.
    pub(crate) mark: Option<Vec<u8>>,
    pub(crate) socket: Arc<OwnedFd>,
    pub(crate) outbox: Box<dyn Outbox>,
    pub(crate) inbox: Box<dyn Inbox>,
    /// The parent's end of the channel for descriptors.
    pub(crate) channel: Channel,
    /// The report, or `None` if the system has no memory for it.
    pub(crate) report: Option<Report>,
    /// The private directory of a worker in a sandbox that grants one.
    pub(crate) directory: Option<TemporaryDirectory>,
}

impl Blueprint {
    /// Starts a worker for this slot.
    pub(crate) fn start(&mut self, slot: usize, name: &str) -> io::Result<Started> {
        let _held = standard::hold();
        let Streams { input, output, error } = std::mem::take(&mut self.streams);
        let executable = self.executable.path();
        let terms = Terms::of(executable.as_os_str())?;
        // The pipe is made here, because the thread that starts the worker may have a table of descriptors of its own.
        let (stderr, its_stderr) = match error {
            Some(stream) => (None, Stdio::from(stream)),
            None => {
                let (reader, writer) = pipe::new_pipe()?;
                pipe::do_not_wait(&reader)?;
                (Some(ChildStderr::from(reader)), Stdio::from(writer))
            }
        };
        let shares_output = matches!((&output, &self.stdout.0), (Stream::Inherited, Sink::Inherited));
        let (stdout, its_stdout) = match &self.stdout.0 {
            Sink::Inherited => (None, Stdio::from(output)),
            Sink::Null => (None, Stdio::null()),
            Sink::Lines(_) => {
                let (reader, writer) = pipe::new_pipe()?;
                pipe::do_not_wait(&reader)?;
                (Some(File::from(reader)), Stdio::from(writer))
            }
        };
        let levels = self.telemetry.levels();
        let (telemetry, its_telemetry) = if levels.is_off() {
            (None, None)
        } else {
            let (reader, writer) = pipe::new_pipe()?;
            pipe::do_not_wait(&reader)?;
            (Some(Arc::new(File::from(reader))), Some(writer))
        };
        let marks = Marks { stdout: stdout.is_some(), stderr: self.stderr.function().is_some() };
        let NewLink { socket, outbox, inbox, channel, report, worker } = NewLink::make(self.transport)?;
        let (sandbox, directory) = self.sandbox_of_worker(shares_output)?;
        let token = fresh_token();
        let parent = current_process();
        let setup = Setup {
            token,
            build: BuildId::own(),
            transport: worker.transport,
            initializes: self.initializes,
            memory_limit: self.memory_limit.unwrap_or(0),
            parent: std::process::id(),
            rights: terms.rights,
            core_dumps: self.core_dumps,
            name: name.to_string(),
            role: self.role,
            lineage: self.lineage.clone().unwrap_or_else(|| name.to_string()),
            parent_name: parent.name().to_string(),
            parent_is_daemon: parent.is_daemon(),
            marks,
            sandbox,
            levels,
            copy: program::copy(),
        };
        let attachments = Attachments {
            channel: worker.channel.as_fd(),
            memory: worker.memory.as_ref().map(AsFd::as_fd),
            input: match &input {
                Stream::Inherited => Some(standard::input()),
                Stream::Null => None,
                Stream::Pipe(end) => Some(end.as_fd()),
            },
            telemetry: its_telemetry.as_ref().map(AsFd::as_fd),
        };
        setup.send(socket.as_fd(), &attachments)?;
        drop((worker.channel, worker.memory, input, its_telemetry));
        let mut command = Command::new(&executable);
        if let Some(rules) = &self.sandbox {
            // Before the program is run, so that nothing in the memory of the worker has the rest.
            command.env_clear().envs(std::env::vars_os().filter(|(name, _)| rules.inherits(name)));
        }
        command
            .envs(directory.iter().map(|directory| ("TMPDIR", directory.path())))
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .env(MARKER, format!("{token:x}"))
            .env(DEPTH, (depth() + 1).to_string())
            .envs(self.group.as_ref().and_then(|group| Some((GROUP, group.of_slot(slot)?))))
            .stdin(Stdio::from(worker.socket))
            .stdout(its_stdout)
            .stderr(its_stderr);
        child::prepare(&mut command, name);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        if let Some(bytes) = self.stack_size {
            child::limit_stack(&mut command, bytes);
        }
        child::schedule(&mut command, self.scheduling.niceness, self.scheduling.processors);
        let inherited = self.passed.iter().map(AsFd::as_fd).chain(self.executable.inherited());
        let inherited: Vec<BorrowedFd<'_>> = inherited.collect();
        // The worker unblocks them once it has decided which it survives.
        let launched = signals::with_all_blocked(|| launch(&mut command, terms, &inherited));
        let mut child = KilledOnDrop(Some(launched?));
        // This closes the worker's ends here.
        drop(command);
        let exit = child.open()?;
        let Some(child) = child.0.take() else { return Err(io::ErrorKind::NotFound.into()) };
        let mark = (marks != Marks::default()).then(|| lines::mark_of(token));
        Ok(Started { child, exit, stdout, stderr, telemetry, mark, socket, outbox, inbox, channel, report, directory })
    }

    /// Returns the sandbox of the next worker, as its greeting has it, and the private directory that it grants.
    /// `shares_output` tells whether the worker would have the standard output of this program.
    fn sandbox_of_worker(&self, shares_output: bool) -> io::Result<(Vec<u8>, Option<TemporaryDirectory>)> {
        let Some(rules) = &self.sandbox else { return Ok((Vec::new(), None)) };
        let directory = if rules.wants_tmpdir { Some(TemporaryDirectory::make()?) } else { None };
        let passed = self.passed.iter().map(AsRawFd::as_raw_fd).collect();
        let path = directory.as_ref().map(TemporaryDirectory::path);
        let rules = rules.of_worker(passed, shares_output, path);
        Ok((rules.encode().map_err(io::Error::other)?, directory))
    }
}

/// A process that was just started. It is killed if it cannot be watched, usually because no descriptors are left.
struct KilledOnDrop(Option<Child>);

impl KilledOnDrop {
    fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(child) = &self.0 else { return Err(io::ErrorKind::NotFound.into()) };
        process::open_child(child)
    }
}

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It fails only if the process is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns a number that distinguishes this worker's marker from every other marker that the process may have
/// inherited.
fn fresh_token() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    // ORDERING: the numbers only have to be different.
    let count = COUNT.fetch_add(1, Relaxed);
    let time = monotonic_now().as_nanos() as u64;
    (u64::from(std::process::id()) << 32 ^ time).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(count)
}
