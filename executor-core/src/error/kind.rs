//! The kinds of errors.

use serde::{Deserialize, Serialize};

/// The kind of an [`Error`](crate::Error).
///
/// Python's counterparts are the exceptions `TimeoutError` ([`Timeout`](Self::Timeout)), `CancelledError`
/// ([`Cancelled`](Self::Cancelled)), `BrokenExecutor` ([`WorkerDied`](Self::WorkerDied), [`Broken`](Self::Broken)),
/// `InvalidStateError` ([`InvalidState`](Self::InvalidState)), `PicklingError` ([`Encode`](Self::Encode),
/// [`Decode`](Self::Decode)), `RuntimeError` ([`ShutDown`](Self::ShutDown)), `queue.Full`
/// ([`QueueFull`](Self::QueueFull)), `ValueError` ([`InvalidArgument`](Self::InvalidArgument)), `queue.ShutDown` and
/// `EOFError` ([`Closed`](Self::Closed)), `ConnectionError` ([`Unavailable`](Self::Unavailable)).
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::time::Duration;
/// use concurrent_futures::{ErrorKind, promise};
/// let (_promise, future) = promise::<u64>();
/// match future.result(Duration::ZERO) {
///     Ok(value) => println!("{value}"),
///     Err(error) if error.kind() == ErrorKind::Timeout => println!("not done yet"),
///     Err(error) => println!("failed: {error}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The wait timed out. The task is not affected, and the caller can wait again.
    Timeout,
    /// The task was cancelled before it started.
    Cancelled,
    /// The task panicked; see [`Error::panic`](crate::Error::panic).
    Panicked,
    /// The worker process died while it ran the task; see [`Error::worker_death`](crate::Error::worker_death).
    WorkerDied,
    /// The task ran longer than its [time limit](crate::TaskOptions::time_limit) and was stopped.
    TimeLimit,
    /// The running task was stopped by `Future::terminate` or [`Shutdown::Terminate`](crate::Shutdown::Terminate).
    Terminated,
    /// The arguments or the result could not be encoded.
    Encode,
    /// The arguments or the result could not be decoded by the receiving process.
    Decode,
    /// The queue of a bounded executor was full, and the caller chose not to wait.
    QueueFull,
    /// The executor was shut down before the task was submitted.
    ShutDown,
    /// The executor cannot run tasks any more; the message has the reason.
    Broken,
    /// The operation is not possible in this state, such as a second `result()` or a second `set_result()`.
    InvalidState,
    /// An option or argument is never valid, such as zero workers.
    InvalidArgument,
    /// A queue is closed and empty, or the other end of a connection is gone.
    Closed,
    /// A process died while it held a lock, or with items of a queue that it had not finished. What they protect or
    /// describe may be half done.
    Abandoned,
    /// The system cannot do this, such as sharing an object between processes on a system other than Linux.
    Unsupported,
    /// A service that the executor needs cannot be reached, or refuses this program: the servers of a cluster.
    Unavailable,
    /// No worker that could run the task has appeared in time: a cluster has none of this build of the program.
    NoWorkers,
    /// Any other error, such as one of the operating system.
    Other,
}
