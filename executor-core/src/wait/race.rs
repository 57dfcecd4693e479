//! The first success of several futures.

use super::members::{Members, combine};
use crate::{AsFuture, Error, ErrorKind, Future, countdown::Combine};

/// Turns futures into one future of the first value that one of them has. The others are then stopped: tasks that have
/// not started are cancelled, and tasks that run are asked to stop, which
/// [`Context::is_cancelled`](crate::task::Context::is_cancelled) reports. If all fail, it has the error of one of them.
/// Of no futures, it fails with [`InvalidArgument`](ErrorKind::InvalidArgument).
///
/// Wait for it with [`result`](Future::result), or `.await` it. Cancelling it stops all tasks; dropping it stops
/// nothing. The thread that completes a task decodes its result. The futures may be of different executors. Its
/// counterparts are `Promise.any` of JavaScript and `invokeAny` of Java.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Error, Executor, InlineExecutor, promise, race};
///
/// let executor = InlineExecutor::new();
/// let (slow, first) = promise::<u64>();
/// let failing = executor.submit(|n: u64| 1 / n, 0)?;
/// let quick = executor.submit(|n: u64| n + 1, 41)?;
/// assert_eq!(race([first, failing, quick]).result(None)?, 42);
/// assert!(!slow.set_running_or_notify_cancel(), "the slow one was cancelled");
/// # Ok::<(), Error>(())
/// ```
pub fn race<F>(futures: impl IntoIterator<Item = F>) -> Future<F::Output>
where
    F: AsFuture<Output: Send + 'static> + Send + 'static,
{
    combine(futures, First, |countdown, outcome| {
        if outcome.is_ok() {
            countdown.run();
        }
    })
}

struct First<F: AsFuture<Output: Send + 'static>>(Members<F>);

impl<F: AsFuture<Output: Send + 'static> + Send> Combine for First<F> {
    type Output = F::Output;

    const NAME: &'static str = "race";

    fn combine(self) -> Result<F::Output, Error> {
        let mut failed = None;
        for done in self.0.completed() {
            match done?.outcome(None) {
                Ok(value) => return Ok(value),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(ErrorKind::InvalidArgument, "a race needs at least one future")))
    }
}
