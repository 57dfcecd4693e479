//! The end of a task.

use executor_core::{
    Error, Task,
    codec::{Bytes, handles::Handles},
    function::outcome,
    task::Completed,
};

use crate::trace::Event;

/// A task that has ended, with its outcome.
pub(crate) enum Completion {
    Reply(Task, Bytes),
    /// A reply with handles, which is boxed because it is rare.
    ReplyWith(Task, Box<(Bytes, Handles)>),
    Error(Task, Error),
    Cancel(Task),
}

impl Completion {
    fn task(&self) -> &Task {
        match self {
            Completion::Reply(task, _)
            | Completion::ReplyWith(task, _)
            | Completion::Error(task, _)
            | Completion::Cancel(task) => task,
        }
    }

    /// Returns `Some(true)` if the task has a value, `Some(false)` if it has an error, and `None` if it was cancelled.
    /// A reply that cannot be decoded counts as a value, because this does not decode it.
    pub(crate) fn has_value(&self) -> Option<bool> {
        match self {
            Completion::Reply(_, reply) => Some(!outcome::is_error(reply)),
            Completion::ReplyWith(_, reply) => Some(!outcome::is_error(&reply.0)),
            Completion::Error(..) => Some(false),
            Completion::Cancel(_) => None,
        }
    }

    /// Returns the event that reports the end. `worker` is the name of the worker that had the task.
    pub(super) fn event(&self, worker: &str) -> Event {
        let task = self.task();
        Event::Done {
            task: task.id().as_u64(),
            name: task.name().to_string(),
            worker: worker.to_string(),
            has_value: self.has_value(),
        }
    }

    /// Completes the future. The caller decides on which thread the callbacks run.
    pub(crate) fn complete(self) -> Completed {
        match self {
            Completion::Reply(task, reply) => task.complete(reply),
            Completion::ReplyWith(task, reply) => {
                let (reply, handles) = *reply;
                task.complete_with(reply, handles)
            }
            Completion::Error(task, error) => task.fail(error),
            Completion::Cancel(task) => task.cancel(),
        }
    }
}
