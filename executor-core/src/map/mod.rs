//! Calls one function on many inputs. `README.md` describes how the input is divided into chunks.

mod chunk;
mod chunking;
mod gather;
pub(crate) mod pairs;
mod results;
mod source;
mod stream;

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Backend, Error, ErrorKind, Function, Future, MapOptions, Payload, deadline, fork,
    group::Group,
    options::NameItems,
    task::queued::stop,
    wait::watch,
    waiting::{WaitEnd, help_or_wait_for_any},
};
pub use pairs::MapPairs;
pub use stream::MapStream;

use chunking::{Chunking, CostEstimate};
use results::{Items, Names, Results, ResultsIter};
use source::{Batch, Input, Source, Unsubmitted};

/// An iterator over the results of [`Executor::map`](crate::Executor::map), in the order of the inputs.
///
/// [`next`](Iterator::next) blocks until the next result is available. The error of one input is one item, and does not
/// end the iterator. Dropping the iterator cancels the calls that have not started. Python's counterpart is the
/// iterator that `Executor.map` returns, which ends at the first error.
///
/// # Panics
///
/// With a [`buffersize`](MapOptions::buffersize), [`next`](Iterator::next) reads the input, and panics if the input
/// panics. The iterator can still be used afterwards: it yields the results of the inputs that were read before, and
/// ends.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{Executor, InlineExecutor};
/// let mut map = InlineExecutor::new().map(|n: u64| 12u64.checked_div(n).expect("not zero"), [3, 0, 4])?;
/// assert_eq!(map.next().unwrap()?, 4);
/// assert!(map.next().unwrap().is_err());
/// assert_eq!(map.next().unwrap()?, 3);
/// assert!(map.next().is_none());
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[must_use = "iterators do nothing unless they are used; dropping this one cancels what has not started"]
pub struct Map<R: Payload> {
    /// The input, or `None` if it has ended or nothing can be submitted any more.
    source: Option<Box<dyn Source<R>>>,
    /// The back-end's handle, which submits later items, or `None` if all items were submitted at the call.
    backend: Option<Arc<dyn Backend>>,
    chunking: Chunking,
    /// How many more items may be submitted now.
    allowance: usize,
    /// The submitted batches whose results were not read, oldest first. `None` is a batch that was read out of order.
    pending: VecDeque<Option<(Batch<R>, Items)>>,
    /// How many items were submitted.
    submitted: usize,
    /// Why the rest of the input could not be submitted.
    failure: Option<Error>,
    /// The number of the first batch in `pending`.
    base: usize,
    /// The results of the batch that is being read.
    ready: ResultsIter<R>,
    /// The number of the first item in the batch that is being read.
    ready_first: usize,
    /// Returns the numbers of the batches in the order of completion. It is `None` if the map is ordered.
    unordered: Option<Arc<Group>>,
    /// Batches with lower numbers were already considered for running inline.
    helped: usize,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    /// Detects that this process is a forked child of the one that created the map.
    born: fork::Generation,
}

/// Starts a map on a back-end.
pub(crate) fn start<F, I, R>(backend: &dyn Backend, options: MapOptions, function: F, items: I) -> Result<Map<R>, Error>
where
    I: Iterator + Send + 'static,
    I::Item: Payload,
    F: Function<I::Item, R>,
    R: Payload,
{
    options.check()?;
    let allowance = options.buffersize.unwrap_or(usize::MAX);
    let estimate = Arc::<CostEstimate>::default();
    let chunking = Chunking::new(options.chunksize, backend.max_workers(), allowance, estimate.clone());
    let estimate = options.chunksize.is_none().then_some(estimate);
    let handle = match options.buffersize {
        None => None,
        Some(_) => Some(backend.handle().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "`buffersize` needs a back-end that can submit items later: implement `Backend::handle` for it",
            )
        })?),
    };
    let namer = options.name.as_ref().map(NameItems::of).transpose()?;
    let mut map = Map {
        source: Some(Box::new(Input::new(function, items, estimate, namer))),
        backend: None,
        chunking,
        allowance,
        pending: VecDeque::new(),
        submitted: 0,
        failure: None,
        base: 0,
        ready: ResultsIter::empty(),
        ready_first: 0,
        unordered: options.unordered.then(Arc::default),
        helped: 0,
        deadline: deadline::after(options.timeout),
        timeout: options.timeout,
        born: fork::generation(),
    };
    // If this fails, dropping the map cancels what it has submitted.
    while map.allowance > 0 && map.submit_next(backend)? {}
    map.backend = handle;
    Ok(map)
}

