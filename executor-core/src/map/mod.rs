//! One function over many inputs.

mod chunk;
mod source;

use std::{
    collections::VecDeque,
    fmt,
    marker::PhantomData,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Backend, Error, ErrorKind, Function, Future, MapOptions, Payload,
    future::help,
    wait::{Group, watch},
};
use source::{Batch, Input, Source, blames_the_item};

/// The results of [`Executor::map`](crate::Executor::map): an iterator of results, in the order of the inputs.
///
/// An error is one item like any other, and does not end the iterator. Dropping it cancels what has not started.
#[must_use = "iterators do nothing unless they are used; dropping this one cancels what has not started"]
pub struct Map<R: Payload> {
    /// None once the input is over, or nothing can be submitted any more.
    source: Option<Box<dyn Source<R>>>,
    /// For submitting later items; None if everything was submitted at the call.
    backend: Option<Arc<dyn Backend>>,
    chunksize: usize,
    /// How many more items may be submitted.
    room: usize,
    /// What was submitted and not read, oldest first. Holes are batches that were read out of order.
    pending: VecDeque<Option<Batch<R>>>,
    /// The number of the first of `pending`.
    base: usize,
    /// The results of the batch that is being read.
    ready: VecDeque<Result<R, Error>>,
    /// Tells which batch is done next, if the order does not matter.
    unordered: Option<Arc<Group>>,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
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
    let deadline = options.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let room = options.buffersize.unwrap_or(usize::MAX);
    let chunksize = options.chunksize.unwrap_or_else(|| default_chunksize(backend, items.size_hint().0, room));
    let handle = match options.buffersize {
        None => None,
        Some(_) => Some(backend.handle().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidArgument,
                "this back-end cannot submit later, which `buffersize` needs: implement `Backend::handle` for it",
            )
        })?),
    };
    let mut map = Map {
        source: Some(Box::new(Input { function, items, result: PhantomData })),
        backend: None,
        chunksize: chunksize.min(room),
        room,
        pending: VecDeque::new(),
        base: 0,
        ready: VecDeque::new(),
        unordered: options.unordered.then(Arc::default),
        deadline,
        timeout: options.timeout,
    };
    // If this fails, dropping the map cancels what it has submitted.
    while map.room > 0 && map.submit(backend)? {}
    map.backend = handle;
    Ok(map)
}

/// Many small chunks for each worker, so that long items still spread evenly; single items where the input does not say
/// how long it is.
fn default_chunksize(backend: &dyn Backend, known_items: usize, room: usize) -> usize {
    const CHUNKS_PER_WORKER: usize = 32;
    const LARGEST: usize = 64;
    let chunks = backend.max_workers().saturating_mul(CHUNKS_PER_WORKER).max(1);
    (known_items.min(room) / chunks).clamp(1, LARGEST)
}

impl<R: Payload> Map<R> {
    /// Submits one batch. False: the input is over.
    fn submit(&mut self, backend: &dyn Backend) -> Result<bool, Error> {
        let Some(source) = &mut self.source else { return Ok(false) };
        let batch = match source.submit(backend, self.chunksize.min(self.room)) {
            None => {
                self.source = None;
                return Ok(false);
            }
            Some(Ok(batch)) => batch,
            Some(Err(error)) if blames_the_item(&error) => Batch::Refused(error),
            Some(Err(error)) => {
                self.source = None;
                return Err(error);
            }
        };
        self.room -= batch.items();
        self.push(batch);
        Ok(true)
    }

    fn push(&mut self, batch: Batch<R>) {
        if let Some(group) = &self.unordered {
            let index = self.base + self.pending.len();
            match &batch {
                Batch::One(future) => watch(future, group, index),
                Batch::Many(future, _) => watch(future, group, index),
                Batch::Refused(_) => group.completed(index),
            }
        }
        self.pending.push_back(Some(batch));
    }

