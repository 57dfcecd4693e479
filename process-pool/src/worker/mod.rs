//! The worker process: it reads a request, runs it, and writes the outcome, until it is told to leave.
//!
//! The worker of a pool never leaves on its own. It ends when the parent tells it to, when a task ends it, or, through
//! its [`lifeline`], when the parent is gone. A [`Process`](crate::Process) is a worker that leaves after its one task,
//! with an exit code that shows how the task has ended.

mod batch;
mod boundary;
mod buffers;
mod descriptors;
mod end;
mod functions;
mod lifeline;
mod marks;
mod name;
mod overflow;
mod report;
mod serve;

pub(crate) use end::{EXIT_NOT_STARTED, LINK_LOST, fail_to_start, refuse_to_start};
pub(crate) use overflow::STACK_OVERFLOW;
pub(crate) use serve::serve;
