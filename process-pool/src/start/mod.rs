//! The start of a worker process, on both sides.
//!
//! The parent runs its own file again ([`spawn`]), with a marker in the environment ([`environment`]) and one end of a
//! socketpair as the standard input. Before `main`, or in [`init`](crate::init), the new process looks for both
//! ([`entry`]). A process that has the marker and finds the parent's greeting ([`setup`]) in the socket is a worker,
//! serves, and exits without ever reaching the program's `main`. Any other process that happens to inherit the marker
//! is not a worker.
//!
//! A worker never has more rights than the process that starts it ([`rights`]). It has only those descriptors of that
//! process that it may have. [`launch`] ensures both.

pub(crate) mod entry;
pub(crate) mod environment;
pub(crate) mod initialisers;
mod launch;
pub(crate) mod permission;
pub(crate) mod program;
pub(crate) mod rights;
pub(crate) mod scheduling;
pub(crate) mod setup;
pub(crate) mod spawn;

pub(crate) use crate::sys::advice::advice;
