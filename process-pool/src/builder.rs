//! What can be chosen about a pool of processes.

use std::{
    ffi::OsString,
    os::fd::OwnedFd,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use executor_core::{
    Error, ErrorKind, Function, Payload, codec,
    function::{Address, entry_of},
};

use crate::{
    ProcessPoolExecutor, Transport,
    frame::{Request, RequestKind},
    pool::{Limits, Pool, SlotId},
    start::{self, environment, spawn::Blueprint},
    supervisor::{Initializer, Supervisor},
    sys::{control_group::ControlGroup, executable::Executable, signals, standard},
};

/// Makes a [`ProcessPoolExecutor`]; see [`ProcessPoolExecutor::builder`].
///
/// ```
/// use std::time::Duration;
/// use executor_core::Executor;
/// use process_pool::ProcessPoolExecutor;
///
/// let pool = ProcessPoolExecutor::builder()
///     .max_workers(2)
///     .name_prefix("parser")
///     .time_limit(Duration::from_secs(30))
///     .memory_limit(1 << 30)
///     .build()?;
/// assert_eq!(pool.submit(|text: String| text.len(), "four".to_string())?.result(None)?, 4);
/// # Ok::<(), executor_core::Error>(())
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
}

impl ProcessPoolExecutor {
    /// A pool of so many worker processes.
    ///
    /// # Errors
    ///
    /// As [`ProcessPoolBuilder::build`].
    pub fn new(max_workers: usize) -> Result<ProcessPoolExecutor, Error> {
        ProcessPoolExecutor::builder().max_workers(max_workers).build()
    }

    /// Chooses more than the number of workers.
    pub fn builder() -> ProcessPoolBuilder {
        ProcessPoolBuilder::default()
    }
}

/// More workers than this are a mistake: no machine runs so many, and each costs descriptors.
const MOST_WORKERS: usize = 4096;

