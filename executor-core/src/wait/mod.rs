//! Waiting for many futures, from any mix of back-ends.

mod as_completed;

pub use as_completed::{AsCompleted, as_completed};

use std::{fmt, sync::Arc, time::Duration};

use crate::{Future, deadline, group::Group, task::waiter::Waiter, waiting::help_or_wait_for_any};

/// When [`wait`] returns. Python's counterparts are `FIRST_COMPLETED`, `FIRST_EXCEPTION` and `ALL_COMPLETED`.
///
/// ```
/// use executor_core::{ReturnWhen, promise, wait};
/// let (one, other) = (promise::<u64>(), promise::<u64>());
/// one.0.set_result(1)?;
/// let waited = wait([one.1, other.1], None, ReturnWhen::FirstCompleted);
/// assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
/// # Ok::<(), executor_core::Error>(())
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
#[must_use]
pub struct Waited<T> {
    /// The futures that are done: finished, failed or cancelled.
    pub done: Vec<Future<T>>,
    /// The other futures, which are unchanged.
    pub not_done: Vec<Future<T>>,
}

impl<T> fmt::Debug for Waited<T> {
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
/// use executor_core::{Executor, InlineExecutor, ReturnWhen, wait};
/// let executor = InlineExecutor::new();
/// let futures = [executor.submit(|n: u64| n, 1)?, executor.submit(|n: u64| n, 2)?];
/// let waited = wait(futures, None, ReturnWhen::AllCompleted);
/// assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
/// # Ok::<(), executor_core::Error>(())
/// ```
pub fn wait<T: Send + 'static>(
    futures: impl IntoIterator<Item = Future<T>>,
    timeout: impl Into<Option<Duration>>,
    return_when: ReturnWhen,
) -> Waited<T> {
    let deadline = deadline::after(timeout.into());
    let futures: Vec<Future<T>> = futures.into_iter().collect();
    let group = Arc::new(Group::default());
    watch_all(&futures, &group);

    let mut open = futures.len() - count_lost(&futures);
    let mut to_help = futures.iter().map(Future::task);
    while open > 0 {
        match group.next() {
            Some(index) => {
                open -= 1;
                let enough = match return_when {
                    ReturnWhen::FirstCompleted => true,
                    ReturnWhen::FirstException => has_failed(&futures[index]),
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
    let (done, not_done) = futures.into_iter().partition(Future::done);
    Waited { done, not_done }
}

/// Returns whether a done future holds an error. This decodes a reply of another process.
fn has_failed<T: Send + 'static>(future: &Future<T>) -> bool {
    matches!(future.exception(None), Ok(Some(_)))
}

/// Registers a group with every future. Done futures are added to the group immediately.
fn watch_all<T: Send + 'static>(futures: &[Future<T>], group: &Arc<Group>) {
    for (index, future) in futures.iter().enumerate() {
        watch(future, group, index);
    }
}

/// Registers a group with one future.
pub(crate) fn watch<T: Send + 'static>(future: &Future<T>, group: &Arc<Group>, index: usize) {
    let task = future.task();
    if task.waiters.add(task, Waiter::Group(group.clone(), index)).is_err() {
        group.completed(index);
    }
}

/// Removes a group from the lists of the futures that are not done.
pub(crate) fn forget_all<'a, T: Send + 'static>(futures: impl IntoIterator<Item = &'a Future<T>>, group: &Arc<Group>) {
    for future in futures {
        if !future.done() {
            let waiters = &future.task().waiters;
            waiters.remove(|waiter| matches!(waiter, Waiter::Group(other, _) if Arc::ptr_eq(other, group)));
        }
    }
}

/// Returns how many futures can never get done in this process, because it was forked after they were submitted.
fn count_lost<T: Send + 'static>(futures: &[Future<T>]) -> usize {
    futures.iter().filter(|future| !future.done() && future.task().born.check().is_err()).count()
}
