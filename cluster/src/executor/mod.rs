//! The executor, which is the client of a cluster.

mod callbacks;
mod core;
mod options;
mod room;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use executor_core::{Backend, Error, Shutdown, Task, TaskId, deadline, host};

use self::core::Core;
pub use self::options::ExecutorOptions;
use crate::{
    client::Counts,
    link::ClientLink,
    wire::{Malformed, Peer, ToClient, unpack},
};

/// An executor whose tasks run on the agents of other machines.
///
/// This crate has no transport yet, so it is made [over](ClusterExecutor::over) one that the caller implements.
/// Dropping it waits for its tasks, as it does for every executor.
///
/// Priorities order what one agent has, and nothing more. A task that waits for another one blocks its slot. Arguments
/// that have handles cannot travel to another machine, and are refused.
///
/// Python has no counterpart.
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
    _registration: host::Registration,
}

/// What a transport tells an executor. A clone stands for the same executor, and does not keep it open.
#[derive(Clone)]
pub struct ClientEvents(Arc<Core>);

impl ClusterExecutor {
    /// Makes an executor over a transport. `me` is the name under which agents answer it; no two processes may have the
    /// same. It is connected once the transport [says so](ClientEvents::connection).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`](executor_core::ErrorKind::Other) if a thread cannot be started.
    pub fn over(me: Peer, link: impl ClientLink, options: ExecutorOptions) -> Result<ClusterExecutor, Error> {
        let core = Core::start(me, Box::new(link), options)?;
        let host: Arc<dyn host::Host> = core.clone();
        let registration = host::register(Arc::downgrade(&host));
        core.set_host(registration.id());
        Ok(ClusterExecutor { core, _registration: registration })
    }

    /// Returns the other side of the transport.
    pub fn events(&self) -> ClientEvents {
        ClientEvents(self.core.clone())
    }

    /// Returns how many tasks are queued and how many have started.
    pub fn counts(&self) -> Counts {
        self.core.counts()
    }
}

impl ClientEvents {
    /// A frame has arrived. `from` is who has sent it, if the engine says so.
    ///
    /// # Errors
    ///
    /// If the frame is damaged, or names another sender. Then nothing of it counts.
    pub fn frame(&self, from: Option<&Peer>, bytes: &[u8]) -> Result<(), Malformed> {
        let (sender, records) = unpack::<ToClient>(bytes)?;
        if from.is_some_and(|from| *from != sender) {
            return Err(Malformed::Peer);
        }
        self.0.event(|machine| records.into_iter().for_each(|record| machine.receive(&sender, record)));
        Ok(())
    }

    /// The engine has stored a copy of a task.
    pub fn stored(&self, task: TaskId) {
        self.0.event(|machine| machine.stored(task));
    }

    /// The connection to the engine is there, or was lost.
    pub fn connection(&self, is_connected: bool) {
        self.0.event(|machine| machine.connection(is_connected));
    }

    /// The engine has answered a [`ClientLink::count`].
    pub fn counted(&self, number: u64, messages: u64) {
        self.0.event(|machine| machine.counted(number, messages));
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
        let counts = self.core.counts();
        f.debug_struct("ClusterExecutor").field("queued", &counts.queued).field("granted", &counts.granted).finish()
    }
}

impl fmt::Debug for ClientEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientEvents")
    }
}
