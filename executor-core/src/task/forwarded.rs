//! A task that another process submitted, and that this process passes on as the bytes that it received.
//!
//! A back-end that reaches other machines has an agent there. The agent receives the encoded arguments of tasks, and
//! runs them on an executor of its own machine. It knows the function's [`Entry`](crate::function::Entry), but neither
//! the type of the argument nor that of the result, so it decodes neither.

use super::{
    Task,
    encoded::call,
    origin::Origin,
    rare::Rare,
    work::{Encoded, Work},
};
use crate::{
    Error, ErrorKind, Future, TaskOptions,
    codec::Bytes,
    function::{batch, outcome},
    options::Settings,
};

/// The outcome of a forwarded task: a value or an error, in the bytes in which the task's own process expects it.
///
/// See [`Task::forwarded`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(Bytes);

impl Reply {
    /// Returns the reply that a result of [`Future::result`] stands for. An error of the executor, such as that of a
    /// worker that died, becomes a reply that is an error.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; }
    /// use concurrent_futures::{Error, ErrorKind, task::Reply};
    /// let lost = Reply::of(Err(Error::new(ErrorKind::WorkerDied, "its worker was killed")));
    /// assert!(lost.is_error());
    /// ```
    pub fn of(result: Result<Reply, Error>) -> Reply {
        result.unwrap_or_else(|error| {
            let mut bytes = Vec::new();
            outcome::write_error(&error, &mut bytes);
            Reply(bytes.into())
        })
    }

    /// Returns whether the task failed. It is `false` for a batch of which some items failed.
    pub fn is_error(&self) -> bool {
        outcome::is_error(&self.0)
    }

    /// Returns the bytes, with which the process that submitted the task calls [`Task::complete`].
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Task {
    /// Makes a task out of what [`Task::encode`] returned in another process: the function, and the bytes of the
    /// arguments. Any back-end accepts it. Its future has the bytes of the outcome.
    ///
    /// A back-end that runs tasks in other processes sends the same bytes on, and treats a batch as one: the death of a
    /// worker costs the item that it was running. `schedule` does not block for it, and returns
    /// [`QueueFull`](ErrorKind::QueueFull) while the back-end is bounded and full. If the options have no name, the
    /// task has that of the function.
    ///
    /// ```
    /// # mod concurrent_futures { pub use executor_core::*; }
    /// use concurrent_futures::{Backend, Error, InlineExecutor, TaskId, TaskOptions, task::{Encoded, Origin, Task}};
    ///
    /// /// Runs what another process has encoded, and returns the reply.
    /// fn run(id: TaskId, function: Encoded, argument: Vec<u8>) -> Result<Vec<u8>, Error> {
    ///     let origin = Origin { task: id, attempt: 1 };
    ///     let (task, future) = Task::forwarded(TaskOptions::new(), origin, function, argument)?;
    ///     InlineExecutor::new().schedule(task)?;
    ///     Ok(future.result(None)?.into_bytes().into_vec())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the function is called for a batch, and the argument is not a batch of that many items.
    pub fn forwarded(
        options: TaskOptions,
        origin: Origin,
        function: Encoded,
        argument: impl Into<Bytes>,
    ) -> Result<(Task, Future<Reply>), Error> {
        let argument = argument.into();
        if let Some(items) = function.batch {
            check_batch(items, &argument)?;
        }
        let options = if options.name.is_some() { options } else { options.name(function.entry.name()) };
        let settings = Settings { options, origin: Some(origin) };
        let (task, typed) = Task::new(Forwarded { function, argument }, Rare::with_settings(settings), false);
        Ok((task, Future::new(typed)))
    }

    /// Returns where the task comes from, if another process submitted it and this one [forwards](Task::forwarded) it.
    ///
    /// A back-end that runs tasks in other processes tells them this identity instead of its own.
    pub fn origin(&self) -> Option<Origin> {
        self.task.origin()
    }
}

/// The back-end that runs the batch counts on as many records as were announced.
fn check_batch(items: usize, argument: &[u8]) -> Result<(), Error> {
    let mut records = batch::records(argument);
    let found = records.by_ref().count();
    if found == items && records.rest().is_empty() {
        return Ok(());
    }
    let message = format!("a batch of {items} items arrived damaged: it has {found} whole items");
    Err(Error::new(ErrorKind::Decode, message))
}

/// The work of a forwarded task.
struct Forwarded {
    function: Encoded,
    argument: Bytes,
}

impl Work for Forwarded {
    type Output = Reply;

    fn name() -> &'static str {
        "forwarded task"
    }

    fn run(self) -> Result<Reply, Error> {
        Ok(Reply(call(self.function, &mut self.argument.into_vec()).into()))
    }

    fn encode(self, into: &mut Vec<u8>) -> Result<Encoded, Error> {
        if into.is_empty() && self.argument.is_vector() {
            *into = self.argument.into_vec();
        } else {
            into.extend_from_slice(&self.argument);
        }
        Ok(self.function)
    }

    fn unpack(reply: Bytes) -> Result<Reply, Error> {
        Ok(Reply(reply))
    }
}
