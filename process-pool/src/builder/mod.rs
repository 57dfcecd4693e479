//! The options of a pool of processes.

mod build;
mod check;

use std::{ffi::OsString, fmt, os::fd::OwnedFd, path::PathBuf, time::Duration};

use executor_core::{
    Error, Function, Payload,
    codec::{self, handles},
    function::{Address, AnyResult, Displayed, Judge, entry_of_initializer},
};

use crate::{
    Output, ProcessPoolExecutor, Sandbox, Transport,
    frame::{Request, RequestKind},
    pool::Limits,
    start::scheduling::SchedulingOptions,
    supervisor::Initializer,
};

/// Builds a [`ProcessPoolExecutor`]. [`ProcessPoolExecutor::builder`] returns one.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
/// use std::time::Duration;
/// use concurrent_futures::{Executor, ProcessPoolExecutor};
///
/// let pool = ProcessPoolExecutor::builder()
///     .max_workers(2)
///     .name_prefix("parser")
///     .time_limit(Duration::from_secs(30))
///     .memory_limit(1 << 30)
///     .build()?;
/// assert_eq!(pool.submit(|text: String| text.len(), "four".to_string())?.result(None)?, 4);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
#[derive(Debug, Default)]
pub struct ProcessPoolBuilder {
    max_workers: Option<usize>,
    name_prefix: Option<String>,
    limits: Limits,
    transport: Transport,
    memory_limit: Option<u64>,
    environment: Vec<(OsString, OsString)>,
    initializer: Option<Result<Initializer, Error>>,
    passed: Vec<OwnedFd>,
    core_dumps: Option<bool>,
    control_group: bool,
    stdout: Output,
    stderr: Output,
    directory: Option<PathBuf>,
    stack_size: Option<usize>,
    sandbox: Option<Sandbox>,
    scheduling: SchedulingOptions,
    /// Whether events of the workers stay there.
    keeps_events: bool,
}

impl ProcessPoolExecutor {
    /// Builds a pool with this many worker processes. With `None` it has the default number of
    /// [`max_workers`](ProcessPoolBuilder::max_workers).
    ///
    /// Its counterpart in Python is `ProcessPoolExecutor(max_workers=None)`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Backend, ProcessPoolExecutor};
    ///
    /// assert_eq!(ProcessPoolExecutor::new(2)?.max_workers(), 2);
    /// assert!(ProcessPoolExecutor::new(None)?.max_workers() >= 1);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`ProcessPoolBuilder::build`].
    pub fn new(max_workers: impl Into<Option<usize>>) -> Result<ProcessPoolExecutor, Error> {
        ProcessPoolBuilder { max_workers: max_workers.into(), ..ProcessPoolBuilder::default() }.build()
    }

    /// Returns a builder, which has more options than the number of workers.
    pub fn builder() -> ProcessPoolBuilder {
        ProcessPoolBuilder::default()
    }
}

