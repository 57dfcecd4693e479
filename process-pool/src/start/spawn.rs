//! Starting a worker process.

use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, ChildStderr, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use executor_core::function::BuildId;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{
    DEPTH, GROUP, MARKER, depth, executable::Executable, launch::launch, program, rights::Terms, setup::Setup, standard,
};
use crate::{
    Transport,
    process::group::ControlGroup,
    transport::{Inbox, Outbox, Report, socket},
};

/// What is the same for all workers of a pool.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) executable: Executable,
    pub(crate) transport: Transport,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) initializes: bool,
    /// What the workers get beyond the standard descriptors, under the same numbers.
    pub(crate) passed: Vec<OwnedFd>,
    pub(crate) core_dumps: Option<bool>,
    /// For what workers leave behind that crash.
    pub(crate) group: Option<ControlGroup>,
}

/// A worker that was started, and has not answered yet.
pub(crate) struct Started {
    pub(crate) child: Child,
    /// Ready to read when the process has ended; None where the system has no such thing, or the process is gone
    /// already.
    pub(crate) exit: Option<OwnedFd>,
    pub(crate) stderr: ChildStderr,
    pub(crate) socket: Arc<OwnedFd>,
    pub(crate) outbox: Box<dyn Outbox>,
    pub(crate) inbox: Box<dyn Inbox>,
    /// None: the system has no memory for it.
    pub(crate) report: Option<Report>,
}

impl Blueprint {
    /// Starts a worker of this place.
    pub(crate) fn start(&self, unit: usize, name: &str) -> io::Result<Started> {
        let _held = standard::hold();
        let executable = self.executable.path();
        let terms = Terms::of(executable.as_os_str())?;
        let (ours, theirs) = socketpair()?;
        // Made here, because the thread that starts the worker may have a table of descriptors of its own.
        let (stderr, its_stderr) = io::pipe()?;
        let token = fresh_token();
        let mut setup = Setup {
            token,
            build: BuildId::own(),
            transport: Transport::Socket,
            initializes: self.initializes,
            memory_limit: self.memory_limit.unwrap_or(0),
            parent: std::process::id(),
            rights: terms.rights,
            core_dumps: self.core_dumps,
            name: name.to_string(),
            copy: program::copy(),
        };
        let ours = Arc::new(ours);
        let (outbox, inbox, report) = self.link(&ours, &mut setup)?;
        let mut command = Command::new(&executable);
        command
            .arg0(name)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .env(MARKER, format!("{token:x}"))
            .env(DEPTH, (depth() + 1).to_string())
            .envs(self.group.as_ref().and_then(|group| Some((GROUP, group.place(unit)?))))
            .stdin(Stdio::from(theirs))
            .stderr(Stdio::from(its_stderr))
            .process_group(0);
        let passed: Vec<BorrowedFd<'_>> = self.passed.iter().map(AsFd::as_fd).chain(self.executable.kept()).collect();
        let mut child = Unattended(Some(launch(&mut command, terms, &passed)?));
        // With it the worker's ends are closed here.
        drop(command);
        let exit = child.exit_descriptor()?;
        let stderr = ChildStderr::from(OwnedFd::from(stderr));
        rustix::io::ioctl_fionbio(&stderr, true)?;
        let Some(child) = child.0.take() else { return Err(io::ErrorKind::NotFound.into()) };
        Ok(Started { child, exit, stderr, socket: ours, outbox, inbox, report })
    }

    /// Makes the link, and sends the greeting through it.
    fn link(&self, ours: &Arc<OwnedFd>, setup: &mut Setup) -> io::Result<Link> {
        #[cfg(target_os = "linux")]
        if self.transport == Transport::Ring
            && let Ok((file, memory)) = crate::transport::ring::create()
        {
            setup.transport = Transport::Ring;
            setup.send(ours.as_fd(), Some(file.as_fd()))?;
            let report = memory.report();
            let (outbox, inbox) = memory.parent_ends(ours.clone());
            return Ok((Box::new(outbox), Box::new(inbox), Some(report)));
        }
        setup.transport = Transport::Socket;
        let (file, report) = Report::create().ok().unzip();
        setup.send(ours.as_fd(), file.as_ref().map(AsFd::as_fd))?;
        let (outbox, inbox) = socket::parent_ends(ours.clone());
        Ok((Box::new(outbox), Box::new(inbox), report))
    }
}

/// The parent's ends of a link.
type Link = (Box<dyn Outbox>, Box<dyn Inbox>, Option<Report>);

/// A process that was just started. If it cannot be attended to, for want of descriptors mostly, it does not stay.
struct Unattended(Option<Child>);

impl Unattended {
    fn exit_descriptor(&self) -> io::Result<Option<OwnedFd>> {
        let Some(child) = &self.0 else { return Err(io::ErrorKind::NotFound.into()) };
        exit_descriptor(child)
    }
}

impl Drop for Unattended {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // The only failure is that it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A pair of connected sockets that no other child inherits.
pub(crate) fn socketpair() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let flags = SocketFlags::empty();
    let pair = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    #[cfg(target_vendor = "apple")]
    for end in [&pair.0, &pair.1] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(pair)
}

/// A number that tells this worker's marker from every other that the process may have inherited.
fn fresh_token() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    // ORDERING: the counter only has to give different numbers.
    let count = COUNT.fetch_add(1, Relaxed);
    let time = crate::transport::monotonic_now().as_nanos() as u64;
    (u64::from(std::process::id()) << 32 ^ time).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(count)
}

#[cfg(target_os = "linux")]
fn exit_descriptor(child: &Child) -> io::Result<Option<OwnedFd>> {
    use rustix::{
        io::Errno,
        process::{Pid, PidfdFlags, pidfd_open},
    };
    match pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => Err(error.into()),
        // An old kernel, or the process is gone and was reaped by somebody else; the closed socket tells its end then.
        Err(_) => Ok(None),
    }
}

#[cfg(not(target_os = "linux"))]
fn exit_descriptor(_: &Child) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}
