//! A task that has several items of a map.

use std::{marker::PhantomData, sync::Arc, time::Instant};

use super::{chunking::CostEstimate, results::Results};
use crate::{
    Error, ErrorKind, Function, Payload,
    catch::{self, guarded, guarded_for},
    codec::{self, Bytes},
    function::{
        Entry,
        batch::{self, NumberRecord, Records},
        outcome,
    },
    task::{
        self,
        work::{Encoded, Work},
    },
    unread,
};

/// The task that calls the function once for each item. The outcome of one item does not affect the others.
pub(super) struct Chunk<F, A, R> {
    pub(super) function: F,
    pub(super) items: Vec<A>,
    /// The estimate to update, unless the size of the chunks is fixed.
    pub(super) estimate: Option<Arc<CostEstimate>>,
    pub(super) result: PhantomData<fn() -> R>,
}

impl<F: Function<A, R>, A: Payload, R: Payload> Work for Chunk<F, A, R> {
    type Output = Results<R>;

    fn name() -> &'static str {
        std::any::type_name::<F>()
    }

    fn run(self) -> Result<Results<R>, Error> {
        let Chunk { function, items, estimate, .. } = self;
        let count = items.len();
        let timed = estimate.map(|estimate| (estimate, Instant::now()));
        let mut results = Results::with_capacity(count);
        let mut items = items.into_iter();
        let context = task::current();
        let is_stopped = || context.as_ref().is_some_and(task::Context::is_cancelled);
        // Catching panics costs time, so one catch covers all items up to the first one that panics.
        while items.len() > 0 {
            let values = results.values();
            let called = guarded(|| {
                // A map that was dropped or timed out asks its running chunks to stop before the next item.
                while !is_stopped() {
                    let Some(item) = items.next() else { break };
                    values.push(function(item));
                }
                // The remaining items are dropped inside the catch, because their `Drop` is user code.
                items.next().map(drop).is_some()
            });
            match called {
                Ok(false) => {}
                Ok(true) => {
                    let error = Error::new(ErrorKind::Cancelled, "the map that this item belongs to was dropped");
                    results.push(Err(error));
                }
                Err(error) => results.push(Err(error)),
            }
        }
        if let Some((estimate, started)) = timed {
            estimate.update(count, started.elapsed());
        }
        Ok(results)
    }

    fn encode(self, into: &mut Vec<u8>) -> Result<Encoded, Error> {
        let count = self.items.len();
        // The estimated size is exact for numbers, and close for larger types.
        into.reserve(count * (batch::FRAME + size_of::<A>()));
        let mut items = self.items.into_iter();
        // One catch covers all items up to the first one that panics, as in `run`. That item must not be dropped while
        // the panic unwinds, because its `Drop` may panic too.
        let mut start = into.len();
        let mut written = None;
        loop {
            let caught = guarded_for(Self::name(), || {
                loop {
                    start = into.len();
                    written = items.next();
                    let Some(item) = &written else { return };
                    match NumberRecord::of(item) {
                        Some(record) => into.extend_from_slice(&record),
                        None => batch::write_argument(into, |into| codec::encode(item, into)),
                    }
                    catch::drop_contained(written.take());
                }
            });
            let Err(error) = caught else { break };
            catch::drop_contained(written.take());
            into.truncate(start);
            batch::write_argument(into, |_| Err(error));
        }
        Ok(Encoded { entry: Entry::of_batch::<F, A, R>(), batch: Some(count) })
    }

    const HAS_INNER_ERRORS: bool = true;

    fn report_unread(reply: &[u8]) {
        let Ok(outcomes) = outcome::open(reply) else { return };
        let errors = batch::records(outcomes).filter(|outcome| outcome::is_error(outcome));
        unread::report_chunk(errors.filter_map(|error| outcome::open(error).err()));
    }

    fn unpack(reply: Bytes) -> Result<Results<R>, Error> {
        // This fails with the error of the whole task, or returns the records of its items.
        let records = outcome::open(&reply)?;
        Ok(read(Self::name(), batch::records(records)))
    }
}

/// Returns for how many results to allocate. The outcomes of numbers have one length, and need not be counted. Errors
/// are longer, for which this would be too many, so it is bounded; a vector of more results grows.
fn capacity<R: Payload>(outcomes: &Records<'_>) -> usize {
    const MOST: usize = 1 << 16;
    match codec::number_size::<R>() {
        Some(size) => (outcomes.rest().len() / (batch::FRAME + size)).min(MOST),
        None => outcomes.clone().count(),
    }
}

/// Reads the outcomes. One catch covers all of them up to the first one that panics or is an error.
fn read<R: Payload>(name: &str, mut outcomes: Records<'_>) -> Results<R> {
    let mut results = Results::with_capacity(capacity::<R>(&outcomes));
    loop {
        let values = results.values();
        let read = guarded_for(name, || {
            for outcome in outcomes.by_ref() {
                values.push(outcome::read(outcome)?);
            }
            Ok(())
        });
        match read.unwrap_or_else(Err) {
            Ok(()) => return results,
            Err(error) => results.push(Err(error)),
        }
    }
}
