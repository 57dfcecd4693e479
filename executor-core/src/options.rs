//! What can be asked for a single task, and for a `map`.

use std::time::Duration;

use crate::{Error, ErrorKind};

/// What is asked for one task beyond its function and arguments. See
/// [`Executor::submit_with`](crate::Executor::submit_with).
///
/// ```
/// use std::time::Duration;
/// use executor_core::{Executor, InlineExecutor, TaskOptions, task};
///
/// let options = TaskOptions::new().name("parse").priority(5).time_limit(Duration::from_secs(2)).retries(1);
/// let future = InlineExecutor::new().submit_with(options, |()| task::current().unwrap().name().to_string(), ())?;
/// assert_eq!(future.result(None)?, "parse");
/// # Ok::<(), executor_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskOptions {
    pub(crate) name: Option<Box<str>>,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) priority: i32,
}

impl TaskOptions {
    /// Nothing special: named after its function, no limit, no retry, priority 0.
    #[inline]
    pub fn new() -> TaskOptions {
        TaskOptions::default()
    }

    /// The name that errors, traces and [`task::current`](crate::task::current) show. Default: the function's path.
    pub fn name(mut self, name: impl Into<String>) -> TaskOptions {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Stops the task when it has run for this long: its future fails with [`TimeLimit`](ErrorKind::TimeLimit) and its
    /// worker is free again. Only back-ends that can stop a task (processes) enforce it; it is not the time-out of a
    /// wait.
    pub fn time_limit(mut self, limit: Duration) -> TaskOptions {
        self.time_limit = Some(limit);
        self
    }

    /// How many more times the task is run when its worker *died* under it. Errors, panics and time limits are not
    /// retried. Default 0: a task that may not be run twice is not run twice.
    pub fn retries(mut self, retries: u32) -> TaskOptions {
        self.retries = retries;
        self
    }

    /// Higher starts first; equal ones start in the order of submission. Default 0. A back-end may bound how many tasks
    /// of a higher priority start before one that waits; `ThreadPoolExecutor` and `ProcessPoolExecutor` do, and say
    /// how.
    pub fn priority(mut self, priority: i32) -> TaskOptions {
        self.priority = priority;
        self
    }

    /// None where nothing was asked for, so that the usual task carries no options at all.
    #[inline]
    pub(crate) fn boxed(self) -> Option<Box<TaskOptions>> {
        (self != TaskOptions::default()).then(|| Box::new(self))
    }
}

/// How a `map` is cut, bounded and read. See [`Executor::map_with`](crate::Executor::map_with).
///
/// ```
/// use executor_core::{Executor, InlineExecutor, MapOptions};
///
/// let executor = InlineExecutor::new();
/// let options = MapOptions::new().chunksize(8).buffersize(64);
/// let squares = executor.map_with(options, |n: u64| n * n, 0u64..)?;
/// assert_eq!(squares.take(3).collect::<Result<Vec<_>, _>>()?, [0, 1, 4]);
/// # Ok::<(), executor_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MapOptions {
    pub(crate) chunksize: Option<usize>,
    pub(crate) buffersize: Option<usize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) unordered: bool,
}

impl MapOptions {
    /// Chunks chosen by the library, by what the items cost as far as that is known; no bound, no time-out, results in
    /// the order of the inputs.
    pub fn new() -> MapOptions {
        MapOptions::default()
    }

    /// How many items travel together. Chunks cannot be told from single items by their results: an item that fails,
    /// panics or takes its worker down does not hurt the others of its chunk.
    pub fn chunksize(mut self, items: usize) -> MapOptions {
        self.chunksize = Some(items);
        self
    }

    /// How many items may be submitted and not yet read, at most. The input is read lazily then, so it may be infinite;
    /// the first so many items are read by the call. Each call of [`next`](Iterator::next) makes room by one item,
    /// which the next call of it fills. It counts items also where they travel in chunks.
    pub fn buffersize(mut self, items: usize) -> MapOptions {
        self.buffersize = Some(items);
        self
    }

    /// How long the whole `map` may take, from the call on. When it is over, one [`Timeout`](ErrorKind::Timeout) is
    /// yielded, what has not started is cancelled, and the iterator ends.
    pub fn timeout(mut self, timeout: Duration) -> MapOptions {
        self.timeout = Some(timeout);
        self
    }

    /// Results as they finish, in any order.
    pub fn unordered(mut self) -> MapOptions {
        self.unordered = true;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        for (name, value) in [("chunksize", self.chunksize), ("buffersize", self.buffersize)] {
            if value == Some(0) {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    format!("MapOptions::{name} must be at least 1: leave it out for the default"),
                ));
            }
        }
        Ok(())
    }
}
