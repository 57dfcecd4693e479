//! The executor, which is the client of a cluster.

mod callbacks;
mod core;
pub(crate) mod events;
mod message;
mod options;
mod room;
mod stats;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use executor_core::{Backend, Error, Shutdown, Task, deadline, host};

use self::core::Core;
pub use self::{events::ClientEvents, options::ExecutorOptions, stats::Stats};
use crate::{
    client::Counts,
    link::ClientLink,
    nats::{ClientLimits, ClientSide, Unattached},
    wire::Peer,
    worker_info::WorkerInfo,
};

/// An executor whose tasks run on the agents of other machines.
///
/// The agents are processes of this very program, on any number of machines: see [`init`](crate::init) and
/// [`serve`](crate::serve). Between them and this process are servers of NATS with JetStream, which queue the tasks.
/// [`local`](ClusterExecutor::local) starts both on this machine, for first steps and tests.
///
/// Dropping it waits for its tasks, as it does for every executor. Everything that a
/// [`ProcessPoolExecutor`](process_pool::ProcessPoolExecutor) promises holds, with these differences:
///
/// - Priorities order what this executor has not published yet and what one agent has, and nothing more.
/// - Tasks start in the order in which they were submitted only as long as there is one slot and no failure.
/// - A task that waits for another one blocks its slot.
/// - Arguments that have handles cannot travel to another machine, and are refused.
/// - A machine that is lost, or cut off for longer than [`grace`](crate::ClusterBuilder::grace), costs the tasks that
///   run there an attempt: [`WorkerDied`](executor_core::ErrorKind::WorkerDied), or another attempt if the task has
///   [retries](executor_core::TaskOptions::retries).
/// - Dropping it while the servers are away waits for them no longer than
///   [`unavailable_after`](crate::ClusterBuilder::unavailable_after). The tasks that it still has fail then.
/// - A task for which no agent of this build appears fails with
///   [`NoWorkers`](executor_core::ErrorKind::NoWorkers), and submitting fails with
///   [`Unavailable`](executor_core::ErrorKind::Unavailable) while the servers are away for too long.
///
/// Python's standard library has no counterpart; `dask.distributed.Client` and `mpi4py.futures` are the nearest.
///
/// ```no_run
/// # mod concurrent_futures { pub use cluster::ClusterExecutor; pub use executor_core::*; }
/// use concurrent_futures::{ClusterExecutor, Error, Executor};
///
/// fn main() -> Result<(), Error> {
///     let cluster = ClusterExecutor::connect("nats://10.0.0.1:4222")?;
///     let squares = cluster.map(|n: u64| n * n, 0..1000)?;
///     println!("{}", squares.sum::<Result<u64, Error>>()?);
///     Ok(())
/// }
/// ```
///
/// # Another transport
///
/// The executor works [over](ClusterExecutor::over) any transport:
///
/// ```
/// use std::sync::Arc;
/// use cluster::{ClientLink, ClusterExecutor, ExecutorOptions, wire::Peer};
/// use executor_core::{Executor, TaskId};
///
/// /// There is no engine: tasks stay queued.
/// struct Offline;
/// impl ClientLink for Offline {
///     fn publish(&self, _: TaskId, _: Arc<Vec<u8>>) {}
///     fn send(&self, _: &Peer, _: Vec<u8>) {}
///     fn count(&self, _: u64) {}
///     fn close(&self) {}
/// }
/// let executor = ClusterExecutor::over(Peer::new("ada", "c1")?, Offline, ExecutorOptions::default())?;
/// let future = executor.submit(|n: u64| n + 1, 41)?;
/// assert_eq!(executor.counts().queued, 1);
/// assert!(future.cancel());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ClusterExecutor {
    core: Arc<Core>,
    /// `None` over another transport.
    side: Option<ClientSide>,
    _registration: host::Registration,
}

