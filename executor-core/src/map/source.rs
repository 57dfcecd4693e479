//! The input side of a map: reads items, and submits them one by one or in chunks.

use std::{marker::PhantomData, sync::Arc};

use super::{answers::Answers, chunk::Chunk, pace::Pace};
use crate::{
    Backend, Error, ErrorKind, Function, Future, Payload, Task, TaskOptions,
    task::work::{Submitted, Work},
};

/// What was submitted at once, and what it will answer.
pub(super) enum Batch<R> {
    One(Future<R>),
    Many(Future<Answers<R>>, usize),
    /// Items that could not be submitted; their places in the results are kept.
    Refused(Error, usize),
}

impl<R> Batch<R> {
    /// How many results it will answer.
    pub(super) fn items(&self) -> usize {
        match self {
            Batch::One(_) => 1,
            Batch::Many(_, items) | Batch::Refused(_, items) => *items,
        }
    }
}

/// The input of a map, whatever its types.
pub(super) trait Source<R>: Send {
    /// How many items there are to come, if the input knows that.
    fn left(&mut self) -> Option<usize>;

    /// Submits the next items, at most `most`. None: the input is over. An error: nothing can be submitted any more.
    fn submit(&mut self, backend: &dyn Backend, most: usize) -> Result<Option<Batch<R>>, Error>;
}

pub(super) struct Input<F, I: Iterator, R> {
    function: F,
    items: I,
    /// Whether `items` came to its end, or panicked: either way it is not asked again.
    over: bool,
    /// What was read and not submitted. Something is left in here only if `items` panicked.
    read: Vec<I::Item>,
    /// Where the chunks tell what they cost, if that decides how large the next ones are.
    pace: Option<Arc<Pace>>,
    result: PhantomData<fn() -> R>,
}

/// For so many items there is room at once. An input may say that it has more than memory holds, and have three.
const AT_ONCE: usize = 4096;

impl<F, I: Iterator, R> Input<F, I, R> {
    pub(super) fn new(function: F, items: I, pace: Option<Arc<Pace>>) -> Input<F, I, R> {
        Input { function, items, over: false, read: Vec::new(), pace, result: PhantomData }
    }

    /// Reads until there are `most` items. User code runs here, and may unwind.
    fn fill(&mut self, most: usize) {
        while self.read.len() < most && !self.over {
            let wanted = self.read.len() + (most - self.read.len()).min(AT_ONCE);
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
        // This is user code too, and if it panics, so would reading.
        self.over = true;
        let (least, most) = self.items.size_hint();
        self.over = false;
        (most == Some(least)).then(|| least.saturating_add(self.read.len()))
    }

    fn submit(&mut self, backend: &dyn Backend, most: usize) -> Result<Option<Batch<R>>, Error> {
        self.fill(most);
        let (function, result) = (self.function, PhantomData);
        let count = self.read.len();
        let Some(args) = self.read.pop() else { return Ok(None) };
        let scheduled = if most == 1 && self.pace.is_none() {
            schedule(backend, Submitted { function, args, result }).map(Batch::One)
        } else {
            self.read.push(args);
            let (items, pace) = (std::mem::take(&mut self.read), self.pace.clone());
            schedule(backend, Chunk { function, items, pace, result }).map(|future| Batch::Many(future, count))
        };
        match scheduled {
            Ok(batch) => Ok(Some(batch)),
            // The items alone are to blame, so the map goes on without them.
            Err(error) if matches!(error.kind(), ErrorKind::Encode | ErrorKind::Panicked) => {
                Ok(Some(Batch::Refused(error, count)))
            }
            Err(error) => Err(error),
        }
    }
}

fn schedule<W: Work>(backend: &dyn Backend, work: W) -> Result<Future<W::Output>, Error> {
    let (task, typed) = Task::new(work, TaskOptions::new(), true);
    backend.schedule(task)?;
    Ok(Future::new::<W>(typed))
}
