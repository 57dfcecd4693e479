//! Several items of a map as one task.

use std::marker::PhantomData;

use crate::{
    Error, ErrorKind, Function, Payload,
    function::{Entry, batch, outcome},
    task::{
        self,
        work::{Encoded, Work, guarded, guarded_for, write_argument},
    },
};

/// One call for each item; what becomes of one does not touch the others.
pub(super) struct Chunk<F, A, R> {
    pub(super) function: F,
    pub(super) items: Vec<A>,
    pub(super) result: PhantomData<fn() -> R>,
}

impl<F: Function<A, R>, A: Payload, R: Payload> Work for Chunk<F, A, R> {
    type Output = Vec<Result<R, Error>>;

    fn name() -> &'static str {
        std::any::type_name::<F>()
    }

    fn run(self) -> Result<Self::Output, Error> {
        let function = self.function;
        let call = |item| {
            // Also for the item that is only dropped, because its `Drop` is user code.
            let called = guarded(|| {
                // A map that was dropped or ran out of time asks its running chunks to stop at the next item.
                if task::current_is_asked_to_stop() {
                    drop(item);
                    return Err(Error::new(ErrorKind::Cancelled, "the map that this item belongs to was dropped"));
                }
                Ok(function(item))
            });
            called.flatten()
        };
        Ok(self.items.into_iter().map(call).collect())
    }

    fn encode(self, into: &mut Vec<u8>) -> Result<Encoded, Error> {
        let count = self.items.len();
        for item in self.items {
            batch::write_argument(into, |into| write_argument(Self::name(), item, into));
        }
        Ok(Encoded { entry: Entry::of::<F, A, R>(), batch: Some(count) })
    }

    fn unpack(reply: &[u8]) -> Result<Self::Output, Error> {
        // The error of the whole task, or the records of its items.
        match reply.split_first() {
            Some((&0, records)) => {
                let read = |record| guarded_for(Self::name(), || outcome::read(record)).flatten();
                Ok(batch::records(records).map(read).collect())
            }
            _ => {
                Err(outcome::read::<()>(reply).err().unwrap_or_else(|| Error::new(ErrorKind::Decode, "an empty reply")))
            }
        }
    }
}
