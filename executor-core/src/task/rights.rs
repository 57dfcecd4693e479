//! The rights to write the output of a task. A transition makes a right, and a step consumes it.
//!
//! ```text
//!   claim --> Claimed    -- run, fail ------------> Written -- finish --> done
//!   start --> Completing -- value, error, packed -----^
//! ```
#![allow(unsafe_code)]

use super::{
    cell::TaskRef,
    ended::Ended,
    state::{End, Owed},
    typed::Typed,
};
use crate::{
    Error,
    codec::{Bytes, handles::Handles},
    running::run_as,
};

/// The right to run a task: the task is `RUNNING_LOCAL`, and this owns its work and its output.
#[must_use]
pub(crate) struct Claimed(TaskRef);

impl Claimed {
    /// Claims a task that is still queued, and takes over its owner's reference. Returns the reference if the task
    /// cannot be claimed.
    #[inline]
    pub(crate) fn claim(task: TaskRef) -> Result<Claimed, TaskRef> {
        if task.state.claim() { Ok(Claimed(task)) } else { Err(task) }
    }

    /// Claims a task that is still queued, for a thread that does not own it.
    pub(crate) fn claim_shared(task: &TaskRef) -> Option<Claimed> {
        task.state.claim().then(|| Claimed(task.clone()))
    }

    /// Runs the task, and writes its output.
    #[inline]
    pub(crate) fn run(self) -> Written {
        // SAFETY: `claim` gave this the work and the output, and the right is used up here.
        let end = run_as(&self.0, || unsafe { self.0.run_work() });
        Written { task: self.0, end, is_local: true }
    }

    /// Drops the work instead of running it, and writes an error.
    pub(crate) fn fail(self, error: Error) -> Written {
        // SAFETY: `claim` gave this the work and the output, and the right is used up here.
        unsafe {
            self.0.drop_work();
            self.0.write_error(error);
        }
        Written { task: self.0, end: End::Failed, is_local: true }
    }
}

/// The right to write the output of a task that did not run on a thread of this process: the task is `COMPLETING` or
/// `FAILING`.
#[must_use]
pub(crate) struct Completing(TaskRef);

impl Completing {
    /// Starts to complete a task, for its owner. `ran` says whether it ran in another process. Returns `None` if the
    /// task runs on a thread of this process, or is done.
    pub(crate) fn start(task: &TaskRef, ran: bool) -> Option<Completing> {
        task.state.start_completing(ran).then(|| Completing(task.clone()))
    }

    /// Starts to complete a task that ran in another process, and takes over its owner's reference.
    pub(crate) fn start_owned(task: TaskRef) -> Option<Completing> {
        task.state.start_completing(true).then(|| Completing(task))
    }

    /// Writes an error.
    pub(crate) fn error(self, error: Error) -> Written {
        // SAFETY: this is the right to write the output, and it is used up here.
        unsafe { self.0.write_error(error) }
        Written { task: self.0, end: End::Failed, is_local: false }
    }

    /// Writes the reply of another process, which is decoded by the first thread that asks for the output.
    pub(crate) fn packed(self, reply: Bytes, failed: bool) -> Written {
        // SAFETY: this is the right to write the output, and it is used up here.
        unsafe { self.0.write_packed(reply) }
        Written { task: self.0, end: End::packed(failed), is_local: false }
    }

    /// Writes a reply as [`packed`](Completing::packed) does, with the handles that came with it.
    pub(crate) fn packed_with(self, reply: Bytes, handles: Handles, failed: bool) -> Written {
        // SAFETY: this is the right to write the output, and it is used up here.
        unsafe { self.0.write_packed_with(Box::new((reply, handles))) }
        Written { task: self.0, end: End::packed(failed), is_local: false }
    }

    /// Writes the value of a promise.
    pub(crate) fn value<T: Send + 'static>(self, typed: &Typed<T>, value: T) -> Written {
        assert_eq!(self.0.address(), typed.task.address(), "the right to write belongs to this very task");
        // SAFETY: this is the right to write the output of this task, and it is used up here.
        unsafe { typed.write_value(value) }
        Written { task: self.0, end: End::Value, is_local: false }
    }
}

/// A task whose output is written, and which is done after [`finish`](Written::finish).
#[must_use]
pub(crate) struct Written {
    task: TaskRef,
    end: End,
    /// Whether the task was claimed, by the thread that has this.
    is_local: bool,
}

impl Written {
    /// Returns how the task has ended.
    #[inline]
    pub(super) fn ended(&self) -> Ended {
        Ended::of(self.end)
    }

    /// Marks the task as done. Returns the task, and whether the caller must notify its waiters.
    #[inline]
    pub(super) fn finish(self) -> (TaskRef, Owed) {
        let state = &self.task.state;
        let owed = if self.is_local { state.finish_local(self.end) } else { state.finish(self.end) };
        (self.task, owed)
    }
}
