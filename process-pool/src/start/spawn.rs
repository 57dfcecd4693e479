//! Starting a worker process.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
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
    setup::Setup,
};
use crate::{
    sys::{child, clock::monotonic_now, control_group::ControlGroup, executable::Executable, pipe, process, standard},
    transport::{Inbox, NewLink, Outbox, Report, Transport, descriptors::Channel},
};

/// The data that is the same for all workers of a pool.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) executable: Executable,
    pub(crate) transport: Transport,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) initializes: bool,
    /// Descriptors that the workers inherit besides the standard ones, under the same numbers.
    pub(crate) passed: Vec<OwnedFd>,
    pub(crate) core_dumps: Option<bool>,
    /// The group that holds the processes that a crashed worker leaves behind.
    pub(crate) group: Option<ControlGroup>,
}

/// A worker that was started and has not replied yet.
pub(crate) struct Started {
    pub(crate) child: Child,
    /// A descriptor that becomes ready to read when the process ends. `None` if the system has no such descriptor, or
    /// the process is already gone.
    pub(crate) exit: Option<OwnedFd>,
    pub(crate) stderr: ChildStderr,
    pub(crate) socket: Arc<OwnedFd>,
    pub(crate) outbox: Box<dyn Outbox>,
    pub(crate) inbox: Box<dyn Inbox>,
    /// The parent's end of the channel for descriptors.
    pub(crate) channel: Channel,
    /// The report, or `None` if the system has no memory for it.
    pub(crate) report: Option<Report>,
}

impl Blueprint {
    /// Starts a worker for this slot.
    pub(crate) fn start(&self, slot: usize, name: &str) -> io::Result<Started> {
        let _held = standard::hold();
        let executable = self.executable.path();
        let terms = Terms::of(executable.as_os_str())?;
        // The pipe is made here, because the thread that starts the worker may have a table of descriptors of its own.
        let (stderr, its_stderr) = pipe::new_pipe()?;
        let NewLink { socket, outbox, inbox, channel, report, worker } = NewLink::make(self.transport)?;
        let token = fresh_token();
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
            copy: program::copy(),
        };
        setup.send(socket.as_fd(), worker.channel.as_fd(), worker.memory.as_ref().map(AsFd::as_fd))?;
        drop((worker.channel, worker.memory));
        let mut command = Command::new(&executable);
        command
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .env(MARKER, format!("{token:x}"))
            .env(DEPTH, (depth() + 1).to_string())
            .envs(self.group.as_ref().and_then(|group| Some((GROUP, group.of_slot(slot)?))))
            .stdin(Stdio::from(worker.socket))
            .stderr(Stdio::from(its_stderr));
        child::prepare(&mut command, name);
        let inherited = self.passed.iter().map(AsFd::as_fd).chain(self.executable.inherited());
        let inherited: Vec<BorrowedFd<'_>> = inherited.collect();
        let mut child = KilledOnDrop(Some(launch(&mut command, terms, &inherited)?));
        // This closes the worker's ends here.
        drop(command);
        let exit = child.open()?;
        let stderr = ChildStderr::from(stderr);
        pipe::do_not_wait(&stderr)?;
        let Some(child) = child.0.take() else { return Err(io::ErrorKind::NotFound.into()) };
        Ok(Started { child, exit, stderr, socket, outbox, inbox, channel, report })
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
