//! The input side of a map, which reads items and submits them one by one or in chunks.

use std::{marker::PhantomData, sync::Arc};

use super::{
    chunk::Chunk,
    chunking::CostEstimate,
    results::{Names, Results},
};
use crate::{
    Backend, Error, ErrorKind, Function, Future, Payload, Task,
    options::Namer,
    task::{cell::TaskRef, kinds::Submitted, rare::Rare},
};

/// The items that were submitted together, and their results.
pub(super) enum Batch<R> {
    One(Future<R>),
    Many(Future<Results<R>>, usize),
    /// Items that could not be submitted. Each is an error in the results.
    Refused(Error, usize),
}

impl<R> Batch<R> {
    /// Returns the number of items, which is the number of results.
    pub(super) fn items(&self) -> usize {
        match self {
            Batch::One(_) => 1,
            Batch::Many(_, items) | Batch::Refused(_, items) => *items,
        }
    }

    /// Returns other handles of the same tasks.
    pub(super) fn alias(&self) -> Batch<R>
    where
        R: Send + 'static,
    {
        match self {
            Batch::One(future) => Batch::One(future.alias()),
            Batch::Many(future, items) => Batch::Many(future.alias(), *items),
            Batch::Refused(error, items) => Batch::Refused(error.clone(), *items),
        }
    }

    /// Returns the task, if there is one.
    pub(super) fn task(&self) -> Option<&TaskRef>
    where
        R: Send + 'static,
    {
        match self {
            Batch::One(future) => Some(future.task()),
            Batch::Many(future, _) => Some(future.task()),
            Batch::Refused(..) => None,
        }
    }
}

/// The input of a map, without its types.
pub(super) trait Source<R>: Send {
    /// Returns how many items are left, if that is known.
    fn left(&mut self) -> Option<usize>;

    /// Makes the task of the next items, at most `most`. Returns `None` at the end of the input.
    fn next(&mut self, most: usize) -> Option<Unsubmitted<R>>;
}

/// Items that were read, as a task that was not submitted yet.
pub(super) struct Unsubmitted<R> {
    pub(super) task: Task,
    pub(super) batch: Batch<R>,
    pub(super) names: Names,
}

impl<R> Unsubmitted<R> {
    /// Submits the task.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing can be submitted any more. An error that concerns only these items is their outcome.
    pub(super) fn submit(self, backend: &dyn Backend) -> Result<(Batch<R>, Names), Error> {
        let batch = match backend.schedule(self.task) {
            Ok(()) => self.batch,
            // Only these items are at fault, so the map continues with the next ones.
            Err(error) if matches!(error.kind(), ErrorKind::Encode | ErrorKind::Panicked) => {
                Batch::Refused(error, self.batch.items())
            }
            Err(error) => return Err(error),
        };
        Ok((batch, self.names))
    }
}

pub(super) struct Input<F, I: Iterator, R> {
    function: F,
    items: I,
    /// Whether `items` has ended or panicked. If so, it is not called again.
    over: bool,
    /// The items that were read and not submitted. Between calls it is empty, unless `items` panicked.
    read: Vec<I::Item>,
    /// The estimate that the chunks update, unless the size of the chunks is fixed.
    estimate: Option<Arc<CostEstimate>>,
    namer: Option<Namer<I::Item>>,
    result: PhantomData<fn() -> R>,
}

/// Items are read in portions of this size, so that a wrong size hint of the input does not reserve all memory.
const PORTION: usize = 4096;

impl<F, I: Iterator, R> Input<F, I, R> {
    pub(super) fn new(
        function: F,
        items: I,
        estimate: Option<Arc<CostEstimate>>,
        namer: Option<Namer<I::Item>>,
    ) -> Input<F, I, R> {
        Input { function, items, over: false, read: Vec::new(), estimate, namer, result: PhantomData }
    }

    /// Reads until there are `most` items. This calls user code, which may panic.
    fn fill(&mut self, most: usize) {
        while self.read.len() < most && !self.over {
            let wanted = self.read.len() + (most - self.read.len()).min(PORTION);
            self.over = true;
            self.read.extend(self.items.by_ref().take(wanted - self.read.len()));
            self.over = self.read.len() < wanted;
        }
    }
}

impl<F, I, R> Source<R> for Input<F, I, R>
where
    I: Iterator + Send,
    I::Item: Payload,
    F: Function<I::Item, R>,
    R: Payload,
{
    fn left(&mut self) -> Option<usize> {
        if self.over {
            return Some(self.read.len());
        }
        // This is user code too. If it panics, the input counts as ended.
        self.over = true;
        let (least, most) = self.items.size_hint();
        self.over = false;
        (most == Some(least)).then(|| least.saturating_add(self.read.len()))
    }

    fn next(&mut self, most: usize) -> Option<Unsubmitted<R>> {
        self.fill(most);
        // This calls user code, which may panic: the items are still in `read` then.
        let names = self.namer.as_ref().map(|namer| self.read.iter().map(|item| namer(item)).collect());
        let (function, result) = (self.function, PhantomData);
        let count = self.read.len();
        let args = self.read.pop()?;
        let (task, batch) = if most == 1 && self.estimate.is_none() {
            let (task, typed) = Task::new(Submitted { function, args, result }, Rare::none(), true);
            (task, Batch::One(Future::new(typed)))
        } else {
            self.read.push(args);
            let (items, estimate) = (std::mem::take(&mut self.read), self.estimate.clone());
            let chunk = Chunk { function, items, estimate, result };
            let (task, typed) = Task::new(chunk, Rare::none(), true);
            (task, Batch::Many(Future::new(typed), count))
        };
        Some(Unsubmitted { task, batch, names })
    }
}