impl<R: Payload> Map<R> {
    /// Returns the size of the next batch.
    fn next_size(&mut self) -> usize {
        let left = self.source.as_mut().and_then(|source| source.left());
        self.chunking.next(left)
    }

    /// Submits the next batch, or as much of it as is allowed now. Returns `false` at the end of the input.
    fn submit_next(&mut self, backend: &dyn Backend) -> Result<bool, Error> {
        let size = self.next_size();
        self.submit(backend, size.min(self.allowance))
    }

    /// Submits one batch. Returns `false` at the end of the input.
    fn submit(&mut self, backend: &dyn Backend, most: usize) -> Result<bool, Error> {
        let Some(next) = self.source.as_mut().and_then(|source| source.next(most)) else {
            self.source = None;
            return Ok(false);
        };
        self.submit_made(next, backend)?;
        Ok(true)
    }

    /// Submits items that were read.
    fn submit_made(&mut self, made: Unsubmitted<R>, backend: &dyn Backend) -> Result<(), Error> {
        let (batch, names) = made.submit(backend).inspect_err(|_| self.source = None)?;
        self.allowance -= batch.items();
        self.chunking.submitted(batch.items());
        self.push(batch, names);
        Ok(())
    }

    fn push(&mut self, batch: Batch<R>, names: Names) {
        if let Some(group) = &self.unordered {
            let index = self.base + self.pending.len();
            match &batch {
                Batch::One(future) => watch(future, group, index),
                Batch::Many(future, _) => watch(future, group, index),
                Batch::Refused(..) => group.completed(index),
            }
        }
        let items = Items { first: self.submitted, names };
        self.submitted += batch.items();
        self.pending.push_back(Some((batch, items)));
    }

