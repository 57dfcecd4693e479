//! What a task can learn about itself.

use std::{
    borrow::Cow,
    cell::RefCell,
    fmt,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    TaskId,
    cell::TaskRef,
    current::{Running, look, run_as},
};
use crate::{catch, host::HostId, sync::thread_local};

/// The task that the calling code runs in: see [`current`].
#[derive(Clone)]
pub struct Context {
    task: Known,
    worker: Arc<str>,
    /// The flag that asks all tasks of this worker's back-end to stop.
    stop_all: Option<Arc<AtomicBool>>,
}

/// What a thread is a worker of.
struct Worker {
    name: Arc<str>,
    host: HostId,
    stop_all: Option<Arc<AtomicBool>>,
}

/// As [`Running`], to be kept.
#[derive(Clone)]
enum Known {
    Here(TaskRef),
    Remote(Arc<Remote>),
}

/// What a worker process knows of the task it runs. For authors of back-ends.
pub struct Remote {
    /// The id in the process that submitted it.
    pub id: TaskId,
    /// Its name.
    pub name: Cow<'static, str>,
    /// Which attempt this is, from 1 on.
    pub attempt: u32,
    /// Answers whether the task with this number was asked to stop.
    pub stop: Arc<dyn Fn(u64) -> bool + Send + Sync>,
    /// The number of this task.
    pub number: u64,
}

impl Remote {
    /// Whether it was asked to stop.
    pub fn is_asked_to_stop(&self) -> bool {
        (self.stop)(self.number)
    }
}

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// The task that the calling code runs in, or None outside of one.
///
/// Threads that a task starts by itself are outside.
///
/// ```
/// use executor_core::{Executor, InlineExecutor, task};
/// assert!(task::current().is_none());
/// let future = InlineExecutor::new().submit(|()| task::current().unwrap().attempt(), ())?;
/// assert_eq!(future.result(None)?, 1);
/// # Ok::<(), executor_core::Error>(())
/// ```
pub fn current() -> Option<Context> {
    let task = look(|running| match running {
        Running::Here(task) => Known::Here(task.clone()),
        Running::Remote(remote) => Known::Remote(remote.clone()),
    })?;
    Some(Context { task, worker: worker_name(), stop_all: stop_all() })
}

impl Context {
    /// The id that the task's future has.
    pub fn id(&self) -> TaskId {
        match &self.task {
            Known::Here(task) => task.id,
            Known::Remote(remote) => remote.id,
        }
    }

    /// The name given in [`TaskOptions`](crate::TaskOptions::name), or the function's path.
    pub fn name(&self) -> &str {
        match &self.task {
            Known::Here(task) => task.name(),
            Known::Remote(remote) => &remote.name,
        }
    }

    /// The name of the worker that runs it.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// 1 the first time, one more after each death of a worker under it. See
    /// [`TaskOptions::retries`](crate::TaskOptions::retries).
    pub fn attempt(&self) -> u32 {
        match &self.task {
            Known::Here(_) => 1,
            Known::Remote(remote) => remote.attempt,
        }
    }

    /// Whether the task was asked to stop, by `Future::terminate` or `Shutdown::Terminate`. A task on threads that
    /// looks here from time to time can be stopped; one that does not cannot.
    ///
    /// ```
    /// # use executor_core::{Executor, InlineExecutor, task};
    /// fn count(most: u64) -> u64 {
    ///     let stopped = || task::current().is_some_and(|context| context.is_cancelled());
    ///     (0..most).take_while(|_| !stopped()).count() as u64
    /// }
    /// assert_eq!(InlineExecutor::new().submit(count, 5)?.result(None)?, 5);
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        match &self.task {
            Known::Here(task) => task.state.snapshot().is_asked_to_stop() || is_set(&self.stop_all),
            Known::Remote(remote) => remote.is_asked_to_stop(),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("worker", &self.worker())
            .field("attempt", &self.attempt())
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes the calling thread a worker: its tasks show this name, and wait as members of this host (see
/// [`Future::result`](crate::Future::result) on waiting inside a task). For authors of back-ends.
pub fn enter_worker(name: impl Into<Arc<str>>, host: HostId) -> WorkerGuard {
    // A task of the outer host that goes on through another executor in between is still asked to stop with the rest.
    let stop_all = if host == worker_host() { stop_all() } else { None };
    enter(Worker { name: name.into(), host, stop_all })
}

/// As [`enter_worker`], with a flag that asks whatever runs on the host's workers to stop: it shows in
/// [`Context::is_cancelled`]. It spares a back-end the list of what runs.
pub fn enter_stoppable_worker(name: impl Into<Arc<str>>, host: HostId, stop_all: Arc<AtomicBool>) -> WorkerGuard {
    enter(Worker { name: name.into(), host, stop_all: Some(stop_all) })
}

fn enter(worker: Worker) -> WorkerGuard {
    let before = WORKER.try_with(|current| current.replace(Some(worker))).ok().flatten();
    WorkerGuard { before, not_send: PhantomData }
}

/// Ends what [`enter_worker`] began, when it is dropped.
#[must_use = "the thread is a worker only as long as this lives"]
pub struct WorkerGuard {
    before: Option<Worker>,
    /// It puts back what this very thread was, so it stays on it.
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

/// Runs code as a task that another process submitted. For authors of back-ends.
pub fn run_remote<R>(remote: Arc<Remote>, code: impl FnOnce() -> R) -> R {
    catch::chain_hook_here();
    run_as(Running::Remote(&remote), code)
}

/// The name of the current worker: the one it entered with, or the thread's own.
pub(crate) fn worker_name() -> Arc<str> {
    let entered = WORKER.try_with(|worker| worker.borrow().as_ref().map(|worker| worker.name.clone())).ok().flatten();
    entered.unwrap_or_else(|| std::thread::current().name().unwrap_or("an unnamed thread").into())
}

/// The host whose worker the calling thread is. For authors of back-ends.
pub fn worker_host() -> HostId {
    WORKER.try_with(|worker| worker.borrow().as_ref().map_or(HostId::NONE, |worker| worker.host)).unwrap_or_default()
}

/// Whether the calling thread is a worker of any back-end.
pub(crate) fn is_worker() -> bool {
    WORKER.try_with(|worker| worker.borrow().is_some()).unwrap_or(false)
}

/// The flag that asks all tasks of the current worker's back-end to stop.
fn stop_all() -> Option<Arc<AtomicBool>> {
    WORKER.try_with(|worker| worker.borrow().as_ref()?.stop_all.clone()).ok()?
}

#[inline]
fn is_set(flag: &Option<Arc<AtomicBool>>) -> bool {
    // ORDERING: the flag stands for itself.
    flag.as_ref().is_some_and(|flag| flag.load(Relaxed))
}

/// The name of the current task, for the errors of code that runs in it.
pub(crate) fn current_name() -> String {
    current().map_or_else(|| "unknown".to_string(), |context| context.name().to_string())
}
