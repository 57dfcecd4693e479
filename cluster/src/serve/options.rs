//! The options of an agent.

use std::time::Duration;

use executor_core::{CancellationToken, Function, Payload};
use process_pool::{ProcessPoolBuilder, ProcessPoolExecutor};

use crate::{
    address::Address,
    agent::Timing,
    credentials::credential_setters,
    defaults::{POOL, START_TIMEOUT},
};

/// How an agent runs tasks: the options of [`serve`](crate::serve).
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster; pub use executor_core::*; }
/// use std::time::Duration;
/// use concurrent_futures::cluster::{ServeOptions, serve};
///
/// let options = ServeOptions::new("nats://10.0.0.1:4222")
///     .pool("train")
///     .slots(8)
///     .memory_limit(4 << 30)
///     .drain_timeout(Duration::from_secs(25));
/// serve(options)?;
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[must_use = "options do nothing before `serve`"]
#[derive(Debug)]
pub struct ServeOptions {
    pub(super) address: Address,
    pub(super) pool: String,
    pub(super) slots: Option<usize>,
    pub(super) workers: ProcessPoolBuilder,
    pub(super) drain_timeout: Option<Duration>,
    pub(super) start_timeout: Duration,
    pub(super) timing: Timing,
    pub(super) stop: Option<CancellationToken>,
}

impl ServeOptions {
    /// An agent of the pool `default`, on the cluster that has this server, with one slot for each processor.
    pub fn new(url: impl Into<String>) -> ServeOptions {
        ServeOptions {
            address: Address::new(url),
            pool: POOL.into(),
            slots: None,
            workers: ProcessPoolExecutor::builder(),
            drain_timeout: None,
            start_timeout: START_TIMEOUT,
            timing: Timing::default(),
            stop: None,
        }
    }

    /// Adds another server of the same cluster of NATS, for when the first one is away.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.address.servers.push(url.into());
        self
    }

    /// Sets the pool whose tasks it runs, by default `default`.
    pub fn pool(mut self, name: impl Into<String>) -> Self {
        self.pool = name.into();
        self
    }

    credential_setters!();

    /// Sets how many tasks run at the same time, each in a worker process of its own.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = Some(slots);
        self
    }

    /// Limits the memory of each task, as [`ProcessPoolBuilder::memory_limit`] does.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.workers = self.workers.memory_limit(bytes);
        self
    }

    /// Limits how long a task may run that has no limit of its own, as [`ProcessPoolBuilder::time_limit`] does.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.workers = self.workers.time_limit(limit);
        self
    }

    /// Replaces a worker process after this many tasks, as [`ProcessPoolBuilder::max_tasks_per_worker`] does.
    pub fn max_tasks_per_worker(mut self, tasks: usize) -> Self {
        self.workers = self.workers.max_tasks_per_worker(tasks);
        self
    }

    /// Sets a function that each worker process calls at its start, as [`ProcessPoolBuilder::initializer`] does.
    pub fn initializer<F, A, R>(mut self, function: F, args: A) -> Self
    where
        F: Function<A, R>,
        A: Payload,
        R: Payload,
    {
        self.workers = self.workers.initializer(function, args);
        self
    }

    /// Sets all other options of the worker processes, such as their sandbox and their environment.
    ///
    /// ```no_run
    /// # mod concurrent_futures { pub use cluster; pub use {executor_core::*, process_pool::*}; }
    /// use concurrent_futures::{Sandbox, cluster::{ServeOptions, serve}};
    ///
    /// serve(ServeOptions::new("nats://10.0.0.1:4222").workers(|pool| pool.sandbox(Sandbox::compute()).nice(10)))?;
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn workers(mut self, configure: impl FnOnce(ProcessPoolBuilder) -> ProcessPoolBuilder) -> Self {
        self.workers = configure(self.workers);
        self
    }

    /// Sets how long tasks may go on running once the agent was told to end. What runs after that is stopped, and its
    /// future fails with [`Terminated`](executor_core::ErrorKind::Terminated). By default they run to their ends.
    pub fn drain_timeout(mut self, time: Duration) -> Self {
        self.drain_timeout = Some(time);
        self
    }

    /// Sets how long to wait for a server at the start, by default a minute. An agent that has been connected once
    /// waits for as long as it takes.
    pub fn start_timeout(mut self, time: Duration) -> Self {
        self.start_timeout = time;
        self
    }

    /// Sets for how long a client may be gone before its queued tasks are dropped, by default half a minute.
    pub fn client_grace(mut self, time: Duration) -> Self {
        self.timing.client_grace = time;
        self
    }

    /// Tells the agent to end when this token is cancelled, besides by signals.
    pub fn stop_when(mut self, token: CancellationToken) -> Self {
        self.stop = Some(token);
        self
    }
}
