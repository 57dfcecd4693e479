//! A map for async code.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use super::{Map, source::Unsubmitted};
use crate::{
    Error, Payload,
    stream_group::StreamGroup,
    wait::{forget_for_stream, watch_for_stream},
    waiting::help_with_one,
};

/// Yields the results of a [`Map`] to async code, in the same order. [`Map::into_stream`] makes it.
///
/// With the feature `stream` it implements `Stream` of the crate `futures-core`, so the adapters of `futures` and
/// `tokio-stream` work. Without it, use [`next`](MapStream::next). Dropping it cancels the calls that have not started.
/// Polled inside a task, it runs tasks of the same executor that have not started, as [`Awaited`](crate::Awaited) does.
///
/// # Panics
///
/// With a [`buffersize`](crate::MapOptions::buffersize), a poll reads the input, and panics if the input panics.
#[must_use = "streams do nothing unless they are polled; dropping this one cancels what has not started"]
pub struct MapStream<R: Payload> {
    map: Map<R>,
    is_ordered: bool,
    group: Arc<StreamGroup>,
    /// The group watches the batches with lower numbers. Of an ordered map it only watches the first one.
    watched: usize,
    /// Items that wait for room in the queue of a bounded executor.
    unsubmitted: Option<Unsubmitted<R>>,
}

impl<R: Payload> Map<R> {
    /// Turns the iterator into a stream, for async code, whose thread must not be blocked. The
    /// [time-out](crate::MapOptions::timeout) of the map ends here: use that of your runtime.
    ///
    /// The calls that `map` has submitted are not affected. With a [`buffersize`](crate::MapOptions::buffersize), the
    /// stream submits the others; if the executor is bounded and full, it waits for room without blocking the thread.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// # use std::{pin::pin, task::{Context, Poll, Waker}};
    /// use concurrent_futures::{Backend, Error, Executor, InlineExecutor};
    ///
    /// async fn sum_of_squares(executor: &dyn Backend, most: u64) -> Result<u64, Error> {
    ///     let mut squares = executor.map(|n: u64| n * n, 0..=most)?.into_stream();
    ///     let mut sum = 0;
    ///     while let Some(square) = squares.next().await {
    ///         sum += square?;
    ///     }
    ///     Ok(sum)
    /// }
    /// let executor = InlineExecutor::new();
    /// let sum = pin!(sum_of_squares(&executor, 3)).poll(&mut Context::from_waker(Waker::noop()));
    /// # assert!(matches!(sum, Poll::Ready(Ok(14))));
    /// ```
    pub fn into_stream(mut self) -> MapStream<R> {
        let is_ordered = self.unordered.take().is_none();
        self.deadline = None;
        let watched = self.base;
        MapStream { map: self, is_ordered, group: Arc::default(), watched, unsubmitted: None }
    }
}

impl<R: Payload> MapStream<R> {
    /// Polls for the next result.
    ///
    /// # Errors
    ///
    /// The same as for [`Map`], except the time-out.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, Error>>> {
        loop {
            self.refill(context);
            if let Some(result) = self.map.ready.next() {
                self.map.allowance = self.map.allowance.saturating_add(1);
                return Poll::Ready(Some(result));
            }
            if self.map.pending.is_empty() {
                return if self.unsubmitted.is_some() { Poll::Pending } else { Poll::Ready(None) };
            }
            if let Some(number) = self.done_batch() {
                if let Some((batch, items)) = self.map.take_batch(number - self.map.base) {
                    self.map.read(batch, items);
                }
                continue;
            }
            match self.map.born.check().and_then(|()| self.help()) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    self.map.cancel();
                    return Poll::Ready(Some(Err(error)));
                }
            }
            if !self.group.register(context.waker().clone()) {
                return Poll::Pending;
            }
        }
    }

    /// Waits for the next result. Dropping the returned future loses no result.
    ///
    /// # Errors
    ///
    /// See [`poll_next`](MapStream::poll_next).
    ///
    /// # Panics
    ///
    /// Panics where the input panics; see above.
    pub async fn next(&mut self) -> Option<Result<R, Error>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Submits as many chunks as are allowed now and as there is room for.
    fn refill(&mut self, context: &mut Context<'_>) {
        let Some(backend) = self.map.backend.clone() else { return };
        loop {
            if self.unsubmitted.is_none() {
                let Some(size) = self.map.size_of_refill() else { return };
                self.unsubmitted = self.map.source.as_mut().and_then(|source| source.next(size));
            }
            let Some(unsubmitted) = &self.unsubmitted else {
                self.map.source = None;
                return;
            };
            let room = match backend.poll_room(&unsubmitted.task, context) {
                Poll::Pending => return,
                Poll::Ready(room) => room,
            };
            let Some(unsubmitted) = self.unsubmitted.take() else { return };
            if let Err(error) = room.and_then(|()| self.map.submit_made(unsubmitted, &*backend)) {
                self.map.source = None;
                return self.map.push_failure(error);
            }
        }
    }

    /// Returns the number of a batch that is done and comes next.
    fn done_batch(&mut self) -> Option<usize> {
        let (pending, base) = (&self.map.pending, self.map.base);
        let end = if self.is_ordered { base + 1 } else { base + pending.len() };
        for number in self.watched.max(base)..end {
            match pending.get(number - base).and_then(|batch| batch.as_ref()?.0.task()) {
                Some(task) => watch_for_stream(task, &self.group, number),
                // It could not be submitted, so it is done.
                None => self.group.completed(number),
            }
        }
        self.watched = self.watched.max(end);
        self.group.next()
    }

    /// Runs the next batch that has not started, if the caller is a task of the same executor.
    fn help(&mut self) -> Result<bool, Error> {
        self.map.helped = self.map.helped.max(self.map.base);
        let (pending, base, helped) = (&self.map.pending, self.map.base, &mut self.map.helped);
        help_with_one(|| {
            while let Some(batch) = pending.get(*helped - base) {
                *helped += 1;
                if let Some(task) = batch.as_ref().and_then(|(batch, _)| batch.task()) {
                    return Some(task);
                }
            }
            None
        })
    }
}

impl<R: Payload> Drop for MapStream<R> {
    fn drop(&mut self) {
        if let (Some(backend), Some(unsubmitted)) = (&self.map.backend, &self.unsubmitted) {
            backend.give_up_room(&unsubmitted.task);
        }
        for task in self.map.pending.iter().flatten().filter_map(|(batch, _)| batch.task()) {
            forget_for_stream(task, &self.group);
        }
    }
}

impl<R: Payload> Unpin for MapStream<R> {}

#[cfg(feature = "stream")]
impl<R: Payload> futures_core::Stream for MapStream<R> {
    type Item = Result<R, Error>;

    fn poll_next(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        MapStream::poll_next(self.get_mut(), context)
    }
}

impl<R: Payload> fmt::Debug for MapStream<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapStream").field(&self.map).finish()
    }
}