    /// Submits as many chunks as are allowed now. A chunk is only divided if no other one is pending.
    fn refill(&mut self) {
        let Some(backend) = self.backend.clone() else { return };
        while let Some(size) = self.size_of_refill() {
            match self.submit(&*backend, size) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.push_failure(error),
            }
        }
    }

    /// Returns how many items must be submitted now, if any.
    fn size_of_refill(&mut self) -> Option<usize> {
        if self.source.is_none() || self.allowance == 0 {
            return None;
        }
        let size = self.next_size();
        (self.allowance >= size || self.pending.is_empty()).then(|| size.min(self.allowance))
    }

    /// Makes an error the last result, because the rest of the input cannot be submitted.
    fn push_failure(&mut self, error: Error) {
        self.failure = Some(error.clone());
        self.allowance = self.allowance.saturating_sub(1);
        self.push(Batch::Refused(error, 1), None);
    }

    /// Waits for the next batch until the deadline, which is that of the map or an earlier one. Returns `None` if there
    /// is none, and an error if the map cannot continue or the deadline has passed.
    fn next_batch(&mut self, deadline: Option<Instant>) -> Option<Result<(Batch<R>, Items), Error>> {
        if self.pending.is_empty() {
            return None;
        }
        let waited = match self.unordered.clone() {
            None => self.wait_for_first(deadline).map(|()| 0),
            Some(group) => self.wait_for_any(&group, deadline).map(|number| number - self.base),
        };
        let index = match waited {
            Ok(index) => index,
            Err(WaitEnd::TimedOut) if deadline == self.deadline => return Some(Err(self.timed_out())),
            Err(WaitEnd::TimedOut) => return Some(Err(no_result_yet())),
            Err(WaitEnd::Forked(error) | WaitEnd::TooDeep(error)) => {
                self.cancel();
                return Some(Err(error));
            }
        };
        self.take_batch(index).map(Ok)
    }

    /// Takes a pending batch.
    fn take_batch(&mut self, index: usize) -> Option<(Batch<R>, Items)> {
        let batch = self.pending.get_mut(index)?.take();
        while let Some(None) = self.pending.front() {
            self.pending.pop_front();
            self.base += 1;
        }
        batch
    }

    fn wait_for_first(&self, deadline: Option<Instant>) -> Result<(), WaitEnd> {
        match self.pending.front() {
            Some(Some((Batch::One(future), _))) => future.wait_done(deadline),
            Some(Some((Batch::Many(future, _), _))) => future.wait_done(deadline),
            _ => Ok(()),
        }
    }

    fn wait_for_any(&mut self, group: &Group, deadline: Option<Instant>) -> Result<usize, WaitEnd> {
        loop {
            if let Some(number) = group.next() {
                return Ok(number);
            }
            if deadline::has_passed(deadline) {
                return Err(WaitEnd::TimedOut);
            }
            self.born.check().map_err(WaitEnd::Forked)?;
            self.help_or_wait(group, deadline).map_err(WaitEnd::TooDeep)?;
        }
    }

    /// Runs the next batch that has not started if the caller is a task of the same executor. Otherwise waits for a
    /// batch to complete.
    fn help_or_wait(&mut self, group: &Group, deadline: Option<Instant>) -> Result<(), Error> {
        self.helped = self.helped.max(self.base);
        let (pending, base, helped) = (&self.pending, self.base, &mut self.helped);
        help_or_wait_for_any(group, deadline, || {
            while let Some(batch) = pending.get(*helped - base) {
                *helped += 1;
                if let Some(task) = batch.as_ref().and_then(|(batch, _)| batch.task()) {
                    return Some(task);
                }
            }
            None
        })
    }

    /// Returns how many items were submitted whose batch is not being read yet.
    fn unread_items(&self) -> usize {
        self.pending.iter().flatten().map(|(batch, _)| batch.items()).sum()
    }

    fn timed_out(&mut self) -> Error {
        let unread = self.unread_items();
        self.cancel();
        Error::new(
            ErrorKind::Timeout,
            format!(
                "the map timed out {:?} after its call with {unread} results missing: items that had not started were \
                 cancelled",
                self.timeout.unwrap_or_default()
            ),
        )
    }

    /// Cancels the batches that have not started, and asks running chunks to stop before their next item.
    fn cancel(&mut self) {
        self.source = None;
        for (batch, _) in self.pending.drain(..).flatten() {
            if let Some(task) = batch.task() {
                stop(task);
            }
        }
        self.ready = ResultsIter::empty();
    }
}

impl<R: Payload> Map<R> {
    /// Waits for the next batch and begins to read it. Returns `None` if there is none, and an error if the map cannot
    /// continue.
    #[inline(never)]
    fn read_next_batch(&mut self, deadline: Option<Instant>) -> Option<Result<(), Error>> {
        let (batch, items) = match self.next_batch(deadline)? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(error)),
        };
        self.read(batch, items);
        Some(Ok(()))
    }

    /// Begins to read a batch that is done.
    fn read(&mut self, batch: Batch<R>, items: Items) {
        let results = match batch {
            Batch::One(future) => {
                let mut results = Results::with_capacity(1);
                results.push(future.result(None));
                results
            }
            Batch::Refused(error, items) => Results::with_capacity(0).complete(items, || error.clone()),
            Batch::Many(future, items) => match future.result(None) {
                Ok(results) => {
                    results.complete(items, || Error::new(ErrorKind::Decode, "a worker's reply ended before this item"))
                }
                Err(error) => Results::with_capacity(0).complete(items, || error.clone()),
            },
        };
        self.ready_first = items.first;
        self.ready = results.into_iter(items);
    }
}