    /// Submits as much as there is room for, in whole chunks unless nothing else is under way.
    fn refill(&mut self) {
        let Some(backend) = self.backend.clone() else { return };
        while self.source.is_some() && self.room > 0 && (self.room >= self.chunksize || self.pending.is_empty()) {
            match self.submit(&*backend) {
                Ok(true) => {}
                Ok(false) => break,
                // The rest of the input cannot be submitted, and this says why, behind the results that there are.
                Err(error) => self.push(Batch::Refused(error)),
            }
        }
    }

    /// Waits for the next batch. None: there is none. An error: the time is over.
    fn next_batch(&mut self) -> Option<Result<Batch<R>, Error>> {
        let index = match self.unordered.clone() {
            None => {
                let front = self.pending.front()?.as_ref()?;
                let done = match front {
                    Batch::One(future) => future.wait_done(self.deadline),
                    Batch::Many(future, _) => future.wait_done(self.deadline),
                    Batch::Refused(_) => true,
                };
                if !done {
                    return Some(Err(self.timed_out()));
                }
                0
            }
            Some(group) => {
                if self.pending.is_empty() {
                    return None;
                }
                match self.wait_for_any(&group) {
                    Some(number) => number - self.base,
                    None => return Some(Err(self.timed_out())),
                }
            }
        };
        let batch = self.pending[index].take();
        while let Some(None) = self.pending.front() {
            self.pending.pop_front();
            self.base += 1;
        }
        batch.map(Ok)
    }

    fn wait_for_any(&self, group: &Group) -> Option<usize> {
        loop {
            if let Some(number) = group.next() {
                return Some(number);
            }
            let helped = self.pending.iter().flatten().any(|batch| match batch {
                Batch::One(future) => help(future.task()),
                Batch::Many(future, _) => help(future.task()),
                Batch::Refused(_) => false,
            });
            if !helped {
                if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return None;
                }
                group.wait(self.deadline);
            }
        }
    }

    fn timed_out(&mut self) -> Error {
        let unread: usize = self.pending.iter().flatten().map(Batch::items).sum();
        self.cancel();
        Error::new(
            ErrorKind::Timeout,
            format!(
                "the map was not done {:?} after its call, with {unread} results to come: what had not started is cancelled",
                self.timeout.unwrap_or_default()
            ),
        )
    }

    /// Cancels what has not started, and asks the chunks that run to stop at their next item.
    fn cancel(&mut self) {
        fn stop<T: Send + 'static>(future: &Future<T>) {
            if !future.cancel() {
                future.task().state.ask_to_stop();
            }
        }
        self.source = None;
        for batch in self.pending.drain(..).flatten() {
            match batch {
                Batch::One(future) => stop(&future),
                Batch::Many(future, _) => stop(&future),
                Batch::Refused(_) => {}
            }
        }
        self.ready.clear();
    }
}

impl<R: Payload> Iterator for Map<R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Result<R, Error>> {
        // Here and not when an item leaves: what was yielded is what makes room, so the bound is never exceeded, and an
        // input that panics takes no result with it.
        self.refill();
        while self.ready.is_empty() {
            match self.next_batch()? {
                Ok(Batch::One(future)) => self.ready.push_back(future.result(None)),
                Ok(Batch::Refused(error)) => self.ready.push_back(Err(error)),
                Ok(Batch::Many(future, items)) => match future.result(None) {
                    Ok(results) => self.ready.extend(results),
                    Err(error) => self.ready.extend(std::iter::repeat_n(error, items).map(Err)),
                },
                Err(timeout) => return Some(Err(timeout)),
            }
        }
        self.room = self.room.saturating_add(1);
        self.ready.pop_front()
    }
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
            .field("pending", &self.pending.iter().flatten().map(Batch::items).sum::<usize>())
            .field("ready", &self.ready.len())
            .field("input_over", &self.source.is_none())
            .finish_non_exhaustive()
    }
}
