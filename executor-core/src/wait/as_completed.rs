//! Futures in the order of their completion.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{count_lost, forget_all, lost_to_the_parent, watch_all};
use crate::{AsFuture, Error, ErrorKind, Future, deadline, group::Group, waiting::help_or_wait_for_any};

/// Yields each future when it is done. Futures that are done already come first. The time-out starts with this call.
/// Python's counterpart is `concurrent.futures.as_completed`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor, as_completed};
/// let executor = InlineExecutor::new();
/// let futures = (0..3u64).map(|n| executor.submit(|n: u64| n * n, n)).collect::<Result<Vec<_>, _>>()?;
/// let mut total = 0;
/// for future in as_completed(futures, None) {
///     total += future?.result(None)?;
/// }
/// assert_eq!(total, 5);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// The futures may be given as references, or as anything else that has a future: see [`AsFuture`].
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, Future, InlineExecutor, as_completed};
/// let executor = InlineExecutor::new();
/// let futures = [executor.submit(|n: u64| n, 1)?, executor.submit(|n: u64| n, 2)?];
/// let done = as_completed(&futures, None).map(|future| future.map(Future::id)).collect::<Result<Vec<_>, _>>()?;
/// assert!(done.contains(&futures[0].id()) && done.contains(&futures[1].id()));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn as_completed<T: Send + 'static, F: AsFuture<Output = T>>(
    futures: impl IntoIterator<Item = F>,
    timeout: impl Into<Option<Duration>>,
) -> AsCompleted<T, F> {
    let deadline = deadline::after(timeout.into());
    let futures: Vec<F> = futures.into_iter().collect();
    let group = Arc::new(Group::default());
    watch_all(&futures, &group);
    AsCompleted {
        open: futures.len(),
        lost: count_lost(&futures),
        futures: futures.into_iter().map(Some).collect(),
        group,
        deadline,
        helped: 0,
    }
}

/// The iterator of [`as_completed`]. After the time-out it yields one [`Timeout`](ErrorKind::Timeout) that says how
/// many futures are unfinished, and ends. It cancels nothing, neither then nor when it is dropped.
///
/// Called inside a task, it runs tasks of the same executor inline, as [`Future::result`] does; with a time-out, only
/// while no worker is idle. If there is no stack for that, it yields one [`InvalidState`](ErrorKind::InvalidState), and
/// ends.
///
/// In a forked child it yields the futures that are done, and then one [`Broken`](ErrorKind::Broken) for those of the
/// parent.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::time::Duration;
/// use concurrent_futures::{ErrorKind, as_completed, promise};
/// let ((one, first), (_other, second)) = (promise::<u64>(), promise::<u64>());
/// one.set_result(1)?;
/// let mut completed = as_completed([second, first], Duration::ZERO);
/// assert_eq!(completed.next().unwrap()?.result(None)?, 1);
/// assert_eq!(completed.next().unwrap().unwrap_err().kind(), ErrorKind::Timeout);
/// assert!(completed.next().is_none());
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[must_use = "iterators do nothing unless they are used"]
pub struct AsCompleted<T: Send + 'static, F: AsFuture<Output = T> = Future<T>> {
    /// The futures that were not yielded yet.
    futures: Vec<Option<F>>,
    open: usize,
    /// How many of the open futures can never get done in this process, because it was forked since.
    lost: usize,
    group: Arc<Group>,
    deadline: Option<Instant>,
    /// Futures below this index were considered for running inline.
    helped: usize,
}

impl<T: Send + 'static, F: AsFuture<Output = T>> AsCompleted<T, F> {
    /// Runs a task that has not started, if the caller is a task of the same executor. Otherwise waits until a task is
    /// done.
    fn wait(&mut self) -> Result<(), Error> {
        let (futures, helped) = (&self.futures, &mut self.helped);
        help_or_wait_for_any(&self.group, self.deadline, || {
            while let Some(slot) = futures.get(*helped) {
                *helped += 1;
                if let Some(future) = slot {
                    return Some(future.as_future().task());
                }
            }
            None
        })
    }

    fn timed_out(&mut self) -> Error {
        let message = format!("{} (of {}) futures unfinished", self.open, self.futures.len());
        self.end();
        Error::new(ErrorKind::Timeout, message)
    }

    fn forked(&mut self) -> Error {
        let lost = lost_to_the_parent(self.futures.iter().flatten());
        self.end();
        lost
    }

    /// Takes the parts out: the futures, how many are open and how many of these are lost, and the indices of those
    /// that are done and were not yielded. Nothing is left to yield.
    pub(super) fn dissolve(&mut self) -> (Vec<Option<F>>, usize, usize, Vec<usize>) {
        forget_all(self.futures.iter().flatten(), &self.group);
        let done = std::iter::from_fn(|| self.group.next()).collect();
        (std::mem::take(&mut self.futures), std::mem::take(&mut self.open), self.lost, done)
    }

    fn end(&mut self) {
        forget_all(self.futures.iter().flatten(), &self.group);
        self.open = 0;
    }
}

impl<T: Send + 'static, F: AsFuture<Output = T>> Iterator for AsCompleted<T, F> {
    type Item = Result<F, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.open > 0 {
            if let Some(index) = self.group.next() {
                if let Some(future) = self.futures[index].take() {
                    self.open -= 1;
                    return Some(Ok(future));
                }
            } else if deadline::has_passed(self.deadline) {
                return Some(Err(self.timed_out()));
            } else if self.open <= self.lost {
                return Some(Err(self.forked()));
            } else if let Err(too_deep) = self.wait() {
                self.end();
                return Some(Err(too_deep));
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.open, Some(self.open + 1))
    }
}

impl<T: Send + 'static, F: AsFuture<Output = T>> std::iter::FusedIterator for AsCompleted<T, F> {}

impl<T: Send + 'static, F: AsFuture<Output = T>> Drop for AsCompleted<T, F> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T: Send + 'static, F: AsFuture<Output = T>> fmt::Debug for AsCompleted<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("open", &self.open).field("of", &self.futures.len()).finish()
    }
}