impl ProcessPoolBuilder {
    /// Sets the number of worker processes. The default is the number of processors that this program may use, or that
    /// the workers may use if [`cpus`](ProcessPoolBuilder::cpus) says so.
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = Some(workers);
        self
    }

    /// Sets how many workers the pool has when there is nothing to do. [`build`](ProcessPoolBuilder::build) starts this
    /// many; 0 is allowed. Another one is started, up to [`max_workers`](ProcessPoolBuilder::max_workers), when a task
    /// waits that no worker can take: at once, or within a millisecond if the tasks so far were short. One that has had
    /// no task for the [`idle_timeout`](ProcessPoolBuilder::idle_timeout) leaves. The default is `max_workers`, so that
    /// the number of workers does not change.
    ///
    /// Python has no counterpart: its pools start workers when they are needed, and keep them.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use std::time::Duration;
    /// use concurrent_futures::{Executor, ProcessPoolExecutor};
    ///
    /// let pool = ProcessPoolExecutor::builder()
    ///     .min_workers(1)
    ///     .max_workers(8)
    ///     .idle_timeout(Duration::from_secs(60))
    ///     .build()?;
    /// assert_eq!(pool.stats().workers, 1);
    /// assert_eq!(pool.submit(|n: u64| n + 1, 41)?.result(None)?, 42);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn min_workers(mut self, workers: usize) -> Self {
        self.limits.min_workers = Some(workers);
        self
    }

    /// Sets how long a worker stays without a task, if the pool has more than
    /// [`min_workers`](ProcessPoolBuilder::min_workers). The default is 10 seconds.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.limits.idle_timeout = Some(time);
        self
    }

    /// Sets the name of the workers, to which a number is added. It appears in
    /// [`task::current`](executor_core::task::current), in errors, and in the system's list of processes. The default
    /// is a name that no other pool of this program has.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = Some(prefix.into());
        self
    }

    /// Bounds how many tasks may wait. At the bound `submit` blocks, `try_submit` returns
    /// [`QueueFull`](executor_core::ErrorKind::QueueFull), and the future of `submit_async` waits. Submitters continue
    /// in the order in which they came. Without this only memory limits the queue.
    pub fn queue_capacity(mut self, tasks: usize) -> Self {
        self.limits.queue_capacity = Some(tasks);
        self
    }

    /// Sets a function that each worker calls before its first task. If it panics or returns an `Err`, the pool is
    /// [`Broken`](executor_core::ErrorKind::Broken), and the error contains the panic or the `Err`. Every other return
    /// value is dropped. For an error that serde does not know, such as [`std::io::Error`], use
    /// [`try_initializer`](ProcessPoolBuilder::try_initializer). Python's counterparts are `initializer`, `initargs`
    /// and `BrokenProcessPool`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{ErrorKind, Executor, ProcessPoolExecutor};
    ///
    /// let check = |key: String| if key.is_empty() { Err("no key".to_string()) } else { Ok(()) };
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).initializer(check, String::new()).build()?;
    /// let error = pool.submit(|n: u64| n, 1).and_then(|future| future.result(None)).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Broken);
    /// assert!(error.to_string().contains("no key"));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn initializer<F, A, R>(mut self, function: F, args: A) -> Self
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        self.initializer = Some(write_initializer(function, args, AnyResult));
        self
    }

    /// Sets a function as [`initializer`](ProcessPoolBuilder::initializer) does, whose error only needs a text.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Executor, ProcessPoolExecutor};
    ///
    /// fn open(path: String) -> std::io::Result<()> {
    ///     std::fs::File::open(path).map(drop)
    /// }
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).try_initializer(open, "no such file".into()).build()?;
    /// assert!(pool.submit(|n: u64| n, 1).and_then(|future| future.result(None)).is_err());
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn try_initializer<F, A, E>(mut self, function: F, args: A) -> Self
    where
        F: Function<A, Result<(), E>>,
        A: Payload,
        E: fmt::Display + 'static,
    {
        self.initializer = Some(write_initializer(function, args, Displayed));
        self
    }

    /// Replaces a worker after this many tasks, which helps with code that leaks. A chunk of a `map` counts as one
    /// task. By default workers are not replaced.
    pub fn max_tasks_per_worker(mut self, tasks: usize) -> Self {
        self.limits.max_tasks_per_worker = Some(tasks);
        self
    }

    /// Limits how long a task may run, unless the task has a limit of its own
    /// ([`TaskOptions::time_limit`](executor_core::TaskOptions::time_limit)). Each item of a `map` has the whole limit.
    /// A task that runs longer is stopped, and fails with [`TimeLimit`](executor_core::ErrorKind::TimeLimit). Time
    /// during which this whole program is stopped, by `SIGSTOP` or in a frozen container, does not count, to within a
    /// second.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limits.time_limit = Some(limit);
        self
    }

    /// Limits how many bytes of memory a worker may have, including what earlier tasks have leaked. An allocation
    /// beyond that ends the worker and fails the task that made it.
    ///
    /// On Linux this counts private writable memory (`RLIMIT_DATA`): allocations, the stacks of threads, private
    /// mappings. It counts neither memory that can be shared (anonymous shared mappings, `memfd`, files in `/dev/shm`)
    /// nor mapped files. A process that a task starts has the same limit for itself. To bound all of that, run the
    /// program in a control group with `memory.max`. On other systems the limit counts the whole address space.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Sets a variable in the environment of the workers. Their other variables are those of this program.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// Sets where the standard output of the workers goes. By default they share that of this program.
    ///
    /// With [`Output::lines`] a function gets each line, with the worker and the task that wrote it. So a progress bar
    /// of this program stays whole, and tests capture what tasks print. Python has no counterpart.
    pub fn stdout(mut self, output: Output) -> Self {
        self.stdout = output;
        self
    }

    /// Sets where the standard error of the workers goes. By default the pool writes it to that of this program, in
    /// whole lines. Whatever is set here, the last lines of a worker that dies are in the error
    /// ([`WorkerDeath::stderr_tail`](executor_core::WorkerDeath::stderr_tail)).
    pub fn stderr(mut self, output: Output) -> Self {
        self.stderr = output;
        self
    }

    /// Sets whether events of `tracing` that tasks emit in a worker reach the subscriber of this program, and, with the
    /// feature `log`, whether records of `log` reach its logger. By default they do; see
    /// [the crate's documentation](crate#events-and-records-of-tasks).
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Executor, ProcessPoolExecutor};
    ///
    /// // A task emits a million events, and they are not wanted here.
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).forward_events(false).build()?;
    /// pool.submit(|()| (0..1_000_000).for_each(|n| tracing::trace!(n)), ())?.result(None)?;
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[cfg(feature = "tracing")]
    pub fn forward_events(mut self, wanted: bool) -> Self {
        self.keeps_events = !wanted;
        self
    }

    /// Sets the working directory of the workers. By default it is that of this program when a worker is started. A
    /// relative path is that of the moment at which the pool is built.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Executor, ProcessPoolExecutor};
    ///
    /// let directory = tempfile::tempdir().unwrap();
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).current_dir(directory.path()).build()?;
    /// let writes = |text: String| std::fs::write("report.txt", text).is_ok();
    /// assert!(pool.submit(writes, "in the directory".to_string())?.result(None)?);
    /// assert!(directory.path().join("report.txt").exists());
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the size of the stack on which a worker runs its tasks, in bytes. By default it is what the system gives a
    /// program (`ulimit -s`, usually 8 MiB). Programs that tasks start have the same limit.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Makes the workers nicer than this program by this number: the system prefers other processes when processors are
    /// scarce. 19 is the nicest that a process can be, so `nice(19)` is work that should disturb nothing else. What
    /// tasks start is as nice as their worker. The default is 0.
    ///
    /// A negative number makes the workers less nice, which needs `CAP_SYS_NICE` or a limit that allows it
    /// (`ulimit -e`). Otherwise [`build`](ProcessPoolBuilder::build) returns
    /// [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument). The result is cut to the range from -20 to 19.
    /// Python's counterpart is `os.nice` in an initializer.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Executor, ProcessPoolExecutor};
    ///
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).nice(10).build()?;
    /// assert_eq!(pool.submit(|n: u64| n + 1, 41)?.result(None)?, 42);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn nice(mut self, increment: i32) -> Self {
        self.scheduling.nice = Some(increment);
        self
    }

    /// Sets the processors on which the workers run, by their numbers (0 is the first). So a pool leaves the other
    /// processors to the rest of the program, or stays near the memory that it uses. Each worker may run on all of
    /// them, and so may what tasks start. By default workers run where this program may.
    ///
    /// [`build`](ProcessPoolBuilder::build) returns [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument) for
    /// an empty set and for a processor that does not exist, is off, or that this program may not use (as in a
    /// container that has only some), and [`Unsupported`](executor_core::ErrorKind::Unsupported) on other systems than
    /// Linux. Python's counterpart is `os.sched_setaffinity` in an initializer.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Backend, ErrorKind, Executor, ProcessPoolExecutor};
    ///
    /// let pool = match ProcessPoolExecutor::builder().cpus([0]).build() {
    ///     Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
    ///     pool => pool?,
    /// };
    /// assert_eq!(pool.max_workers(), 1);
    /// let width = |()| std::thread::available_parallelism().map_or(0, |width| width.get() as u64);
    /// assert_eq!(pool.submit(width, ())?.result(None)?, 1);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn cpus(mut self, processors: impl IntoIterator<Item = usize>) -> Self {
        self.scheduling.cpus = Some(processors.into_iter().collect());
        self
    }

    /// Passes descriptors to the workers, and to programs that tasks start, under the same numbers. The pool keeps them
    /// open until it has ended. Python's counterpart is `pass_fds` of `subprocess.Popen`.
    ///
    /// Without this a worker inherits only the standard output (see [`ProcessPoolExecutor`]). A passed descriptor may
    /// have `CLOEXEC` set, as all descriptors have that the standard library opens, and keeps it. To keep using a file
    /// in this program, pass its `try_clone`. Linux only.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use std::{fs::File, io::{Read, Seek, Write}, os::fd::{AsRawFd, FromRawFd}};
    /// use concurrent_futures::{Executor, ProcessPoolExecutor};
    ///
    /// let mut file = tempfile::tempfile().unwrap();
    /// file.write_all(b"from the parent").unwrap();
    /// file.rewind().unwrap();
    /// let number = file.as_raw_fd();
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).pass_fds([file]).build()?;
    /// let read = |number: i32| {
    ///     // SAFETY: the pool passes this descriptor, and no other task uses it.
    ///     let mut file = unsafe { File::from_raw_fd(number) };
    ///     let mut text = String::new();
    ///     file.read_to_string(&mut text).unwrap();
    ///     text
    /// };
    /// assert_eq!(pool.submit(read, number)?.result(None)?, "from the parent");
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn pass_fds(mut self, descriptors: impl IntoIterator<Item = impl Into<OwnedFd>>) -> Self {
        self.passed.extend(descriptors.into_iter().map(Into::into));
        self
    }

    /// Sets whether workers that crash leave core dumps, which contain the arguments of their tasks. With `true` they
    /// do, as far as the hard limit of this program allows. With `false` they never do, and a program that collects
    /// dumps is not run either. By default they do if this program would, which is usually not the case (`ulimit -c`).
    pub fn core_dumps(mut self, wanted: bool) -> Self {
        self.core_dumps = Some(wanted);
        self
    }

    /// Sets whether each worker gets a control group (version 2) of its own, under that of this program. By default it
    /// does not.
    ///
    /// Processes that tasks start end with their worker. The exception is a worker that dies of a signal, an abort or
    /// `_exit`: then its processes in other process groups or sessions stay, unless they are in a control group. This
    /// is an option because joining a group takes Linux some milliseconds for each worker, at least as long as starting
    /// it.
    ///
    /// If the system does not let this program make such groups, the pool works without them. They need Linux 5.14, and
    /// write access to the program's own group. Root has that access, and so has a service with `Delegate=yes`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Executor, ProcessPoolExecutor};
    ///
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).control_group(true).build()?;
    /// assert_eq!(pool.submit(|n: u64| n + 1, 41)?.result(None)?, 42);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn control_group(mut self, wanted: bool) -> Self {
        self.control_group = wanted;
        self
    }

    /// Puts the workers in a [`Sandbox`], in which code that an attacker controls can do nothing but compute and use
    /// what is granted. By default there is none.
    ///
    /// The pool is not built if the system cannot keep the sandbox. No task runs in a worker before every thread of the
    /// worker is locked, and a worker that cannot be locked breaks the pool. Workers that replace others are locked in
    /// the same way. Python has no counterpart.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{ErrorKind, Executor, ProcessPoolExecutor, Sandbox};
    ///
    /// let directory = tempfile::tempdir().unwrap();
    /// std::fs::write(directory.path().join("page"), "seventeen").unwrap();
    /// let sandbox = Sandbox::compute().read(directory.path());
    /// let pool = match ProcessPoolExecutor::builder().max_workers(1).sandbox(sandbox).build() {
    ///     Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(println!("{error}")),
    ///     built => built?,
    /// };
    /// let read = |path: std::path::PathBuf| std::fs::read_to_string(path).ok();
    /// assert_eq!(pool.submit(read, directory.path().join("page"))?.result(None)?.as_deref(), Some("seventeen"));
    /// assert_eq!(pool.submit(read, "/etc/hostname".into())?.result(None)?, None);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// Sets how arguments and results are sent. The default is the fastest way that the system has.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }
}

fn write_initializer<F, A, R, J>(initializer: F, args: A, judge: J) -> Result<Initializer, Error>
where
    F: Function<A, R>,
    A: Payload,
    R: 'static,
    J: Judge<R>,
{
    let mut body = Vec::new();
    let (encoded, handles) = handles::collect(|| codec::encode(&args, &mut body));
    encoded?;
    let function = Address::of(entry_of_initializer(initializer, judge))?;
    let request = Request { function, body: body.len() as u64, ..Request::bare(RequestKind::Initialize) };
    Ok(Initializer { request, body, handles })
}
