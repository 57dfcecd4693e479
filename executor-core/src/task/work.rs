//! What a task does when it is run.

use crate::{Error, codec::Bytes, function::Entry};

/// The function and the arguments of a task, in a form that this process can run, and perhaps encode for another.
pub(crate) trait Work: Send + 'static {
    type Output: Send + 'static;

    /// Returns the task's name if its options have none.
    fn name() -> &'static str;

    /// Runs user code, which may panic.
    fn run(self) -> Result<Self::Output, Error>;

    /// Encodes the arguments for another process.
    fn encode(self, into: &mut Vec<u8>) -> Result<Encoded, Error>;

    /// Decodes the reply of the process that ran the task.
    fn unpack(reply: Bytes) -> Result<Self::Output, Error>;
}

/// The function that another process must call on the encoded arguments, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// The function.
    pub entry: &'static Entry,
    /// `None` if the bytes are one argument, `Some(n)` if they are a [batch](crate::function::batch) of `n`.
    pub batch: Option<usize>,
}
