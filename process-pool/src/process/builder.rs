//! The options of a process.

use std::ffi::OsString;

use executor_core::{Error, ErrorKind, Executor, Function, Payload, function::entry_of};

use super::{
    Process, info,
    nursery::{Nursery, Place, Started, refused},
    pipes::{Pipes, Stdio, open},
};
use crate::{
    Output, Sandbox, Transport,
    pool::Pool,
    sandbox::Rules,
    start::{environment, permission, scheduling::SchedulingOptions, setup::Role, spawn::Blueprint},
    sys::standard,
    telemetry::Telemetry,
};

impl Process<()> {
    /// Returns a builder, which has options for the name, the environment, the memory and the standard streams.
    pub fn builder() -> ProcessBuilder {
        ProcessBuilder::default()
    }
}

impl<R: Payload> Process<R> {
    /// Starts a process that calls `function(args)`, and returns without waiting for it.
    ///
    /// Several arguments are passed as one tuple. The function must not capture anything, which the compiler checks.
    /// Python's counterpart is `Process(target=function, args=args).start()`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`ProcessBuilder::spawn`].
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use concurrent_futures::multiprocessing::Process;
    ///
    /// let process = Process::spawn(|(a, b)| a + b, (1u64, 2u64))?;
    /// assert_eq!(process.result(None)?, 3);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn spawn<F, A>(function: F, args: A) -> Result<Process<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
    {
        Process::builder().spawn(function, args)
    }
}

/// Builds a [`Process`]. [`Process::builder`] returns one.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
/// use concurrent_futures::multiprocessing::Process;
///
/// let process = Process::builder()
///     .name("parser")
///     .daemon(true)
///     .env("LANG", "C")
///     .memory_limit(1 << 30)
///     .spawn(|text: String| text.len(), "four".to_string())?;
/// assert_eq!((process.name(), process.is_daemon()), ("parser", true));
/// assert_eq!(process.result(None)?, 4);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[must_use = "a builder does nothing before `spawn`"]
#[derive(Clone, Debug, Default)]
pub struct ProcessBuilder {
    name: Option<String>,
    is_daemon: bool,
    environment: Vec<(OsString, OsString)>,
    memory_limit: Option<u64>,
    scheduling: SchedulingOptions,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    sandbox: Option<Sandbox>,
}

/// A process that can be started once its pool has its task.
struct Prepared {
    place: Place,
    name: String,
    blueprint: Blueprint,
    pipes: Pipes,
}

impl ProcessBuilder {
    /// Sets the name. It appears in [`current_process`](crate::current_process), in errors, and in the system's list of
    /// processes. By default the first process of a program is `Process-1`, and the first process of that one
    /// `Process-1:1`. Python's counterpart is the argument `name` of `Process`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets whether dropping the [`Process`] kills the process instead of waiting for it. By default it waits. A daemon
    /// may have children of its own, unlike in Python, whose counterpart is the argument `daemon` of `Process`.
    pub fn daemon(mut self, is_daemon: bool) -> Self {
        self.is_daemon = is_daemon;
        self
    }

