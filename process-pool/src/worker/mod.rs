//! What a worker process does: it reads a request, runs it, and writes the outcome, until it is told to leave.
//!
//! It never leaves by itself. It ends when the parent says so, when a task takes it down, or, at the hands of its
//! [`lifeline`], when the parent is gone.

mod lifeline;
mod limits;
mod overflow;
mod serve;
mod signals;

pub(crate) use overflow::STACK_OVERFLOW;
pub(crate) use serve::serve;

/// The exit code of a worker that could not begin to serve. The reason is in its standard error.
pub(crate) const EXIT_NOT_STARTED: i32 = 97;

/// The exit code of a worker that has lost its parent in the middle of something.
pub(crate) const EXIT_ORPHANED: i32 = 98;
