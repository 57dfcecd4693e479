//! The executor that runs everything in the calling thread.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering::*},
    },
    time::Duration,
};

use crate::{
    Backend, Error, Shutdown, Task,
    nesting::{self, StackLeft},
    worker::{enter_worker, worker_host},
};

/// Runs each task in the thread that submits it, before `submit` returns.
///
/// Use it for debugging and for tests, and as the reference for what the other executors return. It starts no thread,
/// so it enforces no time limit, and a task that crashes ends the program. If a task submits another one, that runs on
/// top of it. When little of the stack is left, `submit` returns [`InvalidState`](crate::ErrorKind::InvalidState).
/// [`encoding`](InlineExecutor::encoding) makes one for the tests of programs that run their tasks in processes.
/// Python has no counterpart.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor};
/// let executor = InlineExecutor::new();
/// let future = executor.submit(|n: u64| n + 1, 1)?;
/// assert!(future.done());
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct InlineExecutor {
    handle: Handle,
}

impl InlineExecutor {
    /// Makes an executor that runs everything in the calling thread.
    pub fn new() -> InlineExecutor {
        InlineExecutor::default()
    }

    /// Makes an executor that runs everything in the calling thread, and encodes and decodes each argument and each
    /// result, as a process pool does.
    ///
    /// Use it for the ordinary tests of a program that runs its tasks in processes. A value that would not arrive there
    /// is the same error here, with the same [`Encode`](crate::ErrorKind::Encode) from `submit` or
    /// [`Decode`](crate::ErrorKind::Decode) from the future, and no test starts a process. It does not show what a
    /// worker process lacks: here tasks still see the statics of this process.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{ErrorKind, Executor, InlineExecutor};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Job {
    ///     // A job that is sent without it arrives with another value than it had.
    ///     #[serde(skip_serializing_if = "is_zero", default = "seven")]
    ///     retries: u32,
    /// }
    /// fn is_zero(n: &u32) -> bool {
    ///     *n == 0
    /// }
    /// fn seven() -> u32 {
    ///     7
    /// }
    /// let run = |job: Job| job.retries;
    ///
    /// // Without a process this goes unnoticed.
    /// assert_eq!(InlineExecutor::new().submit(run, Job { retries: 0 })?.result(None)?, 0);
    /// // This executor fails as a process pool does.
    /// let error = InlineExecutor::encoding().submit(run, Job { retries: 0 })?.result(None).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Decode);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    pub fn encoding() -> InlineExecutor {
        InlineExecutor { handle: Handle { encodes: true, ..Handle::default() } }
    }
}

impl Drop for InlineExecutor {
    fn drop(&mut self) {
        self.close(Shutdown::Drain);
    }
}

impl Backend for InlineExecutor {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        self.handle.schedule(task)
    }

    fn close(&self, mode: Shutdown) {
        self.handle.close(mode);
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        self.handle.join(timeout)
    }

    fn max_workers(&self) -> usize {
        self.handle.max_workers()
    }

    fn handle(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(self.handle.clone()))
    }
}

/// Submits tasks even after the borrow of the executor has ended. Unlike the executor, it closes nothing when it is
/// dropped.
#[derive(Clone, Debug, Default)]
struct Handle {
    closed: Arc<AtomicBool>,
    /// Whether tasks run on encoded arguments.
    encodes: bool,
}

impl Backend for Handle {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        // ORDERING: the flag publishes no other memory, because no task is ever queued.
        if self.closed.load(Relaxed) {
            return Err(Error::shut_down("inline executor"));
        }
        if nesting::stack_left() == StackLeft::Little {
            return Err(task.nested_too_deep());
        }
        // A worker of another executor stays one, so that tasks of that executor can wait for each other through this
        // executor.
        static NAME: LazyLock<Arc<str>> = LazyLock::new(|| "inline".into());
        let _worker = enter_worker(NAME.clone(), worker_host());
        nesting::deeper(|| {
            if self.encodes {
                return task.run_encoded();
            }
            task.run();
            Ok(())
        })
    }

    fn close(&self, _: Shutdown) {
        // ORDERING: as in `schedule`.
        self.closed.store(true, Relaxed);
    }

    fn join(&self, _: Option<Duration>) -> bool {
        true
    }

    fn max_workers(&self) -> usize {
        1
    }
}
