//! The description of a sandbox.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

/// What the workers of a pool, or a [`Process`](crate::Process), may do besides computing. Everything else is refused
/// by the system, even to code that an attacker controls.
///
/// A sandbox begins with a preset, [`compute`](Sandbox::compute) or [`parse`](Sandbox::parse), to which grants are
/// added. A pool that the system cannot keep in its sandbox is not built: the error is
/// [`Unsupported`](executor_core::ErrorKind::Unsupported), and names each layer that is missing. Python has no
/// counterpart.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
/// use concurrent_futures::{ErrorKind, Executor, ProcessPoolExecutor, Sandbox};
///
/// let built = ProcessPoolExecutor::builder().max_workers(1).sandbox(Sandbox::compute()).build();
/// let pool = match built {
///     Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(println!("{error}")),
///     built => built?,
/// };
/// let hostile = |path: String| std::fs::read_to_string(path).map_err(|error| error.to_string());
/// assert!(pool.submit(hostile, "/etc/passwd".to_string())?.result(None)?.is_err());
/// assert_eq!(pool.submit(|n: u64| n + 1, 41)?.result(None)?, 42);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// # When a worker is locked
///
/// After the [initializer](crate::ProcessPoolBuilder::initializer), which is this program's own code: what it has
/// opened or mapped stays usable, and threads that it has started are locked as well. Without an initializer, before
/// the first task arrives. [`before_initializer`](Sandbox::before_initializer) locks before both.
///
/// # What it is not
///
/// A sandbox is no defence against bugs of the kernel, side channels, exhaustion of the processor, or results that are
/// wrong. Tasks that run in one worker, one after the other, share its memory: if they belong to different tenants, set
/// [`max_tasks_per_worker(1)`](crate::ProcessPoolBuilder::max_tasks_per_worker). With a grant of files, the attributes
/// of every file can be queried (`stat`), but not its contents.
///
/// # What differs for honest code
///
/// Local time is UTC unless `TZ` is set or the sandbox is [`parse`](Sandbox::parse). Backtraces have no names without
/// [`symbols`](Sandbox::symbols). What a task prints on its standard output appears on the standard error, unless
/// [`keep_stdout`](Sandbox::keep_stdout) is set. Profilers, coverage and leak checkers do not work. A task cannot
/// create shared objects or return handles that need a descriptor, but uses those that it is given.
///
/// Programs that a task starts ([`execute`](Sandbox::execute)) are in the same sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a sandbox has no effect before it is given to a builder"]
pub struct Sandbox {
    pub(crate) read: Vec<PathBuf>,
    pub(crate) write: Vec<PathBuf>,
    pub(crate) execute: Vec<PathBuf>,
    /// Whether the files that programs read of every system are granted.
    pub(crate) reads_system: bool,
    pub(crate) tmpdir: bool,
    pub(crate) network: Network,
    pub(crate) file_size: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) cpu_time: Option<Duration>,
    pub(crate) no_new_code: bool,
    pub(crate) inherited_env: Vec<OsString>,
    pub(crate) keep_stdout: bool,
    pub(crate) symbols: bool,
    pub(crate) before_initializer: bool,
    pub(crate) refusal: Refusal,
    pub(crate) namespaces: bool,
    pub(crate) best_effort: bool,
}

/// What happens to a system call that a [`Sandbox`] does not permit. The call is never made.
///
/// Whatever is set here, looking at a path without a grant fails with `EACCES`, starting a process or a thread in a
/// process of its own fails with `EPERM`, and system calls that are newer than this library fail with `ENOSYS`, because
/// honest libraries try all of these and have an answer to the error. In a program with the C library musl, which
/// signals its own threads by `tkill`, such a call at a thread of another process also fails with `EPERM` where
/// Landlock refuses signals (Linux 6.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// The call fails with `EPERM`.
    #[default]
    Error,
    /// As `Error`, and the worker says on its standard error, once for each, which call it was. For calls with a path
    /// it says the path, too, so that grants can be derived from
    /// [`ProcessPoolExecutor::refusals`](crate::ProcessPoolExecutor::refusals). This is for finding out what honest
    /// code needs. In a program that a task has started, a call that is refused ends that program.
    Explain,
    /// The worker ends, and the error of its task names the call.
    Kill,
}

/// The network that a [`Sandbox`] grants. Unix sockets are never granted, because many of them lead out of a sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Network {
    /// No network.
    #[default]
    None,
    /// TCP over IPv4 and IPv6, on these ports alone. Names can be looked up only in `/etc/hosts`, because DNS is not
    /// TCP.
    Tcp {
        /// The ports of other programs to which a worker may connect.
        connect: Vec<u16>,
        /// The ports at which a worker may listen. Port 0 stands for any port that the system chooses. If there is any,
        /// a socket that listens without an address also gets a port, which the system chooses.
        bind: Vec<u16>,
    },
    /// Everything over IPv4 and IPv6, including UDP and so DNS.
    Any,
}

