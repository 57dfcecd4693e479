//! All results of several futures, or the first error.

use super::members::{Members, combine, success};
use crate::{AsFuture, Error, Future, countdown::Combine};

/// Turns futures into one future of all their results, in the order of the input. It fails as soon as one of them
/// fails, with that error. The others are then stopped: tasks that have not started are cancelled, and tasks that run
/// are asked to stop, which [`Context::is_cancelled`](crate::task::Context::is_cancelled) reports.
///
/// Wait for it with [`result`](Future::result), or `.await` it. Cancelling it stops all tasks, so
/// `try_join_all(futures).cancel_on_drop()` ends them with the code that waits for them. Dropping it stops nothing. It
/// does not wait for tasks that go on although they were asked to stop; to wait for these too, pass
/// [`SharedFuture`](crate::SharedFuture)s, keep clones, and [`wait`](crate::wait) for the clones. The thread that
/// completes a task decodes its result.
///
/// The futures may be of different executors. A value is read as by [`AsFuture::outcome`]. Python's counterpart is
/// `asyncio.TaskGroup`, and Java's is `StructuredTaskScope`; both wait for the others after a failure.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Error, ErrorKind, Executor, InlineExecutor, promise, try_join_all};
///
/// let executor = InlineExecutor::new();
/// let squares = (1..4u64).map(|n| executor.submit(|n: u64| n * n, n)).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(try_join_all(squares).result(None)?, [1, 4, 9]);
///
/// let (waiting, first) = promise::<u64>();
/// let second = executor.submit(|n: u64| 1 / n, 0)?;
/// let error = try_join_all([first, second]).result(None).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Panicked);
/// assert!(!waiting.set_running_or_notify_cancel(), "the other one was cancelled");
/// # Ok::<(), Error>(())
/// ```
///
/// In async code:
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Backend, Error, Executor, try_join_all};
///
/// async fn total(executor: &dyn Backend, parts: Vec<Vec<u64>>) -> Result<u64, Error> {
///     let sum = |part: Vec<u64>| part.iter().sum::<u64>();
///     let sums = parts.into_iter().map(|part| executor.submit(sum, part)).collect::<Result<Vec<_>, _>>()?;
///     // If this is dropped by a time-out, the tasks are stopped too.
///     Ok(try_join_all(sums).cancel_on_drop().await?.iter().sum())
/// }
/// ```
pub fn try_join_all<F>(futures: impl IntoIterator<Item = F>) -> Future<Vec<F::Output>>
where
    F: AsFuture<Output: Send + 'static> + Send + 'static,
{
    combine(futures, All, |countdown, outcome| {
        if let Err(error) = outcome {
            countdown.fail(&error);
        }
    })
}

struct All<F: AsFuture<Output: Send + 'static>>(Members<F>);

impl<F: AsFuture<Output: Send + 'static> + Send> Combine for All<F> {
    type Output = Vec<F::Output>;

    const NAME: &'static str = "try_join_all";

    fn combine(self) -> Result<Vec<F::Output>, Error> {
        for done in self.0.completed() {
            success(done?.as_future())?;
        }
        self.0.iter().map(|member| member.outcome(None)).collect()
    }
}
