//! How a pool is made.

use std::{
    fmt, io,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use crossbeam_deque::Worker as Deque;
use executor_core::{Error, ErrorKind, Function, Payload, Task};

use crate::{
    ThreadPoolExecutor,
    initializer::{self, Initializer, Make},
    pool::Pool,
    sleep::{MOST_WORKERS, Sleep},
    worker::Start,
};

/// Makes a [`ThreadPoolExecutor`]; see [`ThreadPoolExecutor::builder`].
#[must_use = "a builder does nothing before `build`"]
#[derive(Default)]
pub struct ThreadPoolBuilder {
    max_workers: Option<usize>,
    name_prefix: Option<String>,
    queue_capacity: Option<usize>,
    stack_size: Option<usize>,
    initializer: Option<Make>,
}

impl ThreadPoolBuilder {
    /// How many threads there are, and so how many tasks can run at the same time. Default: as many as this program may
    /// use processors, by its affinity mask and its container's quota ([`num_cpus::get`]).
    ///
    /// Python's default, `min(32, cpus + 4)`, has more threads than processors because of its interpreter lock; work
    /// that mostly waits wants more here too.
    pub fn max_workers(mut self, workers: usize) -> ThreadPoolBuilder {
        self.max_workers = Some(workers);
        self
    }

    /// Workers are called `<prefix>_<number>`, as [`std::thread::Thread::name`] and
    /// [`Context::worker`](executor_core::task::Context::worker) show. Default: `ThreadPoolExecutor-<number of the
    /// pool>`.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> ThreadPoolBuilder {
        self.name_prefix = Some(prefix.into());
        self
    }

    /// How many tasks may wait to be started. While so many do, `submit` waits, and `try_submit` answers
    /// [`QueueFull`](ErrorKind::QueueFull). Default: no bound.
    ///
    /// Submitters that wait are let in in the order in which they came. A worker of the pool itself is let in over the
    /// bound, for it would wait for itself.
    pub fn queue_capacity(mut self, tasks: usize) -> ThreadPoolBuilder {
        self.queue_capacity = Some(tasks);
        self
    }

    /// The stack of each worker, in bytes. Default: the standard library's.
    pub fn stack_size(mut self, bytes: usize) -> ThreadPoolBuilder {
        self.stack_size = Some(bytes);
        self
    }

    /// Runs a function once in each worker, before its first task. What it answers is dropped.
    ///
    /// Nothing is encoded: every worker gets a clone of the arguments, all made in [`build`](ThreadPoolBuilder::build).
    /// A thread that is started later, as a [fresh stack](ThreadPoolExecutor#waiting-inside-a-task), gets one of its
    /// own.
    ///
    /// If it panics in one worker, the pool is [`Broken`](ErrorKind::Broken): what waits fails with that error, which
    /// has the reason, and so does every later submit; what other workers run is finished. Python's counterpart is
    /// `BrokenThreadPool`.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use thread_pool::ThreadPoolExecutor;
    /// use executor_core::Executor;
    ///
    /// thread_local!(static SEED: Cell<u64> = const { Cell::new(0) });
    /// let pool = ThreadPoolExecutor::builder().max_workers(2).initializer(|seed| SEED.set(seed), 7u64).build()?;
    /// assert_eq!(pool.submit(|()| SEED.get(), ())?.result(None)?, 7);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    pub fn initializer<F, A, R>(mut self, function: F, args: A) -> ThreadPoolBuilder
    where
        F: Function<A, R>,
        A: Payload + Clone,
    {
        self.initializer = Some(Box::new(move || {
            let args = args.clone();
            Box::new(move || drop(function(args)))
        }));
        self
    }

    /// Makes the pool, and starts all its threads.
    ///
    /// If the system refuses a thread, the pool has fewer, as [`max_workers`](executor_core::Backend::max_workers) then
    /// says.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for a number that is zero, too many workers, or a name with a
    /// zero byte in it; [`Other`](ErrorKind::Other), with the cause, if the system refuses even one thread.
    pub fn build(self) -> Result<ThreadPoolExecutor, Error> {
        let workers = self.max_workers.unwrap_or_else(num_cpus::get);
        self.check(workers)?;
        let name = self.name_prefix.unwrap_or_else(default_name);

        let deques: Vec<Deque<Task>> = (0..workers).map(|_| Deque::new_fifo()).collect();
        let stealers = deques.iter().map(Deque::stealer).collect();
        let (sleep, sleepers) = Sleep::new(workers);
        let first_run = || self.initializer.as_ref().map(|make| initializer::task(make()));
        let initializers: Vec<_> = (0..workers).map(|_| first_run()).collect();
        let initializer = self.initializer.map(Initializer::new);
        let pool = Pool::new(name.as_str().into(), stealers, sleep, self.queue_capacity, initializer);

        let mut threads = Vec::with_capacity(workers);
        let mut refused: Option<io::Error> = None;
        for (index, ((deque, sleeper), initializer)) in deques.into_iter().zip(sleepers).zip(initializers).enumerate() {
            let start = Start { pool: pool.clone(), index, deque, sleeper, initializer };
            let mut thread = thread::Builder::new().name(format!("{name}_{index}"));
            if let Some(bytes) = self.stack_size {
                thread = thread.stack_size(bytes);
            }
            match thread.spawn(|| start.run()) {
                Ok(thread) => threads.push(thread),
                Err(cause) => {
                    refused = Some(cause);
                    break;
                }
            }
        }
        pool.man(threads, workers);
        match refused {
            Some(cause) if pool.crew.is_empty() => Err(Error::new(
                ErrorKind::Other,
                format!(
                    "{name}: the system refused to start a thread: {cause}; see `ulimit -u` and the container's pids limit"
                ),
            )),
            _ => Ok(ThreadPoolExecutor::of(pool)),
        }
    }

    fn check(&self, workers: usize) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::new(ErrorKind::InvalidArgument, what));
        if workers == 0 {
            return wrong("max_workers must be greater than 0: leave it out for one per processor".into());
        }
        if workers > MOST_WORKERS {
            return wrong(format!("max_workers must be at most {MOST_WORKERS}, not {workers}"));
        }
        if self.queue_capacity == Some(0) {
            return wrong("queue_capacity must be greater than 0: leave it out for no bound".into());
        }
        if self.name_prefix.as_ref().is_some_and(|prefix| prefix.contains('\0')) {
            return wrong("name_prefix must not contain a zero byte: threads cannot be named so".into());
        }
        Ok(())
    }
}

/// Pools are numbered, from 0 on, as in Python.
fn default_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // ORDERING: the counter only has to give different numbers.
    format!("ThreadPoolExecutor-{}", NEXT.fetch_add(1, Relaxed))
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("max_workers", &self.max_workers)
            .field("name_prefix", &self.name_prefix)
            .field("queue_capacity", &self.queue_capacity)
            .field("stack_size", &self.stack_size)
            .field("initializer", &self.initializer.is_some())
            .finish()
    }
}
