//! What a running task can learn about itself.

use std::{
    any::Any,
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{TaskId, cell::TaskRef};
use crate::{
    catch,
    running::{Running, run_as, with_current},
    worker::{stop_flag, worker_name},
};

/// The task that the calling code runs in. See [`current`].
#[derive(Clone)]
pub struct Context {
    task: Known,
    worker: Arc<str>,
    /// The flag that asks all tasks of this worker's back-end to stop.
    stop_all: Option<Arc<AtomicBool>>,
}

/// A reference to a running task that outlives the run.
#[derive(Clone)]
enum Known {
    /// A task of this process.
    Local(TaskRef),
    /// A task that another process submitted.
    Remote(Arc<Remote>),
}

impl Known {
    fn of(running: &dyn Running) -> Option<Known> {
        let running = running.as_any();
        let local = running.downcast_ref::<TaskRef>().map(|task| Known::Local(task.clone()));
        local.or_else(|| running.downcast_ref::<Arc<Remote>>().map(|remote| Known::Remote(remote.clone())))
    }
}

impl Running for TaskRef {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Running for Arc<Remote> {
    fn name(&self) -> &str {
        &self.name
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What a worker process knows about the task that it runs. This is for authors of back-ends.
pub struct Remote {
    /// The id in the process that submitted the task.
    pub id: TaskId,
    /// The name of the task.
    pub name: Cow<'static, str>,
    /// The number of this attempt, starting with 1.
    pub attempt: u32,
    /// Returns whether the task with this number was asked to stop.
    pub stop: Arc<dyn Fn(u64) -> bool + Send + Sync>,
    /// The number of this task, which `stop` receives.
    pub number: u64,
}

impl Remote {
    /// Returns whether the task was asked to stop.
    pub fn is_asked_to_stop(&self) -> bool {
        (self.stop)(self.number)
    }
}

/// Returns the task that the calling code runs in, or `None` outside a task.
///
/// Threads that a task starts by itself are outside the task.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor, task};
/// assert!(task::current().is_none());
/// let future = InlineExecutor::new().submit(|()| task::current().unwrap().attempt(), ())?;
/// assert_eq!(future.result(None)?, 1);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn current() -> Option<Context> {
    let task = with_current(Known::of)??;
    Some(Context { task, worker: worker_name(), stop_all: stop_flag() })
}

impl Context {
    /// Returns the id of the task, which its future has too. A task that was forwarded has the id from the process that
    /// submitted it.
    pub fn id(&self) -> TaskId {
        match &self.task {
            Known::Local(task) => task.origin().map_or(task.id, |origin| origin.task),
            Known::Remote(remote) => remote.id,
        }
    }

    /// Returns the name given in [`TaskOptions`](crate::TaskOptions::name), or else the function's path.
    pub fn name(&self) -> &str {
        match &self.task {
            Known::Local(task) => task.name(),
            Known::Remote(remote) => &remote.name,
        }
    }

    /// Returns the name of the worker that runs the task.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// Returns the number of this attempt: 1 the first time, and one more after each worker that died while running the
    /// task. See [`TaskOptions::retries`](crate::TaskOptions::retries).
    pub fn attempt(&self) -> u32 {
        match &self.task {
            Known::Local(task) => task.origin().map_or(1, |origin| origin.attempt),
            Known::Remote(remote) => remote.attempt,
        }
    }

    /// Returns whether the task was submitted by another process, so that this process is a worker.
    #[doc(hidden)]
    pub fn is_remote(&self) -> bool {
        matches!(self.task, Known::Remote(_))
    }

    /// Returns whether the task was asked to stop, by `Future::terminate` or `Shutdown::Terminate`. A task on threads
    /// only stops if it calls this from time to time and returns.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor, task};
    /// fn count(most: u64) -> u64 {
    ///     let stopped = || task::current().is_some_and(|context| context.is_cancelled());
    ///     (0..most).take_while(|_| !stopped()).count() as u64
    /// }
    /// assert_eq!(InlineExecutor::new().submit(count, 5)?.result(None)?, 5);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        match &self.task {
            Known::Local(task) => task.state.snapshot().is_asked_to_stop() || is_set(&self.stop_all),
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

/// Runs code as a task that another process submitted. This is for authors of back-ends.
#[inline]
pub fn run_remote<R>(remote: Arc<Remote>, code: impl FnOnce() -> R) -> R {
    catch::chain_hook_even_on_worker();
    run_as(&remote, code)
}

#[inline]
fn is_set(flag: &Option<Arc<AtomicBool>>) -> bool {
    // ORDERING: the flag publishes no other memory.
    flag.as_ref().is_some_and(|flag| flag.load(Relaxed))
}
