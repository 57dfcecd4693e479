//! Several items of a map as one task.

use std::{marker::PhantomData, sync::Arc, time::Instant};

use super::{answers::Answers, pace::Pace};
use crate::{
    Error, ErrorKind, Function, Payload, catch,
    codec::{self, Bytes},
    function::{
        Entry,
        batch::{self, Records},
        outcome,
    },
    task::{
        self,
        work::{Encoded, Work, guarded, guarded_for},
    },
};

/// One call for each item; what becomes of one does not touch the others.
pub(super) struct Chunk<F, A, R> {
    pub(super) function: F,
    pub(super) items: Vec<A>,
    /// Where to tell what they cost, if anybody wants to know.
    pub(super) pace: Option<Arc<Pace>>,
    pub(super) result: PhantomData<fn() -> R>,
}

impl<F: Function<A, R>, A: Payload, R: Payload> Work for Chunk<F, A, R> {
    type Output = Answers<R>;

    fn name() -> &'static str {
        std::any::type_name::<F>()
    }

    fn run(self) -> Result<Answers<R>, Error> {
        let Chunk { function, items, pace, .. } = self;
        let count = items.len();
        let timed = pace.map(|pace| (pace, Instant::now()));
        let mut answers = Answers::with_capacity(count);
        let mut items = items.into_iter();
        let context = task::current();
        let is_stopped = || context.as_ref().is_some_and(task::Context::is_cancelled);
        // One catch for all items up to one that panics, and another for those behind it.
        while items.len() > 0 {
            let values = answers.values();
            let called = guarded(|| {
                // A map that was dropped or ran out of time asks its running chunks to stop at the next item.
                while !is_stopped()
                    && let Some(item) = items.next()
                {
                    values.push(function(item));
                }
                // What is only dropped is dropped here, for its `Drop` is user code.
                items.next().map(drop).is_some()
            });
            match called {
                Ok(false) => {}
                Ok(true) => {
                    let error = Error::new(ErrorKind::Cancelled, "the map that this item belongs to was dropped");
                    answers.push(Err(error));
                }
                Err(error) => answers.push(Err(error)),
            }
        }
        if let Some((pace, started)) = timed {
            pace.note(count, started.elapsed());
        }
        Ok(answers)
    }

    fn encode(self, into: &mut Vec<u8>) -> Result<Encoded, Error> {
        let count = self.items.len();
        // A guess that is right for numbers, and not far off for what is larger.
        into.reserve(count * (batch::FRAME + size_of::<A>()));
        let mut items = self.items.into_iter();
        // As for `run`: one catch for all items up to one that panics. That one is not dropped on the way out of a
        // panic, for its `Drop` may panic too.
        let mut start = into.len();
        let mut written = None;
        loop {
            let caught = guarded_for(Self::name(), || {
                loop {
                    start = into.len();
                    written = items.next();
                    let Some(item) = &written else { return };
                    batch::write_argument(into, |into| codec::encode(item, into));
                    catch::drop_contained(written.take());
                }
            });
            let Err(error) = caught else { break };
            catch::drop_contained(written.take());
            into.truncate(start);
            batch::write_argument(into, |_| Err(error));
        }
        Ok(Encoded { entry: Entry::of::<F, A, R>(), batch: Some(count) })
    }

    fn unpack(reply: Bytes) -> Result<Answers<R>, Error> {
        // The error of the whole task, or the records of its items.
        let records = outcome::open(&reply)?;
        Ok(read(Self::name(), batch::records(records)))
    }
}

/// Reads the outcomes, with one catch for all of them up to one that panics, or is an error.
fn read<R: Payload>(name: &str, mut outcomes: Records<'_>) -> Answers<R> {
    let mut answers = Answers::with_capacity(outcomes.clone().count());
    loop {
        let values = answers.values();
        let read = guarded_for(name, || {
            for outcome in outcomes.by_ref() {
                values.push(outcome::read(outcome)?);
            }
            Ok(())
        });
        match read.flatten() {
            Ok(()) => return answers,
            Err(error) => answers.push(Err(error)),
        }
    }
}
