//! How a pool is made.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use executor_core::{
    Error, ErrorKind, Function, Payload,
    function::{Displayed, Judge},
};

use crate::{
    ThreadPoolExecutor,
    initializer::{self, Initializer, Make},
    pool::Pool,
    returned::Returned,
    sleep::{MAX_WORKERS, Width},
};

/// Makes a [`ThreadPoolExecutor`] with a name, a bounded queue, an initializer or another stack size.
///
/// Its counterpart in Python is the constructor `ThreadPoolExecutor(max_workers, thread_name_prefix, initializer,
/// initargs)`.
///
/// ```
/// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
/// use concurrent_futures::{Executor, ThreadPoolExecutor, task};
///
/// let pool = ThreadPoolExecutor::builder().max_workers(1).name_prefix("parser").queue_capacity(100).build()?;
/// let worker = pool.submit(|()| task::current().unwrap().worker().to_string(), ())?;
/// assert_eq!(worker.result(None)?, "parser_0");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
#[derive(Default)]
pub struct ThreadPoolBuilder {
    max_workers: Option<usize>,
    min_workers: Option<usize>,
    idle_timeout: Option<Duration>,
    name_prefix: Option<String>,
    queue_capacity: Option<usize>,
    stack_size: Option<usize>,
    initializer: Option<Make>,
}

impl ThreadPoolExecutor {
    /// Makes a pool with this number of threads and starts them. With `None` it has the default number of
    /// [`max_workers`](ThreadPoolBuilder::max_workers). Everything else has its default; see [`ThreadPoolBuilder`].
    ///
    /// Its counterpart in Python is `ThreadPoolExecutor(max_workers=None)`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{Backend, ThreadPoolExecutor};
    ///
    /// assert_eq!(ThreadPoolExecutor::new(3)?.max_workers(), 3);
    /// assert!(ThreadPoolExecutor::new(None)?.max_workers() >= 1);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`ThreadPoolBuilder::build`].
    pub fn new(max_workers: impl Into<Option<usize>>) -> Result<ThreadPoolExecutor, Error> {
        ThreadPoolBuilder { max_workers: max_workers.into(), ..ThreadPoolBuilder::default() }.build()
    }

    /// Returns a builder, for a pool with a name, a bounded queue, an initializer or another stack size.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::default()
    }
}

/// How long a worker that the pool need not keep stays without a task, unless the builder says otherwise.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

impl ThreadPoolBuilder {
    /// Sets the number of threads, which is the number of tasks that can run at the same time.
    ///
    /// The default is the number of processors that this program may use, according to its affinity mask and the quota
    /// of its container ([`num_cpus::get`]).
    ///
    /// Python's default is `min(32, cpus + 4)`, more threads than processors because of its interpreter lock. Set a
    /// larger number here too if the tasks mostly wait.
    pub fn max_workers(mut self, workers: usize) -> ThreadPoolBuilder {
        self.max_workers = Some(workers);
        self
    }

