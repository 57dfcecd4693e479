//! A token that stops several tasks together.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::*},
    },
};

use crate::{
    AsFuture, TaskId,
    sync::Mutex,
    task::{cell::TaskRef, queued, waiter::Waiter},
};

/// Stops several tasks together, on any executors. Clones are the same token.
///
/// [`attach`](CancellationToken::attach) adds a task. [`cancel`](CancellationToken::cancel) cancels the tasks that have
/// not started, and asks those that run to stop. They look at that with
/// [`Context::is_cancelled`](crate::task::Context::is_cancelled), in worker processes too. Closures that capture a
/// clone, and all other code of this program, can look at the token itself.
///
/// The token itself cannot be an argument of [`submit`](crate::Executor::submit), because another process does not see
/// this one's memory. A task that belongs to it need not have it. If processes must look at a flag without being its
/// tasks, use `Event` of `concurrent_futures::multiprocessing`, which they share. Python's counterpart is a
/// `threading.Event` that all tasks check.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{CancellationToken, Error, ErrorKind, Executor, InlineExecutor, promise, task};
///
/// /// Stops between two steps if it was asked to.
/// fn search(most: u64) -> u64 {
///     let context = task::current().unwrap();
///     (0..most).take_while(|_| !context.is_cancelled()).count() as u64
/// }
/// let token = CancellationToken::new();
/// let future = InlineExecutor::new().submit(search, 10)?;
/// token.attach(&future);
/// assert_eq!(future.result(None)?, 10);
///
/// let (_promise, waiting) = promise::<u64>();
/// token.attach(&waiting);
/// token.cancel();
/// assert_eq!(waiting.result(None).unwrap_err().kind(), ErrorKind::Cancelled);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Default)]
pub struct CancellationToken {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// It is set under the lock of `tasks`, so that a task is either in the list or sees it.
    cancelled: AtomicBool,
    /// The attached tasks that are not done.
    tasks: Mutex<HashMap<TaskId, TaskRef>>,
}

impl CancellationToken {
    /// Makes a token that is not cancelled and has no tasks.
    pub fn new() -> CancellationToken {
        CancellationToken::default()
    }

    /// Adds a task. If the token was cancelled before, the task is stopped immediately. The token keeps the task only
    /// until it is done.
    pub fn attach(&self, future: &(impl AsFuture<Output: Send + 'static> + ?Sized)) {
        let task = future.as_future().task();
        let mut tasks = self.shared.tasks.lock();
        // ORDERING: the lock orders this.
        if self.shared.cancelled.load(Relaxed) {
            drop(tasks);
            return queued::stop(task);
        }
        tasks.insert(task.id, task.clone());
        drop(tasks);
        let shared = Arc::downgrade(&self.shared);
        let forget = Waiter::Callback(Box::new(move |task| Shared::forget(&shared, task)));
        if let Err(Waiter::Callback(done)) = task.waiters().add(task, forget) {
            done(task);
        }
    }

    /// Cancels the attached tasks that have not started, and asks those that run to stop. The callbacks of cancelled
    /// tasks run in this thread. Tasks that are attached later are stopped immediately. A second call does nothing.
    ///
    /// To stop a running task by force, call [`Future::terminate`](crate::Future::terminate).
    pub fn cancel(&self) {
        let mut tasks = self.shared.tasks.lock();
        // ORDERING: Release pairs with the Acquire of `is_cancelled`: a thread that sees the flag sees what happened
        // before this call.
        self.shared.cancelled.store(true, Release);
        let stopped = std::mem::take(&mut *tasks);
        drop(tasks);
        // Stopping a task runs its callbacks, so it happens outside of the lock.
        stopped.values().for_each(queued::stop);
    }

    /// Returns whether [`cancel`](CancellationToken::cancel) was called.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::CancellationToken;
    /// let token = CancellationToken::new();
    /// let clone = token.clone();
    /// assert!(!clone.is_cancelled());
    /// token.cancel();
    /// assert!(clone.is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        // ORDERING: pairs with the Release of `cancel`.
        self.shared.cancelled.load(Acquire)
    }
}

impl Shared {
    /// Removes a task that is done.
    fn forget(shared: &Weak<Shared>, task: &TaskRef) {
        let Some(shared) = shared.upgrade() else { return };
        let removed = shared.tasks.lock().remove(&task.id);
        drop(removed);
    }
}

/// Tokens are equal if they are clones of each other.
impl PartialEq for CancellationToken {
    fn eq(&self, other: &CancellationToken) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for CancellationToken {}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = self.shared.tasks.lock().len();
        f.debug_struct("CancellationToken").field("cancelled", &self.is_cancelled()).field("tasks", &tasks).finish()
    }
}