impl Sandbox {
    /// Returns a sandbox that grants memory, threads, time, random numbers, and the descriptors that a worker has. It
    /// grants no files, no network, no other processes, no signals to others, and no descriptors from outside.
    ///
    /// It needs seccomp (Linux 4.14). Landlock is in force as well where the system has it.
    pub fn compute() -> Sandbox {
        Sandbox::default()
    }

    /// Returns [`compute`](Sandbox::compute) with what programs read of every system, as far as it exists: time zones,
    /// locales, certificates and fonts.
    pub fn parse() -> Sandbox {
        Sandbox { reads_system: true, ..Sandbox::default() }
    }

    /// Grants reading a file, or everything below a directory. The path must exist when the pool is built. A symbolic
    /// link is followed then, and not later.
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.read.push(path.into());
        self
    }

    /// Grants reading and writing a file, or creating, renaming and removing everything below a directory. It does not
    /// grant running anything there.
    ///
    /// The owner, permissions, times and extended attributes of files cannot be changed, with one exception: the
    /// permissions of a file that the worker has opened, which copying a file needs.
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.write.push(path.into());
        self
    }

    /// Grants reading and running a file, or everything below a directory. Programs that a task starts are in the same
    /// sandbox, stay in the process group of the worker, and end with it. A program needs its libraries, too:
    /// `execute("/usr").execute("/lib").execute("/lib64")` serves most.
    pub fn execute(mut self, path: impl Into<PathBuf>) -> Self {
        self.execute.push(path.into());
        self
    }

    /// Grants a private directory to each worker, in which it may create files. The variable `TMPDIR` has its path. The
    /// directory and everything in it is removed when the worker has ended.
    pub fn tmpdir(mut self) -> Self {
        self.tmpdir = true;
        self
    }

    /// Grants a network. With one, a worker may also read how names are looked up (`/etc/resolv.conf`, `/etc/hosts`,
    /// `/etc/nsswitch.conf`, `/etc/gai.conf`).
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Limits the size of each file that a worker writes, in bytes. A worker that goes beyond ends by `SIGXFSZ`. By
    /// default there is no limit but that of this program.
    pub fn file_size(mut self, bytes: u64) -> Self {
        self.file_size = Some(bytes);
        self
    }

    /// Limits how many descriptors a worker can have. The default is 1024.
    pub fn open_files(mut self, descriptors: u64) -> Self {
        self.open_files = Some(descriptors);
        self
    }

    /// Limits the processor time of each worker, over its whole life, in whole seconds. A worker that goes beyond ends
    /// by `SIGXCPU`. For the time of one task, see [`time_limit`](crate::ProcessPoolBuilder::time_limit).
    pub fn cpu_time(mut self, time: Duration) -> Self {
        self.cpu_time = Some(time);
        self
    }

    /// Forbids memory that becomes executable once the worker is locked. Just-in-time compilers, and loading libraries,
    /// do not work then. In systemd this is `MemoryDenyWriteExecute`.
    pub fn no_new_code(mut self) -> Self {
        self.no_new_code = true;
        self
    }

    /// Lets workers inherit a variable of this program's environment. Without this they have only the language, the
    /// time zone, `LD_LIBRARY_PATH`, Rust's settings of backtraces and stacks, and what
    /// [`env`](crate::ProcessPoolBuilder::env) sets.
    pub fn inherit_env(mut self, name: impl Into<OsString>) -> Self {
        self.inherited_env.push(name.into());
        self
    }

    /// Lets workers keep the standard output of this program. Without this, what they print goes to their standard
    /// error, because an output that they share with this program has settings and a position that they could change.
    pub fn keep_stdout(mut self) -> Self {
        self.keep_stdout = true;
        self
    }

    /// Makes each worker read this program's debug information before it is locked, so that backtraces have names. With
    /// much debug information a start takes noticeably longer.
    pub fn symbols(mut self) -> Self {
        self.symbols = true;
        self
    }

    /// Locks workers before the initializer and before other code of this program that runs at their start.
    pub fn before_initializer(mut self) -> Self {
        self.before_initializer = true;
        self
    }

    /// Sets what happens to a call that is refused.
    pub fn on_refusal(mut self, refusal: Refusal) -> Self {
        self.refusal = refusal;
        self
    }

    /// Also gives each worker user, mount, network, IPC and host name namespaces of its own. Many systems do not let
    /// programs make them.
    pub fn namespaces(mut self) -> Self {
        self.namespaces = true;
        self
    }

    /// Leaves out what the system lacks, instead of refusing to build the pool. Query
    /// [`sandbox_status`](crate::ProcessPoolExecutor::sandbox_status) for what is in force. Without grants,
    /// [`compute`](Sandbox::compute) keeps its promises by the filter of system calls alone; grants do not.
    pub fn best_effort(mut self) -> Self {
        self.best_effort = true;
        self
    }
}
