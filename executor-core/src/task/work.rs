//! The work of a task: what it does when it runs.

use crate::{Error, codec::Bytes, function::Entry};

/// The function and the arguments of a task. This process can run them, and may be able to encode them for another
/// process.
///
/// It is not `'static`, because the work of a [scoped](crate::scoped) task borrows.
pub(crate) trait Work: Send {
    type Output: Send + 'static;

    /// Returns the task's name if its options have none.
    fn name() -> &'static str;

    /// Runs user code, which may panic.
    fn run(self) -> Result<Self::Output, Error>;

    /// Encodes the arguments for another process.
    fn encode(self, into: &mut Vec<u8>) -> Result<Encoded, Error>;

    /// Decodes the reply of the process that ran the task.
    fn unpack(reply: Bytes) -> Result<Self::Output, Error>;

    /// Whether a reply that is a value may contain panics, which must be printed if no one reads it.
    const HAS_INNER_ERRORS: bool = false;

    /// Prints the panics in a reply that no one has read. It is called if [`HAS_INNER_ERRORS`](Work::HAS_INNER_ERRORS).
    fn report_unread(_: &[u8]) {}
}

/// The function that another process must call on the encoded arguments, and the number of calls.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// The function.
    pub entry: &'static Entry,
    /// The number of items if the bytes are a [batch](crate::function::batch), or `None` if they are one argument.
    pub batch: Option<usize>,
}