    /// Sets how many threads the pool has when there is nothing to do, at least 1. [`build`](ThreadPoolBuilder::build)
    /// starts this many. Another one is started, up to [`max_workers`](ThreadPoolBuilder::max_workers), when a task
    /// finds none idle. One that has had no task for the [`idle_timeout`](ThreadPoolBuilder::idle_timeout) ends. The
    /// default is `max_workers`, so that the number of threads does not change.
    ///
    /// Python has no counterpart: its pools start threads when they are needed, and keep them.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use std::time::Duration;
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let pool = ThreadPoolExecutor::builder()
    ///     .min_workers(1)
    ///     .max_workers(100)
    ///     .idle_timeout(Duration::from_secs(60))
    ///     .build()?;
    /// assert_eq!(pool.spawn(|| 1 + 1)?.result(None)?, 2);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn min_workers(mut self, workers: usize) -> ThreadPoolBuilder {
        self.min_workers = Some(workers);
        self
    }

    /// Sets how long a thread stays without a task, if the pool has more than
    /// [`min_workers`](ThreadPoolBuilder::min_workers). The default is 10 seconds.
    pub fn idle_timeout(mut self, time: Duration) -> ThreadPoolBuilder {
        self.idle_timeout = Some(time);
        self
    }

    /// Sets the name of the pool. Its workers are called `<prefix>_<number>`, with numbers from 0.
    /// [`Thread::name`](std::thread::Thread::name) and [`Context::worker`](executor_core::task::Context::worker) return
    /// these names.
    ///
    /// The default is `ThreadPoolExecutor-<number of the pool>`. Python's counterpart is `thread_name_prefix`.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> ThreadPoolBuilder {
        self.name_prefix = Some(prefix.into());
        self
    }

    /// Sets the number of tasks that may wait to start. The default is no bound.
    ///
    /// While that many tasks wait, `submit` blocks, `try_submit` returns [`QueueFull`](ErrorKind::QueueFull), and the
    /// future of `submit_async` waits. Submitters continue in the order in which they came. A submit by a worker of the
    /// pool never blocks and may exceed the bound, because a blocked worker could deadlock the pool.
    ///
    /// Python has no counterpart.
    pub fn queue_capacity(mut self, tasks: usize) -> ThreadPoolBuilder {
        self.queue_capacity = Some(tasks);
        self
    }

    /// Sets the size of each worker's stack, in bytes. The default is that of [`std::thread`].
    pub fn stack_size(mut self, bytes: usize) -> ThreadPoolBuilder {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets a function that each worker runs once, before its first task.
    ///
    /// Nothing is encoded: each worker gets a clone of the arguments. [`build`](ThreadPoolBuilder::build) makes these
    /// clones. A thread that is started later, for a [fresh stack](ThreadPoolExecutor#waiting-inside-a-task), makes a
    /// clone of its own.
    ///
    /// If the function panics or returns an `Err` in a worker, the pool becomes [`Broken`](ErrorKind::Broken). Running
    /// tasks finish. Waiting tasks and later submits fail with an error that contains the panic or the `Err`. Every
    /// other return value is dropped. For an error that serde does not know, such as [`std::io::Error`], use
    /// [`try_initializer`](ThreadPoolBuilder::try_initializer).
    ///
    /// Python's counterparts are `initializer`, `initargs` and `BrokenThreadPool`.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use std::cell::Cell;
    /// use concurrent_futures::{Executor, ThreadPoolExecutor};
    ///
    /// thread_local!(static SEED: Cell<u64> = const { Cell::new(0) });
    /// let pool = ThreadPoolExecutor::builder().max_workers(2).initializer(|seed| SEED.set(seed), 7u64).build()?;
    /// assert_eq!(pool.submit(|()| SEED.get(), ())?.result(None)?, 7);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn initializer<F, A, R, K>(self, function: F, args: A) -> ThreadPoolBuilder
    where
        F: Function<A, R>,
        A: Payload + Clone,
        R: Returned<K>,
        K: 'static,
    {
        self.judged_initializer(function, args, R::failure)
    }

    /// Sets a function as [`initializer`](ThreadPoolBuilder::initializer) does, whose error only needs a text.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{ErrorKind, Executor, ThreadPoolExecutor};
    ///
    /// fn open(path: String) -> std::io::Result<()> {
    ///     std::fs::File::open(path).map(drop)
    /// }
    /// let pool = ThreadPoolExecutor::builder().try_initializer(open, "no such file".to_string()).build()?;
    /// let error = pool.submit(|n: u64| n, 1).and_then(|future| future.result(None)).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Broken);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn try_initializer<F, A, E>(self, function: F, args: A) -> ThreadPoolBuilder
    where
        F: Function<A, Result<(), E>>,
        A: Payload + Clone,
        E: fmt::Display + 'static,
    {
        self.judged_initializer(function, args, Displayed::failure)
    }

    /// Sets an initializer, whose result `failure` judges.
    fn judged_initializer<F, A, R>(
        mut self,
        function: F,
        args: A,
        failure: impl Fn(&R) -> Option<Error> + Copy + Send + 'static,
    ) -> ThreadPoolBuilder
    where
        F: Function<A, R>,
        A: Payload + Clone,
    {
        self.initializer = Some(Box::new(move || {
            let args = args.clone();
            Box::new(move || failure(&function(args)).map_or(Ok(()), Err))
        }));
        self
    }

    /// Makes the pool and starts all its threads, or those that
    /// [`min_workers`](ThreadPoolBuilder::min_workers) asks for.
    ///
    /// If the system refuses some of the threads, the pool works with the others;
    /// [`max_workers`](executor_core::Backend::max_workers) returns their number.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](ErrorKind::InvalidArgument) if a number is zero, if there are too many workers, or if the
    ///   name contains a zero byte.
    /// - [`Other`](ErrorKind::Other), with the cause, if the system refuses all threads.
    ///
    /// ```
    /// # mod concurrent_futures { pub use {executor_core::*, thread_pool::*}; }
    /// use concurrent_futures::{ErrorKind, ThreadPoolExecutor};
    ///
    /// let error = ThreadPoolExecutor::builder().max_workers(0).build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    /// ```
    pub fn build(self) -> Result<ThreadPoolExecutor, Error> {
        let workers = self.max_workers.unwrap_or_else(num_cpus::get);
        self.check(workers)?;
        let name = self.name_prefix.unwrap_or_else(default_name);

        let kept = self.min_workers.map(|least| (least, self.idle_timeout.unwrap_or(IDLE_TIMEOUT)));
        let width = Width { most: workers, kept };
        let planned = width.least();
        let first_run = || self.initializer.as_ref().map(|make| initializer::task(make()));
        let initializers: Vec<_> = (0..planned).map(|_| first_run()).collect();
        let initializer = self.initializer.map(Initializer::new);
        let pool = Pool::new(name.as_str().into(), width, self.stack_size, self.queue_capacity, initializer);

        let mut starter = pool.threads.starter();
        for (started, initializer) in initializers.into_iter().enumerate() {
            let Err(cause) = pool.start_thread(&mut starter, initializer, false) else { continue };
            pool.make_do_with(started, planned);
            if started == 0 {
                return Err(Error::new(
                    ErrorKind::Other,
                    format!(
                        "{name}: the system refused to start a thread: {cause}; \
                         see `ulimit -u` and the container's pids limit"
                    ),
                ));
            }
            break;
        }
        drop(starter);
        Ok(ThreadPoolExecutor::of(pool))
    }

    fn check(&self, workers: usize) -> Result<(), Error> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidArgument, message));
        if workers == 0 {
            return invalid("max_workers must be greater than 0: leave it out for one per processor".into());
        }
        if workers > MAX_WORKERS {
            return invalid(format!("max_workers must be at most {MAX_WORKERS}, not {workers}"));
        }
        if self.min_workers == Some(0) {
            return invalid(
                "min_workers must be greater than 0: a task must find a thread even if no other can be started".into(),
            );
        }
        if let Some(least) = self.min_workers.filter(|least| *least > workers) {
            return invalid(format!("min_workers must be at most max_workers, which is {workers}, and not {least}"));
        }
        if self.idle_timeout.is_some() && self.min_workers.is_none() {
            return invalid("idle_timeout has no effect without min_workers: set both, or none".into());
        }
        if self.queue_capacity == Some(0) {
            return invalid("queue_capacity must be greater than 0: leave it out for no bound".into());
        }
        if self.name_prefix.as_ref().is_some_and(|prefix| prefix.contains('\0')) {
            return invalid(
                "name_prefix must not contain a zero byte: the system does not allow it in thread names".into(),
            );
        }
        Ok(())
    }
}

/// Returns the default name of the next pool. As in Python, pools are numbered from 0.
fn default_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // ORDERING: the numbers only have to be different.
    format!("ThreadPoolExecutor-{}", NEXT.fetch_add(1, Relaxed))
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("max_workers", &self.max_workers)
            .field("min_workers", &self.min_workers)
            .field("idle_timeout", &self.idle_timeout)
            .field("name_prefix", &self.name_prefix)
            .field("queue_capacity", &self.queue_capacity)
            .field("stack_size", &self.stack_size)
            .field("initializer", &self.initializer.is_some())
            .finish()
    }
}
