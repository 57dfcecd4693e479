//! The kinds of work: a function that can be sent to another process, a closure, and the work of a promise.

use std::marker::PhantomData;

use super::work::{Encoded, Work};
use crate::{
    Error, ErrorKind, Function, Payload, catch,
    codec::{self, Bytes},
    function::{Entry, outcome},
};

/// A function that another process finds by its type, with an argument that can be encoded.
pub(crate) struct Submitted<F, A, R> {
    pub(crate) function: F,
    pub(crate) args: A,
    pub(crate) result: PhantomData<fn() -> R>,
}

impl<F: Function<A, R>, A: Payload, R: Payload> Work for Submitted<F, A, R> {
    type Output = R;

    fn name() -> &'static str {
        std::any::type_name::<F>()
    }

    fn run(self) -> Result<R, Error> {
        Ok((self.function)(self.args))
    }

    fn encode(self, into: &mut Vec<u8>) -> Result<Encoded, Error> {
        write_argument(Self::name(), self.args, into)?;
        Ok(Encoded { entry: Entry::of::<F, A, R>(), batch: None })
    }

    fn unpack(reply: Bytes) -> Result<R, Error> {
        outcome::unpack(reply)
    }
}

/// Appends an argument to `into`, and drops it. On an error or a panic `into` is as before. All functions with this
/// argument share it.
#[inline(never)]
fn write_argument<A: Payload>(task: &str, mut argument: A, into: &mut Vec<u8>) -> Result<(), Error> {
    if codec::number_size::<A>().is_some() {
        // No user code encodes or drops a number, so nothing panics.
        return codec::encode(&argument, into);
    }
    let start = into.len();
    let written = catch::guarded_for(task, || codec::encode_taking(&mut argument, into)).unwrap_or_else(Err);
    if written.is_err() {
        into.truncate(start);
    }
    catch::contain(|| drop(argument));
    written
}

/// A closure that captures, which only this process can run.
pub(crate) struct Closure<C>(pub(crate) C);

impl<C, R> Work for Closure<C>
where
    C: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    type Output = R;

    fn name() -> &'static str {
        std::any::type_name::<C>()
    }

    fn run(self) -> Result<R, Error> {
        Ok((self.0)())
    }

    fn encode(self, _: &mut Vec<u8>) -> Result<Encoded, Error> {
        Err(in_this_process_only(Self::name()))
    }

    fn unpack(_: Bytes) -> Result<R, Error> {
        Err(in_this_process_only(Self::name()))
    }
}

/// A closure that borrows, for [`scoped`](crate::scoped). The task is named after `N`.
pub(crate) struct Scoped<N, C> {
    pub(crate) closure: C,
    pub(crate) name: PhantomData<fn() -> N>,
}

impl<N, C: FnOnce() -> Result<(), Error> + Send> Work for Scoped<N, C> {
    type Output = ();

    fn name() -> &'static str {
        std::any::type_name::<N>()
    }

    fn run(self) -> Result<(), Error> {
        (self.closure)()
    }

    fn encode(self, _: &mut Vec<u8>) -> Result<Encoded, Error> {
        Err(in_this_process_only(Self::name()))
    }

    fn unpack(_: Bytes) -> Result<(), Error> {
        Err(in_this_process_only(Self::name()))
    }
}

/// The work of a promise, which cannot be run.
pub(crate) struct Promised<T>(pub(crate) PhantomData<fn() -> T>);

impl<T: Send + 'static> Work for Promised<T> {
    type Output = T;

    fn name() -> &'static str {
        "promise"
    }

    fn run(self) -> Result<T, Error> {
        Err(in_this_process_only(Self::name()))
    }

    fn encode(self, _: &mut Vec<u8>) -> Result<Encoded, Error> {
        Err(in_this_process_only(Self::name()))
    }

    fn unpack(_: Bytes) -> Result<T, Error> {
        Err(in_this_process_only(Self::name()))
    }
}

fn in_this_process_only(name: &str) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!("`{name}` only exists in this process: submit a function that captures nothing to send it to another"),
    )
}
