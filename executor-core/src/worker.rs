//! The calling thread as a worker: its name, its host, and the flag that asks its tasks to stop.

use std::{
    cell::RefCell,
    fmt,
    marker::PhantomData,
    sync::{Arc, atomic::AtomicBool},
};

use crate::host::HostId;

/// The identity of a thread as a worker.
struct Worker {
    name: Arc<str>,
    host: HostId,
    stop_all: Option<Arc<AtomicBool>>,
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Makes the calling thread a worker until the guard is dropped. Its tasks see this name, and run awaited tasks of this
/// host inline (see [`Future::result`](crate::Future::result)). This is for authors of back-ends.
pub fn enter_worker(name: impl Into<Arc<str>>, host: HostId) -> WorkerGuard {
    // A thread that is a worker of this host already keeps the host's flag. So the flag also stops tasks that such a
    // worker runs through another executor.
    let stop_all = if host == worker_host() { stop_flag() } else { None };
    enter(Worker { name: name.into(), host, stop_all })
}

/// Makes the calling thread a worker as [`enter_worker`] does, with a flag that asks every task on the host's workers
/// to stop. [`Context::is_cancelled`](crate::task::Context::is_cancelled) reports the flag, so the back-end needs no
/// list of running tasks.
pub fn enter_stoppable_worker(name: impl Into<Arc<str>>, host: HostId, stop_all: Arc<AtomicBool>) -> WorkerGuard {
    enter(Worker { name: name.into(), host, stop_all: Some(stop_all) })
}

fn enter(worker: Worker) -> WorkerGuard {
    let before = WORKER.try_with(|current| current.replace(Some(worker))).ok().flatten();
    WorkerGuard { before, not_send: PhantomData }
}

/// Restores the thread's former identity when it is dropped.
#[must_use = "the thread is a worker only as long as this lives"]
pub struct WorkerGuard {
    before: Option<Worker>,
    /// The guard restores a thread-local value, so it must be dropped on the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl Drop for WorkerGuard {
    fn drop(&mut self) {
        let _ = WORKER.try_with(|worker| worker.replace(self.before.take()));
    }
}

impl fmt::Debug for WorkerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerGuard")
    }
}

/// Returns the host whose worker the calling thread is, or [`HostId::NONE`]. This is for authors of back-ends.
pub fn worker_host() -> HostId {
    WORKER.try_with(|worker| worker.borrow().as_ref().map_or(HostId::NONE, |worker| worker.host)).unwrap_or_default()
}

/// Returns the name that the calling thread entered with, or else the thread's own name.
pub(crate) fn worker_name() -> Arc<str> {
    let entered = WORKER.try_with(|worker| worker.borrow().as_ref().map(|worker| worker.name.clone())).ok().flatten();
    entered.unwrap_or_else(|| std::thread::current().name().unwrap_or("an unnamed thread").into())
}

/// Returns whether the calling thread is a worker of any back-end.
pub(crate) fn is_worker() -> bool {
    WORKER.try_with(|worker| worker.borrow().is_some()).unwrap_or(false)
}

/// Returns the flag that asks every task of the calling worker's host to stop.
pub(crate) fn stop_flag() -> Option<Arc<AtomicBool>> {
    WORKER.try_with(|worker| worker.borrow().as_ref()?.stop_all.clone()).ok()?
}
