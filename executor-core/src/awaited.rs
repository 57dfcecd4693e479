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

/// The future that `future.await` polls. It works on any runtime, because it uses only the waker that it receives.
///
/// The first poll spins for up to 30 microseconds, and for less if spinning has failed before. If the poll happens
/// inside a task of the same executor, for example in a `block_on`, it runs the awaited task inline if that has not
/// started, as [`Future::result`] does. Dropping it does not affect the task: await `&future` and cancel it afterwards,
/// or await [`Future::cancel_on_drop`]. Python's counterpart is `asyncio.wrap_future`.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use std::{pin::pin, task::{Context, Poll, Waker}};
/// use concurrent_futures::{Error, Executor, InlineExecutor};
///
/// async fn twice(executor: &InlineExecutor, n: u64) -> Result<u64, Error> {
///     executor.submit(|n: u64| n * 2, n)?.await
/// }
/// // Any runtime works; here the result is ready at the first poll.
/// let executor = InlineExecutor::new();
/// let result = pin!(twice(&executor, 21)).as_mut().poll(&mut Context::from_waker(Waker::noop()));
/// assert!(matches!(result, Poll::Ready(Ok(42))));
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct Awaited<T: Send + 'static> {
    future: Future<T>,
    /// Moves the value out, or clones it.
    reader: fn(&Future<T>) -> Read<T>,
    /// Distinguishes the wakers of several `Awaited` of one task. It is 0 while no waker is registered.
    key: u64,
    /// The time of the first poll that found the task not done.
    since: Option<Instant>,
}

impl<T: Send + 'static> Awaited<T> {
    pub(crate) fn new(future: Future<T>) -> Awaited<T> {
        Awaited::reading(future, |future| future.typed().take())
    }

    pub(crate) fn reading(future: Future<T>, reader: fn(&Future<T>) -> Read<T>) -> Awaited<T> {
        Awaited { future, reader, key: 0, since: None }
    }

    pub(crate) fn future(&self) -> &Future<T> {
        &self.future
    }

    fn read(&self) -> Option<Result<T, Error>> {
        match (self.reader)(&self.future) {
            Read::NotDone | Read::Unpacking | Read::Reserved => None,
            Read::Ready(result) => Some(result),
            Read::Taken => Some(Err(taken(self.future.task()))),
        }
    }

    fn register(&mut self, context: &Context<'_>) -> bool {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let task = self.future.task();
        if self.key != 0 && task.waiters().replace_waker(self.key, context.waker().clone()) {
            return true;
        }
        // ORDERING: the counter only has to give distinct numbers.
        let key = NEXT.fetch_add(1, Relaxed);
        let registered = task.waiters().add(task, Waiter::Waker(key, context.waker().clone())).is_ok();
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
        // A worker that polls a task of its own executor blocks in a `block_on`, so this helps as `result` does.
        let helped = match help(self.future.task()) {
            Ok(helped) => helped,
            Err(too_deep) => return Poll::Ready(Err(too_deep)),
        };
        // The first poll spins, because a result that arrives soon then needs no wake-up of another thread. Later polls
        // do not spin, because another future of the same async task may have caused them.
        if !helped && (self.since.is_some() || !spin_briefly(self.future.task())) {
            self.since.get_or_insert_with(Instant::now);
        }
        let registered = self.register(context);
        // Read again, so that a completion between the first read and the registration is not missed.
        match self.read() {
            Some(result) => Poll::Ready(result),
            None => {
                if !registered {
                    // The task is done, but another thread unpacks or shows its output: poll again immediately.
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
            self.future.task().waiters().remove(|waiter| matches!(waiter, Waiter::Waker(other, _) if *other == key));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Awaited<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.future.fmt(f)
    }
}
