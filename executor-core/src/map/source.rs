//! The input side of a map: reads items, and submits them one by one or in chunks.

use std::marker::PhantomData;

use super::chunk::Chunk;
use crate::{
    Backend, Error, ErrorKind, Function, Future, Payload, Task, TaskOptions,
    task::work::{Submitted, Work},
};

/// What was submitted at once, and what it will answer.
pub(super) enum Batch<R> {
    One(Future<R>),
    Many(Future<Vec<Result<R, Error>>>, usize),
    /// An item that could not be submitted; its place in the results is kept.
    Refused(Error),
}

impl<R> Batch<R> {
    /// How many results it will answer.
    pub(super) fn items(&self) -> usize {
        match self {
            Batch::One(_) | Batch::Refused(_) => 1,
            Batch::Many(_, items) => *items,
        }
    }
}

/// The input of a map, whatever its types.
pub(super) trait Source<R>: Send {
    /// Submits the next items, at most `most`. None: the input is over.
    fn submit(&mut self, backend: &dyn Backend, most: usize) -> Option<Result<Batch<R>, Error>>;
}

pub(super) struct Input<F, I, R> {
    pub(super) function: F,
    pub(super) items: I,
    pub(super) result: PhantomData<fn() -> R>,
}

impl<F, I, R> Source<R> for Input<F, I, R>
where
    I: Iterator + Send,
    I::Item: Payload,
    F: Function<I::Item, R>,
    R: Payload,
{
    fn submit(&mut self, backend: &dyn Backend, most: usize) -> Option<Result<Batch<R>, Error>> {
        let (function, result) = (self.function, PhantomData);
        if most <= 1 {
            let args = self.items.next()?;
            return Some(schedule(backend, Submitted { function, args, result }).map(Batch::One));
        }
        let items: Vec<I::Item> = self.items.by_ref().take(most).collect();
        if items.is_empty() {
            return None;
        }
        let count = items.len();
        Some(schedule(backend, Chunk { function, items, result }).map(|future| Batch::Many(future, count)))
    }
}

fn schedule<W: Work>(backend: &dyn Backend, work: W) -> Result<Future<W::Output>, Error> {
    let (task, typed) = Task::new(work, TaskOptions::new(), true);
    backend.schedule(task)?;
    Ok(Future::new::<W>(typed))
}

/// Whether the item alone is to blame, so that the map goes on without it.
pub(super) fn blames_the_item(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Encode | ErrorKind::Panicked)
}
