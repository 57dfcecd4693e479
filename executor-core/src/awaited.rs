//! A task as a future of the standard library, for `.await`.

use std::{
    fmt,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
    time::Instant,
};

use crate::{
    Error, Future, spin,
    task::{typed::Read, waiter::Waiter},
    waiting::{help, spin_briefly, taken},
};

/// What `future.await` polls. Works on any runtime, because it only uses the waker that it is given. The first poll
/// looks for the result for up to 30 microseconds, fewer where that has brought nothing before. Dropping it leaves the
/// task alone. Polled inside a task of the same executor (by a `block_on`, say), it runs the awaited task on the spot
/// if that has not started, as [`Future::result`] does. Python's counterpart is `asyncio.wrap_future`.
///
/// ```
/// use std::{pin::pin, task::{Context, Poll, Waker}};
/// use executor_core::{Error, Executor, InlineExecutor};
///
/// async fn twice(executor: &InlineExecutor, n: u64) -> Result<u64, Error> {
///     executor.submit(|n: u64| n * 2, n)?.await
/// }
/// // Any runtime will do; here the answer is there at the first poll.
/// let executor = InlineExecutor::new();
/// let answer = pin!(twice(&executor, 21)).as_mut().poll(&mut Context::from_waker(Waker::noop()));
/// assert!(matches!(answer, Poll::Ready(Ok(42))));
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct Awaited<T: Send + 'static> {
    future: Future<T>,
    /// Moves the value out, or clones it.
    reader: fn(&Future<T>) -> Read<T>,
    /// Tells the wakers of several such futures of one task from each other. 0 while none is registered.
    key: u64,
    /// When it was polled first and the task was not done.
    since: Option<Instant>,
}

impl<T: Send + 'static> Awaited<T> {
    pub(crate) fn new(future: Future<T>) -> Awaited<T> {
        Awaited::reading(future, |future| future.typed().take())
    }

    pub(crate) fn reading(future: Future<T>, reader: fn(&Future<T>) -> Read<T>) -> Awaited<T> {
        Awaited { future, reader, key: 0, since: None }
    }

    fn read(&self) -> Option<Result<T, Error>> {
        match (self.reader)(&self.future) {
            Read::NotDone | Read::Unpacking => None,
            Read::Ready(result) => Some(result),
            Read::Taken => Some(Err(taken(self.future.task()))),
        }
    }

    fn register(&mut self, context: &Context<'_>) -> bool {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let task = self.future.task();
        if self.key != 0 && task.waiters.replace_waker(self.key, context.waker().clone()) {
            return true;
        }
        // ORDERING: the counter only has to give different numbers.
        let key = NEXT.fetch_add(1, Relaxed);
        let registered = task.waiters.add(task, Waiter::Waker(key, context.waker().clone())).is_ok();
        self.key = if registered { key } else { 0 };
        registered
    }
}

impl<T: Send + 'static> std::future::Future for Awaited<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.read() {
            if let Some(since) = self.since.take() {
                spin::with_own_budget(|budget| budget.slept(since.elapsed()));
            }
            return Poll::Ready(result);
        }
        if let Err(error) = self.future.task().born.check() {
            return Poll::Ready(Err(error));
        }
        // A worker that polls a task of its own executor blocks on it in some `block_on`, as `result` would.
        let helped = match help(self.future.task()) {
            Ok(helped) => helped,
            Err(too_deep) => return Poll::Ready(Err(too_deep)),
        };
        // Before its waker is called for the first time, it looks for the result itself: where that comes soon, it
        // costs two threads less. Later it is polled for the sake of others, too.
        if !helped && (self.since.is_some() || !spin_briefly(self.future.task())) {
            self.since.get_or_insert_with(Instant::now);
        }
        let registered = self.register(context);
        // Read again, so that a completion between the look and the registration is not missed.
        match self.read() {
            Some(result) => Poll::Ready(result),
            None => {
                if !registered {
                    // Done, but another thread is between two steps of unpacking: come again at once.
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

impl<T: Send + 'static> Unpin for Awaited<T> {}

impl<T: Send + 'static> Drop for Awaited<T> {
    fn drop(&mut self) {
        if self.key != 0 {
            let key = self.key;
            self.future.task().waiters.remove(|waiter| matches!(waiter, Waiter::Waker(other, _) if *other == key));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Awaited<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.future.fmt(f)
    }
}