impl ClusterExecutor {
    /// Makes an executor over a transport. `me` is the name under which agents answer it; no two processes may have the
    /// same. It is connected once the transport [says so](ClientEvents::connection).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`](executor_core::ErrorKind::Other) if a thread cannot be started.
    pub fn over(me: Peer, link: impl ClientLink, options: ExecutorOptions) -> Result<ClusterExecutor, Error> {
        let core = Core::start(me, Arc::new(link), options)?;
        let host: Arc<dyn host::Host> = core.clone();
        let registration = host::register(Arc::downgrade(&host));
        core.set_host(registration.id());
        Ok(ClusterExecutor { core, side: None, _registration: registration })
    }

    /// Makes an executor over a connection.
    pub(crate) fn connected(
        unattached: Unattached,
        options: ExecutorOptions,
        limits: ClientLimits,
    ) -> Result<ClusterExecutor, Error> {
        let side = unattached.side();
        let mut executor = ClusterExecutor::over(side.me().clone(), side.clone(), options)?;
        unattached.attach(executor.events(), limits);
        executor.side = Some(side);
        Ok(executor)
    }

    /// Returns the agents of the pool, of any build. They are asked, which takes a few tenths of a second; agents that
    /// do not answer by then are missing.
    ///
    /// ```no_run
    /// # mod concurrent_futures { pub use cluster::ClusterExecutor; pub use executor_core::*; }
    /// # use concurrent_futures::ClusterExecutor;
    /// # let cluster = ClusterExecutor::connect("nats://10.0.0.1:4222")?;
    /// for worker in cluster.workers() {
    ///     println!("{} ({}): {} of {} slots", worker.host(), worker.pid(), worker.running(), worker.slots());
    /// }
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.side.as_ref().map(ClientSide::workers).unwrap_or_default()
    }

    /// Returns how many tasks it has, and how many have ended.
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Returns the other side of the transport.
    pub fn events(&self) -> ClientEvents {
        ClientEvents::new(self.core.clone())
    }

    /// Returns how many tasks are queued and how many have started.
    pub fn counts(&self) -> Counts {
        self.core.counts()
    }
}

/// Submits after the borrow of the executor has ended.
struct Handle(Arc<Core>);

impl Backend for Handle {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.0.schedule(task)
    }
    fn close(&self, mode: Shutdown) {
        self.0.close(mode);
    }
    fn join(&self, timeout: Option<Duration>) -> bool {
        self.0.join(deadline::after(timeout))
    }
    fn max_workers(&self) -> usize {
        self.0.max_workers()
    }
    fn handle(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(Handle(self.0.clone())))
    }
    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_room(task, context)
    }
    fn give_up_room(&self, task: &Task) {
        self.0.give_up_room(task);
    }
}

impl Backend for ClusterExecutor {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.core.schedule(task)
    }
    fn close(&self, mode: Shutdown) {
        self.core.close(mode);
    }
    fn join(&self, timeout: Option<Duration>) -> bool {
        self.core.join(deadline::after(timeout))
    }
    fn max_workers(&self) -> usize {
        self.core.max_workers()
    }
    fn handle(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(Handle(self.core.clone())))
    }
    fn poll_room(&self, task: &Task, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.core.poll_room(task, context)
    }
    fn give_up_room(&self, task: &Task) {
        self.core.give_up_room(task);
    }
}

impl Drop for ClusterExecutor {
    fn drop(&mut self) {
        self.core.close(Shutdown::Drain);
        self.core.join(None);
    }
}

impl fmt::Debug for ClusterExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClusterExecutor");
        if let Some(side) = &self.side {
            shown.field("pool", &side.names().pool()).field("build", &side.names().build()).field("name", side.me());
            // `None` after the end.
            if let Some(status) = side.status() {
                shown.field("is_connected", &status.is_connected).field("trouble", &status.trouble);
            }
        }
        shown.field("max_workers", &self.core.max_workers()).field("stats", &self.core.stats()).finish()
    }
}
