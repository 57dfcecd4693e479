//! What a task does when it is run: the kinds of work behind one trait.

use std::marker::PhantomData;

use crate::{
    Error, ErrorKind, Function, Payload, catch,
    codec::{self, Bytes},
    function::{Entry, outcome},
};

/// The function and the arguments of a task, in a form that can be run here, and perhaps be written down.
pub(crate) trait Work: Send + 'static {
    type Output: Send + 'static;

    /// What the task is called if nobody names it.
    fn name() -> &'static str;

    /// Runs user code, which may panic.
    fn run(self) -> Result<Self::Output, Error>;

    /// Writes the arguments down for another process.
    fn encode(self, into: &mut Vec<u8>) -> Result<Encoded, Error>;

    /// Reads the reply of the process that ran it.
    fn unpack(reply: Bytes) -> Result<Self::Output, Error>;
}

/// Which function is to be called on the bytes that were written, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// The function.
    pub entry: &'static Entry,
    /// None: the bytes are one argument. `Some(n)`: they are a batch of `n`, see [`crate::function::batch`].
    pub batch: Option<usize>,
}

/// Writes an argument behind what `into` holds, and drops it. On an error, a panic among them, `into` is as before.
pub(crate) fn write_argument<A: Payload>(task: &str, mut argument: A, into: &mut Vec<u8>) -> Result<(), Error> {
    let start = into.len();
    let written = catch::guarded_for(task, || codec::encode_taking(&mut argument, into)).flatten();
    if written.is_err() {
        into.truncate(start);
    }
    catch::contain(|| drop(argument));
    written
}

/// A function that can be found by its type, on an argument that can be written down.
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

/// What is behind a promise: nothing that could be run.
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