impl<R: Payload> Map<R> {
    /// Returns the next result as [`next`](Iterator::next) does, but waits no longer than this. After a time-out the
    /// result is still to come: the map goes on, and the next call waits for the same result. Python's counterpart is
    /// `next(timeout)` of the iterator that `Pool.imap` returns.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use std::time::Duration;
    /// use concurrent_futures::{Executor, InlineExecutor};
    ///
    /// let mut map = InlineExecutor::new().map(|n: u64| n * n, [1, 2])?;
    /// assert_eq!(map.next_timeout(Duration::from_secs(5)).unwrap()?, 1);
    /// assert_eq!(map.next_timeout(Duration::ZERO).unwrap()?, 4);
    /// assert!(map.next_timeout(Duration::ZERO).is_none());
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Timeout`](ErrorKind::Timeout) if there is no result in time. The other errors are those of the item.
    /// If the map has a [time-out](MapOptions::timeout) that passes during this wait, it ends as with `next`.
    ///
    /// # Panics
    ///
    /// Panics where [`next`](Iterator::next) does.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<R, Error>> {
        let deadline = match (deadline::after(Some(timeout)), self.deadline) {
            (Some(own), Some(of_map)) => Some(own.min(of_map)),
            (own, of_map) => own.or(of_map),
        };
        self.next_until(deadline)
    }

    /// Turns the map into one future of all its results, in the order in which the iterator would yield them. Python's
    /// counterpart is `Pool.map_async`.
    ///
    /// It can be waited for, awaited, and given callbacks. It fails as soon as one call has failed; the calls that have
    /// not started are then cancelled. If several calls fail, it has the error of one of them. Cancelling it cancels
    /// the calls that have not started, and succeeds until the last result is there. Dropping it cancels nothing.
    ///
    /// With a [`buffersize`](MapOptions::buffersize), this reads and submits the rest of the input. The
    /// [time-out](MapOptions::timeout) of the map ends here: give one to the wait. The thread that completes a call
    /// decodes its result. Results that the iterator has yielded are not among those of the future.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Executor, InlineExecutor};
    ///
    /// let squares = InlineExecutor::new().map(|n: u64| n * n, 1..4u64)?.into_future();
    /// squares.add_result_callback(|squares| assert!(squares.is_ok_and(|squares| squares.len() == 3)));
    /// assert_eq!(squares.result(None)?, [1, 4, 9]);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the input iterator panics. The calls that were submitted are then cancelled.
    pub fn into_future(mut self) -> Future<Vec<R>> {
        self.submit_rest();
        self.deadline = None;
        let batches: Vec<Batch<R>> = self.pending.iter().flatten().map(|(batch, _)| batch.alias()).collect();
        gather::gather(self, &batches)
    }

    /// Submits the rest of the input, whatever the bound.
    fn submit_rest(&mut self) {
        let Some(backend) = self.backend.take() else { return };
        self.allowance = usize::MAX;
        loop {
            match self.submit_next(&*backend) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.push(Batch::Refused(error, 1), None),
            }
        }
    }

    #[inline]
    fn next_until(&mut self, deadline: Option<Instant>) -> Option<Result<R, Error>> {
        // Refilling happens before the result is taken, so that no result is lost if the input panics. Only a result
        // that was yielded allows another item, so the bound is never exceeded.
        if self.backend.is_some() {
            self.refill();
        }
        loop {
            if let Some(result) = self.ready.next() {
                self.allowance = self.allowance.saturating_add(1);
                return Some(result);
            }
            if let Err(error) = self.read_next_batch(deadline)? {
                return Some(Err(error));
            }
        }
    }
}

impl<R: Payload> Iterator for Map<R> {
    type Item = Result<R, Error>;

    #[inline]
    fn next(&mut self) -> Option<Result<R, Error>> {
        self.next_until(self.deadline)
    }
}

#[cold]
fn no_result_yet() -> Error {
    Error::new(ErrorKind::Timeout, "the next result of the map is not there yet: call again to wait for it")
}

impl<R: Payload> std::iter::FusedIterator for Map<R> {}

impl<R: Payload> Drop for Map<R> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<R: Payload> fmt::Debug for Map<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("pending", &self.unread_items())
            .field("ready", &self.ready.len())
            .field("input_ended", &self.source.is_none())
            .finish_non_exhaustive()
    }
}