impl ProcessPoolBuilder {
    /// How many worker processes there are. Default: as many as this program may use processors.
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = Some(workers);
        self
    }

    /// What the workers are called, with a number behind: in [`task::current`](executor_core::task::current), in
    /// errors, and in the system's list of processes. Default: a name that no other pool of this program has.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = Some(prefix.into());
        self
    }

    /// How many tasks may wait. Then `submit` waits for room, and `try_submit` answers
    /// [`QueueFull`](ErrorKind::QueueFull). Default: as many as memory holds.
    pub fn queue_capacity(mut self, tasks: usize) -> Self {
        self.limits.queue_capacity = Some(tasks);
        self
    }

    /// A function that each worker calls before its first task. If it fails, the pool is
    /// [`Broken`](ErrorKind::Broken), with what the function said.
    pub fn initializer<F, A, R>(mut self, function: F, args: A) -> Self
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        self.initializer = Some(write_initializer(function, args));
        self
    }

    /// After so many tasks a worker leaves, and a fresh one takes its place: for code that leaks. A chunk of a `map`
    /// counts as one. Default: workers stay.
    pub fn max_tasks_per_worker(mut self, tasks: usize) -> Self {
        self.limits.max_tasks_per_worker = Some(tasks);
        self
    }

    /// How long a task may run, unless its [`TaskOptions::time_limit`](executor_core::TaskOptions::time_limit) says
    /// otherwise; for each item of a `map` by itself. One that runs longer is stopped, and fails with
    /// [`TimeLimit`](ErrorKind::TimeLimit). Time in which this whole program is stopped, by `SIGSTOP` or in a frozen
    /// container, does not count, to within a second.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limits.time_limit = Some(limit);
        self
    }

    /// How many bytes of memory a worker may have, all its tasks' leftovers included. An allocation beyond that ends
    /// the worker, which costs the task that asked for it.
    ///
    /// On Linux this counts private writable memory (`RLIMIT_DATA`): what is allocated, the stacks of threads, private
    /// mappings. It does not count memory that can be shared (anonymous shared mappings, `memfd`, files in `/dev/shm`),
    /// nor mapped files. A process that a task starts has the limit again for itself. To bound all of that, run the
    /// program in a control group with `memory.max`. Elsewhere the limit counts the whole address space.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Sets a variable in the workers' environment, which otherwise is this program's.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// Passes descriptors on to the workers, where they have the same numbers, and so do programs that tasks start. The
    /// pool keeps them open until it has ended. Python's counterpart is `pass_fds` of `subprocess.Popen`.
    ///
    /// Without this a worker has nothing of what this program has open but the standard output; see
    /// [`ProcessPoolExecutor`]. It need not matter to the rest of the program: a descriptor that is passed on may have
    /// `CLOEXEC` set here, as all that the standard library opens have, and keeps it. To go on using a file here, pass
    /// its `try_clone`. Linux only.
    ///
    /// ```
    /// use std::{fs::File, io::{Read, Seek, Write}, os::fd::{AsRawFd, FromRawFd}};
    /// use executor_core::Executor;
    /// use process_pool::ProcessPoolExecutor;
    ///
    /// let mut file = tempfile::tempfile().unwrap();
    /// file.write_all(b"from the parent").unwrap();
    /// file.rewind().unwrap();
    /// let number = file.as_raw_fd();
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).pass_fds([file]).build()?;
    /// let read = |number: i32| {
    ///     // SAFETY: the pool passes this descriptor on, and no other task uses it.
    ///     let mut file = unsafe { File::from_raw_fd(number) };
    ///     let mut text = String::new();
    ///     file.read_to_string(&mut text).unwrap();
    ///     text
    /// };
    /// assert_eq!(pool.submit(read, number)?.result(None)?, "from the parent");
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn pass_fds(mut self, descriptors: impl IntoIterator<Item = impl Into<OwnedFd>>) -> Self {
        self.passed.extend(descriptors.into_iter().map(Into::into));
        self
    }

    /// Whether workers that crash leave core dumps, which hold the arguments of their tasks. `true`: as far as the hard
    /// limit of this program lets them; `false`: never, and a program that collects dumps is not run either. Default:
    /// as this program does, so mostly not (`ulimit -c`).
    pub fn core_dumps(mut self, wanted: bool) -> Self {
        self.core_dumps = Some(wanted);
        self
    }

    /// Whether each worker gets a control group (version 2) of its own, under the one that this program is in. Default:
    /// no.
    ///
    /// What tasks start ends with their worker in any case, except where the worker dies by itself, of a signal, an
    /// abort or `_exit`: then processes in other groups or sessions stay. In a control group they end then, too. It is
    /// an option because joining a group takes Linux some milliseconds for each worker (1 to 10 as measured), as long
    /// as it takes to start one, or several times as long.
    ///
    /// Where the system does not let this program make such groups (it takes write access to its own one, as root has,
    /// or a service with `Delegate=yes`; and Linux 5.14), the pool works as without.
    ///
    /// ```
    /// use executor_core::Executor;
    /// use process_pool::ProcessPoolExecutor;
    ///
    /// let pool = ProcessPoolExecutor::builder().max_workers(1).control_group(true).build()?;
    /// assert_eq!(pool.submit(|n: u64| n + 1, 41)?.result(None)?, 42);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn control_group(mut self, wanted: bool) -> Self {
        self.control_group = wanted;
        self
    }

    /// How arguments and results travel. Default: the fastest way that the system has.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Starts the workers, and does not wait until they are ready.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for zero workers and other options that cannot work;
    /// [`Encode`](ErrorKind::Encode) if the initializer's arguments cannot be written down;
    /// [`Broken`](ErrorKind::Broken) where workers cannot start by themselves: add
    /// [`process_pool::init()`](crate::init) as the first line of `main`; in a dynamic library, be it loaded later (a
    /// plug-in, a Python extension) or at the start of the program, because workers run the program itself; and in a
    /// program that must not have any, because it was started with more rights than its caller has (set-uid, set-gid,
    /// capabilities of its file) or has put rights aside for a while;
    /// [`Other`](ErrorKind::Other) if the program's own file cannot be found, or the system refuses to start a process.
    /// None is left behind then.
    pub fn build(self) -> Result<ProcessPoolExecutor, Error> {
        self.check()?;
        let initializer = self.initializer.transpose()?;
        start::program::check()?;
        check_start(start::entry::has_looked(), environment::depth())?;
        if let Some(reason) = start::rights::refusal() {
            return Err(Error::new(ErrorKind::Broken, format!("this program cannot have worker processes: {reason}")));
        }
        let workers = self.max_workers.unwrap_or_else(num_cpus::get).clamp(1, MOST_WORKERS);
        let name = self.name_prefix.unwrap_or_else(default_name);
        let _held = standard::hold();
        let executable = Executable::find(start::program::image())
            .map_err(|cause| Error::new(ErrorKind::Other, format!("{name} could not be built: {cause}")))?;
        let blueprint = Blueprint {
            executable,
            transport: self.transport,
            memory_limit: self.memory_limit,
            environment: self.environment,
            initializes: initializer.is_some(),
            passed: self.passed,
            core_dumps: self.core_dumps,
            group: if self.control_group { ControlGroup::make() } else { None },
        };
        let pool = Pool::new(name.clone(), self.limits, workers)?;
        let mut supervisor = Supervisor::new(pool.clone(), blueprint, initializer);
        for worker in 0..workers {
            if let Err(cause) = supervisor.start(SlotId::new(worker)) {
                supervisor.abandon();
                let message = format!(
                    "{name} could not be built: worker {worker} of {workers} did not start: {cause}{}",
                    start::advice(&cause)
                );
                return Err(Error::new(ErrorKind::Other, message));
            }
        }
        // Handed over like this because a thread that cannot be started drops its closure, and with it what ends the
        // workers.
        let (hand, over) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name(format!("{name}-supervisor"));
        let thread = signals::with_all_blocked(|| thread.spawn(move || over.into_iter().for_each(Supervisor::run)));
        match thread {
            Ok(thread) => {
                pool.set_supervisor(thread);
                let _ = hand.send(supervisor);
            }
            Err(cause) => {
                supervisor.abandon();
                let message = format!("{name} could not be built: no thread for its supervisor: {cause}");
                return Err(Error::new(ErrorKind::Other, message));
            }
        }
        Ok(ProcessPoolExecutor::new_with(pool))
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidArgument, message));
        let at_least_one = [
            ("max_workers", self.max_workers),
            ("queue_capacity", self.limits.queue_capacity),
            ("max_tasks_per_worker", self.limits.max_tasks_per_worker),
        ];
        for (option, value) in at_least_one {
            if value == Some(0) {
                return refuse(format!("{option} must be at least 1: leave it out for the default"));
            }
        }
        if self.max_workers.is_some_and(|workers| workers > MOST_WORKERS) {
            return refuse(format!("max_workers must be at most {MOST_WORKERS}"));
        }
        if self.memory_limit == Some(0) || self.limits.time_limit == Some(Duration::ZERO) {
            return refuse("memory_limit and time_limit must be more than 0: leave them out for none".into());
        }
        if self.name_prefix.as_ref().is_some_and(|name| name.len() > 200 || name.contains('\0')) {
            return refuse("name_prefix must be at most 200 bytes, and hold no zero byte".into());
        }
        if self.passed.iter().any(standard::is_standard) {
            return refuse("pass_fds cannot pass a standard descriptor on: workers have their own".into());
        }
        let bad = |text: &OsString| text.as_encoded_bytes().contains(&0);
        for (key, value) in &self.environment {
            if key.is_empty() || key.as_encoded_bytes().contains(&b'=') || bad(key) || bad(value) {
                return refuse(format!("{key:?} cannot be a variable of an environment"));
            }
            if environment::is_own_variable(key) {
                return refuse(format!("{key:?} is how a worker knows that it is one: leave it alone"));
            }
        }
        Ok(())
    }
}

