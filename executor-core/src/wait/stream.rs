//! `as_completed` for async code.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use super::{AsCompleted, forget_for_stream, lost_to_the_parent, watch_for_stream};
use crate::{AsFuture, Error, Future, stream_group::StreamGroup, waiting::help_with_one};

/// Yields each future when it is done, to async code. [`AsCompleted::into_stream`] makes it.
///
/// With the feature `stream` it implements `Stream` of the crate `futures-core`, so the adapters of `futures` and
/// `tokio-stream` work. Without it, use [`next`](CompletedStream::next). It cancels nothing when it is dropped. Polled
/// inside a task, it runs tasks of the same executor that have not started, as [`Awaited`](crate::Awaited) does.
/// Python's counterpart is `asyncio.as_completed`.
#[must_use = "streams do nothing unless they are polled"]
pub struct CompletedStream<T: Send + 'static, F: AsFuture<Output = T> = Future<T>> {
    /// The futures that were not yielded yet.
    futures: Vec<Option<F>>,
    open: usize,
    /// How many of the open futures can never get done in this process, because it was forked since.
    lost: usize,
    group: Arc<StreamGroup>,
    /// Futures below this index were considered for running inline.
    helped: usize,
}

impl<T: Send + 'static, F: AsFuture<Output = T>> AsCompleted<T, F> {
    /// Turns the iterator into a stream, for async code, whose thread must not be blocked. The time-out ends here: use
    /// that of your runtime.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// # use std::{pin::pin, task::{Context, Poll, Waker}};
    /// use concurrent_futures::{Backend, Error, Executor, InlineExecutor, as_completed};
    ///
    /// async fn total(executor: &dyn Backend, words: Vec<String>) -> Result<usize, Error> {
    ///     let submit = |word| executor.submit(|word: String| word.len(), word);
    ///     let futures = words.into_iter().map(submit).collect::<Result<Vec<_>, _>>()?;
    ///     let mut completed = as_completed(futures, None).into_stream();
    ///     let mut total = 0;
    ///     while let Some(future) = completed.next().await {
    ///         total += future?.result(None)?;
    ///     }
    ///     Ok(total)
    /// }
    /// let words = ["one", "three"].map(String::from).to_vec();
    /// let executor = InlineExecutor::new();
    /// let total = pin!(total(&executor, words)).poll(&mut Context::from_waker(Waker::noop()));
    /// # assert!(matches!(total, Poll::Ready(Ok(8))));
    /// ```
    pub fn into_stream(mut self) -> CompletedStream<T, F> {
        let (futures, open, lost, done) = self.dissolve();
        let group = Arc::new(StreamGroup::default());
        // Those that are done keep their order.
        done.iter().for_each(|index| group.completed(*index));
        for (index, future) in futures.iter().enumerate() {
            if let Some(future) = future.as_ref().filter(|_| !done.contains(&index)) {
                watch_for_stream(future.as_future().task(), &group, index);
            }
        }
        CompletedStream { futures, open, lost, group, helped: 0 }
    }
}

impl<T: Send + 'static, F: AsFuture<Output = T>> CompletedStream<T, F> {
    /// Polls for the next future that is done.
    ///
    /// # Errors
    ///
    /// The same as for [`AsCompleted`], except the time-out.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<F, Error>>> {
        while self.open > 0 {
            if let Some(index) = self.group.next() {
                if let Some(future) = self.futures[index].take() {
                    self.open -= 1;
                    return Poll::Ready(Some(Ok(future)));
                }
                continue;
            }
            if self.open <= self.lost {
                let lost = lost_to_the_parent(self.futures.iter().flatten());
                self.end();
                return Poll::Ready(Some(Err(lost)));
            }
            match self.help() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(too_deep) => {
                    self.end();
                    return Poll::Ready(Some(Err(too_deep)));
                }
            }
            if !self.group.register(context.waker().clone()) {
                return Poll::Pending;
            }
        }
        Poll::Ready(None)
    }

    /// Waits for the next future that is done. Dropping the returned future loses nothing.
    ///
    /// # Errors
    ///
    /// See [`poll_next`](CompletedStream::poll_next).
    pub async fn next(&mut self) -> Option<Result<F, Error>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn help(&mut self) -> Result<bool, Error> {
        let (futures, helped) = (&self.futures, &mut self.helped);
        help_with_one(|| {
            while let Some(slot) = futures.get(*helped) {
                *helped += 1;
                if let Some(future) = slot {
                    return Some(future.as_future().task());
                }
            }
            None
        })
    }

    fn end(&mut self) {
        self.futures.iter().flatten().for_each(|future| forget_for_stream(future.as_future().task(), &self.group));
        self.open = 0;
    }
}

impl<T: Send + 'static, F: AsFuture<Output = T>> Unpin for CompletedStream<T, F> {}

#[cfg(feature = "stream")]
impl<T: Send + 'static, F: AsFuture<Output = T>> futures_core::Stream for CompletedStream<T, F> {
    type Item = Result<F, Error>;

    fn poll_next(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        CompletedStream::poll_next(self.get_mut(), context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.open, Some(self.open + 1))
    }
}

impl<T: Send + 'static, F: AsFuture<Output = T>> Drop for CompletedStream<T, F> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T: Send + 'static, F: AsFuture<Output = T>> fmt::Debug for CompletedStream<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletedStream").field("open", &self.open).field("of", &self.futures.len()).finish()
    }
}
