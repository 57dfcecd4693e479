//! A map that gives each input back beside its result.

use std::{collections::VecDeque, fmt, sync::Arc};

use parking_lot::Mutex;

use super::Map;
use crate::{Error, ErrorKind, Payload};

/// An iterator over the inputs of [`Executor::map_pairs`](crate::Executor::map_pairs), each with its result.
///
/// Each input that was read is yielded once, in the order in which a [`Map`] with the same options yields the results.
/// If the map ends early, by a time-out or because the executor was shut down, the inputs that are left are yielded
/// with that error. Dropping the iterator cancels the calls that have not started.
///
/// # Panics
///
/// [`next`](Iterator::next) panics where that of [`Map`] does.
#[must_use = "iterators do nothing unless they are used; dropping this one cancels what has not started"]
pub struct MapPairs<A, R: Payload> {
    map: Map<R>,
    inputs: Arc<Inputs<A>>,
    /// The number of the next result of the batch that is being read.
    next: usize,
    /// Why the map has ended early.
    end: Option<Error>,
}

/// The inputs that were read and not yielded, by their numbers.
struct Inputs<A>(Mutex<Kept<A>>);

struct Kept<A> {
    /// The number of the first one in `list`.
    first: usize,
    list: VecDeque<Option<A>>,
}

impl<A> Inputs<A> {
    fn push(&self, input: A) {
        self.0.lock().list.push_back(Some(input));
    }

    /// Takes the input with this number.
    fn take(&self, number: usize) -> Option<A> {
        let mut kept = self.0.lock();
        let index = number.checked_sub(kept.first)?;
        let input = kept.list.get_mut(index)?.take();
        while let Some(None) = kept.list.front() {
            kept.list.pop_front();
            kept.first += 1;
        }
        input
    }

    /// Takes the first input that is left.
    fn take_first(&self) -> Option<A> {
        let first = self.0.lock().first;
        self.take(first)
    }
}

/// The input of the map, of whose items clones are kept.
pub(crate) struct Keeping<I: Iterator> {
    items: I,
    inputs: Arc<Inputs<I::Item>>,
}

impl<I: Iterator<Item: Clone>> Iterator for Keeping<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let item = self.items.next()?;
        // Cloning is user code, so it happens before the lock is taken.
        let clone = item.clone();
        self.inputs.push(clone);
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

/// Starts a map with `start`, which is given the input, and keeps clones of the items.
pub(crate) fn start<I, R>(
    items: I,
    start: impl FnOnce(Keeping<I>) -> Result<Map<R>, Error>,
) -> Result<MapPairs<I::Item, R>, Error>
where
    I: Iterator<Item: Clone>,
    R: Payload,
{
    let inputs = Arc::new(Inputs(Mutex::new(Kept { first: 0, list: VecDeque::new() })));
    let map = start(Keeping { items, inputs: inputs.clone() })?;
    Ok(MapPairs { map, inputs, next: 0, end: None })
}

impl<A, R: Payload> MapPairs<A, R> {
    /// Returns the next result and the number of its input. Once the map has ended, returns `None`.
    fn next_result(&mut self) -> Option<(usize, Result<R, Error>)> {
        if self.end.is_some() {
            return None;
        }
        if self.map.backend.is_some() {
            self.map.refill();
        }
        loop {
            if let Some(result) = self.map.ready.next() {
                self.map.allowance = self.map.allowance.saturating_add(1);
                self.next += 1;
                return Some((self.next - 1, result));
            }
            match self.map.read_next_batch(self.map.deadline)? {
                Ok(()) => self.next = self.map.ready_first,
                Err(error) => {
                    self.end = Some(error);
                    return None;
                }
            }
        }
    }
}

impl<A, R: Payload> Iterator for MapPairs<A, R> {
    type Item = (A, Result<R, Error>);

    fn next(&mut self) -> Option<(A, Result<R, Error>)> {
        while let Some((number, result)) = self.next_result() {
            if let Some(input) = self.inputs.take(number) {
                return Some((input, result));
            }
        }
        let input = self.inputs.take_first()?;
        let error = self.end.as_ref().or(self.map.failure.as_ref()).cloned();
        let error = error.unwrap_or_else(|| Error::new(ErrorKind::Cancelled, "the map ended before this item"));
        Some((input, Err(error)))
    }
}

impl<A, R: Payload> std::iter::FusedIterator for MapPairs<A, R> {}

impl<A, R: Payload> fmt::Debug for MapPairs<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.inputs.0.lock().list.iter().flatten().count();
        f.debug_struct("MapPairs").field("map", &self.map).field("inputs", &kept).finish()
    }
}