/// Whether a process that is started now would become a worker: not if this one never looked whether it is one itself.
fn check_start(has_looked: bool, depth: u32) -> Result<(), Error> {
    if !has_looked {
        return Err(Error::new(
            ErrorKind::Broken,
            "worker processes cannot start by themselves in this program: add `concurrent_futures::init();` (or \
             `process_pool::init();`) as the first line of `main`",
        ));
    }
    if start::initialisers::are_running() {
        return Err(Error::new(
            ErrorKind::Broken,
            "an initialiser that runs before `main` builds a pool, and runs in each worker of it too: build the pool \
             in `main`",
        ));
    }
    if depth >= environment::DEEPEST {
        return Err(Error::new(
            ErrorKind::Broken,
            format!(
                "this process is a worker of a worker, {} deep: something builds a pool in every worker; \
                 build it in the program itself, or outside of what workers run",
                environment::DEEPEST
            ),
        ));
    }
    Ok(())
}

fn default_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // ORDERING: the counter only has to give different numbers.
    format!("ProcessPoolExecutor-{}", COUNT.fetch_add(1, Relaxed))
}

fn write_initializer<F, A, R>(initializer: F, args: A) -> Result<Initializer, Error>
where
    F: Function<A, R>,
    A: Payload,
    R: Payload,
{
    let mut body = Vec::new();
    codec::encode(&args, &mut body)?;
    let function = Address::of(entry_of(initializer))?;
    let request = Request { function, body: body.len() as u64, ..Request::bare(RequestKind::Initialize) };
    Ok(Initializer { request, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_whose_workers_cannot_start_is_told_what_to_add() {
        let error = check_start(false, 0).expect_err("workers cannot start");
        assert_eq!(error.kind(), ErrorKind::Broken);
        let expected = "add `concurrent_futures::init();` (or `process_pool::init();`) as the first line of `main`";
        assert!(error.to_string().contains(expected));
    }

    #[test]
    fn a_worker_of_a_worker_of_a_worker_without_end_is_refused() {
        check_start(true, environment::DEEPEST - 1).expect("not too deep");
        assert!(
            check_start(true, environment::DEEPEST)
                .expect_err("too deep")
                .to_string()
                .contains("builds a pool in every worker")
        );
    }
}
