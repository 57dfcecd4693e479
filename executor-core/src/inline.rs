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
/// Python has no counterpart.
///
/// ```
/// use executor_core::{Executor, InlineExecutor};
/// let executor = InlineExecutor::new();
/// let future = executor.submit(|n: u64| n + 1, 1)?;
/// assert!(future.done());
/// # Ok::<(), executor_core::Error>(())
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
        nesting::deeper(|| task.run());
        Ok(())
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
