//! Waiting for many futures, from any mix of back-ends.

mod as_completed;
mod as_future;
mod members;
mod race;
mod stream;
mod try_join_all;

pub use as_completed::{AsCompleted, as_completed};
pub use as_future::AsFuture;
pub use race::race;
pub use stream::CompletedStream;
pub use try_join_all::try_join_all;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Error, ErrorKind, Future, deadline,
    group::Group,
    stream_group::StreamGroup,
    task::{cell::TaskRef, waiter::Waiter},
    waiting::help_or_wait_for_any,
};

/// When [`wait`] returns. Python's counterparts are `FIRST_COMPLETED`, `FIRST_EXCEPTION` and `ALL_COMPLETED`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{ReturnWhen, promise, wait};
/// let (one, other) = (promise::<u64>(), promise::<u64>());
/// one.0.set_result(1)?;
/// let waited = wait([one.1, other.1], None, ReturnWhen::FirstCompleted);
/// assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When one future is done. A cancelled future is done.
    FirstCompleted,
    /// When one future has failed, or all are done. A cancelled future has not failed.
    FirstException,
    /// When all futures are done.
    AllCompleted,
}

/// The result of [`wait`]: each future that it received, in one of two lists, in the order received.
///
/// The lists have what `wait` received: futures, or references to them.
#[must_use]
pub struct Waited<T, F: AsFuture<Output = T> = Future<T>> {
    /// The futures that are done: finished, failed or cancelled.
    pub done: Vec<F>,
    /// The other futures, which are unchanged.
    pub not_done: Vec<F>,
}

impl<T, F: AsFuture<Output = T> + fmt::Debug> fmt::Debug for Waited<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waited").field("done", &self.done).field("not_done", &self.not_done).finish()
    }
}

/// Waits for many futures together. A time-out is not an error: the futures that are not done are in `not_done`.
/// Python's counterpart is `concurrent.futures.wait`.
///
/// Called inside a task, it runs tasks of the same executor inline if they have not started, as [`Future::result`]
/// does; with a time-out, only while no worker is idle. If there is no stack for that, it returns early. In a forked
/// child, it does not wait for futures of the parent.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor, ReturnWhen, wait};
/// let executor = InlineExecutor::new();
/// let futures = [executor.submit(|n: u64| n, 1)?, executor.submit(|n: u64| n, 2)?];
/// let waited = wait(futures, None, ReturnWhen::AllCompleted);
/// assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// The futures may be given as references, or as anything else that has a future: see [`AsFuture`].
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor, ReturnWhen, wait};
/// let executor = InlineExecutor::new();
/// let futures = vec![executor.submit(|n: u64| n, 1)?, executor.submit(|n: u64| n, 2)?];
/// assert!(wait(&futures, None, ReturnWhen::AllCompleted).not_done.is_empty());
/// assert_eq!(futures[1].result(None)?, 2);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn wait<T: Send + 'static, F: AsFuture<Output = T>>(
    futures: impl IntoIterator<Item = F>,
    timeout: impl Into<Option<Duration>>,
    return_when: ReturnWhen,
) -> Waited<T, F> {
    let deadline = deadline::after(timeout.into());
    let futures: Vec<F> = futures.into_iter().collect();
    let group = Arc::new(Group::default());
    watch_all(&futures, &group);

    let mut open = futures.len() - count_lost(&futures);
    let mut to_help = futures.iter().map(|future| future.as_future().task());
    while open > 0 {
        match group.next() {
            Some(index) => {
                open -= 1;
                let enough = match return_when {
                    ReturnWhen::FirstCompleted => true,
                    ReturnWhen::FirstException => has_failed(futures[index].as_future(), deadline),
                    ReturnWhen::AllCompleted => false,
                };
                if enough {
                    break;
                }
            }
            None if deadline::has_passed(deadline) => break,
            None => {
                if help_or_wait_for_any(&group, deadline, || to_help.next()).is_err() {
                    break;
                }
            }
        }
    }
    forget_all(&futures, &group);
    let (done, not_done) = futures.into_iter().partition(|future| future.as_future().done());
    Waited { done, not_done }
}

/// Returns whether a done future holds an error. This decodes a reply of another process, and waits for the future's
/// result callbacks.
fn has_failed<T: Send + 'static>(future: &Future<T>, deadline: Option<Instant>) -> bool {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    matches!(future.exception(left), Ok(Some(_)))
}

/// Registers a group with every future. Done futures are added to the group immediately.
fn watch_all<T: Send + 'static, F: AsFuture<Output = T>>(futures: &[F], group: &Arc<Group>) {
    for (index, future) in futures.iter().enumerate() {
        watch(future.as_future(), group, index);
    }
}

/// Registers a group with one future.
pub(crate) fn watch<T: Send + 'static>(future: &Future<T>, group: &Arc<Group>, index: usize) {
    let task = future.task();
    if task.waiters().add(task, Waiter::Group(group.clone(), index)).is_err() {
        group.completed(index);
    }
}

/// Registers the group of a stream with a task. If it is done, it is added to the group immediately.
pub(crate) fn watch_for_stream(task: &TaskRef, group: &Arc<StreamGroup>, index: usize) {
    if task.waiters().add(task, Waiter::Stream(group.clone(), index)).is_err() {
        group.completed(index);
    }
}

/// Removes the group of a stream from the list of a task that is not done.
pub(crate) fn forget_for_stream(task: &TaskRef, group: &Arc<StreamGroup>) {
    if !task.state.snapshot().is_done() {
        task.waiters().remove(|waiter| matches!(waiter, Waiter::Stream(other, _) if Arc::ptr_eq(other, group)));
    }
}

/// Removes a group from the lists of the futures that are not done.
fn forget_all<T: Send + 'static>(futures: impl IntoIterator<Item: AsFuture<Output = T>>, group: &Arc<Group>) {
    for future in futures {
        let future = future.as_future();
        if !future.done() {
            let waiters = future.task().waiters();
            waiters.remove(|waiter| matches!(waiter, Waiter::Group(other, _) if Arc::ptr_eq(other, group)));
        }
    }
}

/// Returns the error of futures that can never get done in this process.
fn lost_to_the_parent<T: Send + 'static>(futures: impl IntoIterator<Item: AsFuture<Output = T>>) -> Error {
    let lost = futures.into_iter().find_map(|future| future.as_future().task().born.check().err());
    lost.unwrap_or_else(|| {
        Error::new(ErrorKind::Broken, "futures of the parent process do not finish in a forked child")
    })
}

/// Returns how many futures can never get done in this process, because it was forked after they were submitted.
fn count_lost<T: Send + 'static, F: AsFuture<Output = T>>(futures: &[F]) -> usize {
    let is_lost = |future: &Future<T>| !future.done() && future.task().born.check().is_err();
    futures.iter().filter(|future| is_lost(future.as_future())).count()
}
