//! The options of a task and of a `map`.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use crate::{Error, ErrorKind, task::Origin};

/// The options of one task, for [`Executor::submit_with`](crate::Executor::submit_with).
///
/// Python's `concurrent.futures` has no counterpart.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::time::Duration;
/// use concurrent_futures::{Executor, InlineExecutor, TaskOptions, task};
///
/// let options = TaskOptions::new().name("parse").priority(5).time_limit(Duration::from_secs(2)).retries(1);
/// let future = InlineExecutor::new().submit_with(options, |()| task::current().unwrap().name().to_string(), ())?;
/// assert_eq!(future.result(None)?, "parse");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskOptions {
    pub(crate) name: Option<Box<str>>,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) priority: i32,
}

impl TaskOptions {
    /// Returns the default options: the function's path as the name, no time limit, no retries, priority 0.
    #[inline]
    pub fn new() -> TaskOptions {
        TaskOptions::default()
    }

    /// Sets the name that errors, traces and [`task::current`](crate::task::current) show. The default is the path of
    /// the function.
    pub fn name(mut self, name: impl Into<String>) -> TaskOptions {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Limits how long one run of the task may take. If it takes longer, the task is stopped, and its future fails with
    /// [`TimeLimit`](ErrorKind::TimeLimit). Only back-ends that can stop a running task enforce the limit:
    /// `ProcessPoolExecutor` does, and executors of threads ignore it. It is independent of the time-out of a wait.
    pub fn time_limit(mut self, limit: Duration) -> TaskOptions {
        self.time_limit = Some(limit);
        self
    }

    /// Sets how many times the task is run again if its worker process dies while it runs. Errors, panics and exceeded
    /// time limits are never retried. The default is 0, because a task may have effects that must not happen twice.
    pub fn retries(mut self, retries: u32) -> TaskOptions {
        self.retries = retries;
        self
    }

    /// Sets the priority. Queued tasks with a higher priority start first, and tasks with equal priority start in the
    /// order of submission. The default is 0. To prevent starvation, a back-end may limit how many tasks of a higher
    /// priority start before a waiting one; `ThreadPoolExecutor` and `ProcessPoolExecutor` do, and document the limit.
    pub fn priority(mut self, priority: i32) -> TaskOptions {
        self.priority = priority;
        self
    }
}

/// What most tasks do not have: options that are not the default, and a place from which they were forwarded.
pub(crate) struct Settings {
    pub(crate) options: TaskOptions,
    pub(crate) origin: Option<Origin>,
}

/// The options of a map, for [`Executor::map_with`](crate::Executor::map_with).
///
/// Python's counterparts are the arguments `chunksize`, `buffersize` and `timeout` of `Executor.map`;
/// [`unordered`](MapOptions::unordered) corresponds to `multiprocessing.Pool.imap_unordered`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor, MapOptions};
///
/// let executor = InlineExecutor::new();
/// let options = MapOptions::new().chunksize(8).buffersize(64);
/// let squares = executor.map_with(options, |n: u64| n * n, 0u64..)?;
/// assert_eq!(squares.take(3).collect::<Result<Vec<_>, _>>()?, [0, 1, 4]);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MapOptions {
    pub(crate) chunksize: Option<usize>,
    pub(crate) buffersize: Option<usize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) unordered: bool,
    pub(crate) name: Option<NameItems>,
}

/// A function that names the items of a map, whose type is not known here.
#[derive(Clone)]
pub(crate) struct NameItems(Arc<dyn Any + Send + Sync>);

/// The function in a [`NameItems`] for items of type `A`.
pub(crate) type Namer<A> = Arc<dyn Fn(&A) -> String + Send + Sync>;

impl NameItems {
    /// Returns the function, if it is for items of this type.
    pub(crate) fn of<A: 'static>(&self) -> Result<Namer<A>, Error> {
        self.0.downcast_ref::<Namer<A>>().cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "the function given to MapOptions::name_by takes another type than the items, which are `{}`: give \
                     it an argument of type `&{0}`",
                    std::any::type_name::<A>()
                ),
            )
        })
    }
}

impl fmt::Debug for NameItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameItems")
    }
}

impl MapOptions {
    /// Returns the default options: chunk sizes that adapt to the measured cost of the items, no bound, no time-out,
    /// and results in the order of the inputs.
    pub fn new() -> MapOptions {
        MapOptions::default()
    }

    /// Sets how many items are submitted as one task. Chunks do not change the results: an item that fails, panics or
    /// kills its worker does not affect the other items of its chunk. Zero is refused by `map_with`.
    pub fn chunksize(mut self, items: usize) -> MapOptions {
        self.chunksize = Some(items);
        self
    }

    /// Limits how many submitted items may have results that were not read yet. The input is then read lazily, so it
    /// may be infinite: `map_with` reads the first `items` items, and each call of [`next`](Iterator::next) allows one
    /// more, which the following call reads. The limit counts items, not chunks. Zero is refused by `map_with`, and so
    /// is a limit on a back-end without a [`handle`](crate::Backend::handle).
    pub fn buffersize(mut self, items: usize) -> MapOptions {
        self.buffersize = Some(items);
        self
    }

    /// Limits how long the whole map may take, measured from the call of `map_with`. After that time, the iterator
    /// yields one [`Timeout`](ErrorKind::Timeout) error, cancels the items that have not started, and ends.
    pub fn timeout(mut self, timeout: Duration) -> MapOptions {
        self.timeout = Some(timeout);
        self
    }

    /// Yields the results in the order in which they become available.
    pub fn unordered(mut self) -> MapOptions {
        self.unordered = true;
        self
    }

    /// Names the items in their errors, beside their numbers: [`Error::item_name`] returns the name. The function is
    /// called on each item when it is submitted, by the thread that submits it. Its argument must have the type of the
    /// items; otherwise `map_with` returns [`InvalidArgument`](ErrorKind::InvalidArgument).
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor, MapOptions};
    ///
    /// let options = MapOptions::new().name_by(|word: &String| word.to_uppercase());
    /// let words = ["1", "b"].map(String::from);
    /// let numbers = InlineExecutor::new().map_with(options, |word: String| word.parse::<u64>().unwrap(), words)?;
    /// let error = numbers.last().unwrap().unwrap_err();
    /// assert_eq!((error.item(), error.item_name()), (Some(1), Some("B")));
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the function panics, `map_with` or the iterator panics where it submits the item.
    pub fn name_by<A: 'static>(mut self, name: impl Fn(&A) -> String + Send + Sync + 'static) -> MapOptions {
        let namer: Namer<A> = Arc::new(name);
        self.name = Some(NameItems(Arc::new(namer)));
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        for (name, value) in [("chunksize", self.chunksize), ("buffersize", self.buffersize)] {
            if value == Some(0) {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    format!("MapOptions::{name} must be at least 1: omit it for the default"),
                ));
            }
        }
        Ok(())
    }
}