    /// Sets a variable in the environment of the process. Its other variables are those of this program.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// Limits how many bytes of memory the process may have. An allocation beyond that ends the process. What counts is
    /// the same as for [`ProcessPoolBuilder::memory_limit`](crate::ProcessPoolBuilder::memory_limit).
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Makes the process nicer than this program by this number, or less nice if it is negative. See
    /// [`ProcessPoolBuilder::nice`](crate::ProcessPoolBuilder::nice). Python's counterpart is `os.nice`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use concurrent_futures::multiprocessing::Process;
    ///
    /// let process = Process::builder().nice(19).spawn(|text: String| text.len(), "four".to_string())?;
    /// assert_eq!(process.result(None)?, 4);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn nice(mut self, increment: i32) -> Self {
        self.scheduling.nice = Some(increment);
        self
    }

    /// Sets the processors on which the process runs, by their numbers. See
    /// [`ProcessPoolBuilder::cpus`](crate::ProcessPoolBuilder::cpus). Python's counterpart is `os.sched_setaffinity`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
    /// use concurrent_futures::{ErrorKind, multiprocessing::Process};
    ///
    /// let width = |()| std::thread::available_parallelism().map_or(0, |width| width.get() as u64);
    /// match Process::builder().cpus([0]).spawn(width, ()) {
    ///     Ok(process) => assert_eq!(process.result(None)?, 1),
    ///     Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
    /// }
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn cpus(mut self, processors: impl IntoIterator<Item = usize>) -> Self {
        self.scheduling.cpus = Some(processors.into_iter().collect());
        self
    }

    /// Sets the standard input. By default it is that of this program.
    pub fn stdin(mut self, stdin: Stdio) -> Self {
        self.stdin = stdin;
        self
    }

    /// Sets the standard output. By default it is that of this program.
    pub fn stdout(mut self, stdout: Stdio) -> Self {
        self.stdout = stdout;
        self
    }

    /// Sets the standard error. By default it is that of this program. Unlike a pool, a process writes to it directly,
    /// so the errors of a process that has died have no last lines.
    pub fn stderr(mut self, stderr: Stdio) -> Self {
        self.stderr = stderr;
        self
    }

    /// Puts the process in a [`Sandbox`], as [`ProcessPoolBuilder::sandbox`](crate::ProcessPoolBuilder::sandbox) does
    /// with workers. An [inherited](Stdio::Inherit) standard input is then empty. An inherited standard error is that
    /// of this program, with the settings and the position that both share: for hostile code, set it to
    /// [`Piped`](Stdio::Piped) or [`Null`](Stdio::Null).
    ///
    /// ```
    /// # mod concurrent_futures {
    /// #     pub use {executor_core::*, process_pool::*};
    /// #     pub mod multiprocessing { pub use process_pool::*; }
    /// # }
    /// use concurrent_futures::{ErrorKind, Sandbox, multiprocessing::Process};
    ///
    /// let process = Process::builder().sandbox(Sandbox::compute());
    /// match process.spawn(|path: String| std::fs::read(path).is_ok(), "/etc/passwd".to_string()) {
    ///     Err(error) if error.kind() == ErrorKind::Unsupported => println!("{error}"),
    ///     spawned => assert!(!spawned?.result(None)?),
    /// }
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// Starts a process that calls `function(args)`, and returns without waiting for it.
    ///
    /// Several arguments are passed as one tuple. The function must not capture anything, which the compiler checks.
    /// Python's counterpart is `Process(target=function, args=args).start()`.
    ///
    /// # Errors
    ///
    /// Nothing was started if this returns an error. The kind is
    ///
    /// - [`Encode`](ErrorKind::Encode) if the arguments cannot be encoded, and [`Panicked`](ErrorKind::Panicked) if
    ///   encoding them panics;
    /// - [`InvalidArgument`](ErrorKind::InvalidArgument) for a name of more than 200 bytes or with a zero byte, a
    ///   variable that no environment can have, a memory limit of zero, or a niceness or processors that it may not
    ///   have;
    /// - [`Unsupported`](ErrorKind::Unsupported) for processors on other systems than Linux;
    /// - [`Broken`](ErrorKind::Broken) if this program cannot have worker processes, for one of the reasons of
    ///   [`ProcessPoolBuilder::build`](crate::ProcessPoolBuilder::build), or if it is the forked copy of a program that
    ///   has spawned processes;
    /// - [`Unsupported`](ErrorKind::Unsupported) if the system lacks a layer that the
    ///   [`sandbox`](ProcessBuilder::sandbox) needs;
    /// - [`Other`](ErrorKind::Other) if the system refuses to start a process or to open descriptors. The message says
    ///   which limit to raise.
    pub fn spawn<F, A, R>(self, function: F, args: A) -> Result<Process<R>, Error>
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        let prepared = self.prepare()?;
        let future = prepared.pool().submit(function, args)?;
        let (started, pipes) = prepared.start(entry_of(function).name())?;
        Ok(Process::new(started, pipes, future))
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::InvalidArgument, message));
        if self.name.as_ref().is_some_and(|name| name.len() > 200 || name.contains('\0')) {
            return refuse("the name of a process must have at most 200 bytes, and no zero byte");
        }
        if self.memory_limit == Some(0) {
            return refuse("memory_limit must be more than 0: leave it out for none");
        }
        environment::check_variables(&self.environment)
    }

    fn prepare(self) -> Result<Prepared, Error> {
        self.check()?;
        let sandbox = self.sandbox.as_ref().map(Rules::of).transpose()?;
        sandbox.as_ref().map(Rules::check).transpose()?;
        permission::check()?;
        let scheduling = self.scheduling.resolve()?;
        // No descriptor that is opened here may become a standard stream.
        let _held = standard::hold();
        let nursery = Nursery::get()?;
        let lineage = info::next_default_name();
        let name = self.name.unwrap_or_else(|| lineage.clone());
        // A terminal or a file that this program reads is not handed to a sandbox by default.
        let stdin = if sandbox.is_some() && self.stdin == Stdio::Inherit { Stdio::Null } else { self.stdin };
        let (streams, pipes) = open([stdin, self.stdout, self.stderr]).map_err(|cause| refused(&name, &cause))?;
        let blueprint = Blueprint {
            role: Role::Process { is_daemon: self.is_daemon },
            lineage: Some(lineage),
            streams,
            executable: nursery.executable.clone(),
            transport: Transport::default(),
            memory_limit: self.memory_limit,
            environment: self.environment,
            initializes: false,
            telemetry: Telemetry::default(),
            stdout: Output::inherit(),
            stderr: Output::inherit(),
            directory: None,
            stack_size: None,
            scheduling,
            passed: Vec::new(),
            core_dumps: None,
            sandbox,
            group: None,
        };
        Ok(Prepared { place: nursery.reserve(&name), name, blueprint, pipes })
    }
}

impl Prepared {
    fn pool(&self) -> &Pool {
        &self.place.pool
    }

    fn start(self, task: &str) -> Result<(Started, Pipes), Error> {
        let Prepared { place, name, blueprint, pipes } = self;
        Ok((place.start(blueprint, &name, task)?, pipes))
    }
}
