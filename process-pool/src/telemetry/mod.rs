//! Events of `tracing` and records of `log` that tasks emit in a worker, on their way to the program's own subscriber
//! and logger.
//!
//! ```text
//! worker:  macro -> Forwarder (a subscriber) or Logger -> one frame, one write -> pipe
//! program: pipe -> Reader (supervisor, or a thread that reads replies) -> Queue (bounded)
//!          -> callback thread -> subscriber or logger
//! ```
//!
//! - A frame is in the pipe before the macro returns, so it survives any death of the worker.
//! - Whoever reads a reply reads the pipe first. So the events of a task are in the queue before the task is done, and
//!   reach the subscriber before the callbacks and wakers of the task run, which have the same thread.
//! - A reader never waits and never stops reading, so a task waits for a subscriber never, and for a reader as long as
//!   it would wait to print a line. What does not fit into the queue is counted, and the count is reported.
//! - Frames are hostile: their length is bounded before they are kept, and they are decoded by the callback thread.
//! - An event belongs to a task that its worker has. The program looks the task up, so a worker cannot name another.
//!
//! Without the feature `tracing` the module is `disabled.rs`, which has the same names and does nothing.

#[cfg(not(feature = "tracing"))]
mod disabled;
#[cfg(feature = "tracing")]
mod levels;
#[cfg(feature = "tracing")]
mod program;
#[cfg(feature = "tracing")]
mod wire;
#[cfg(feature = "tracing")]
mod worker;

#[cfg(not(feature = "tracing"))]
pub(crate) use disabled::{Forwarding, Levels, Reader, TaskSpan, TaskTelemetry, Telemetry};
#[cfg(feature = "tracing")]
pub(crate) use {
    levels::Levels,
    program::{Reader, TaskSpan, TaskTelemetry, Telemetry},
    worker::Forwarding,
};

/// What a reader has found.
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "without the feature there is no pipe"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pipe {
    /// Something, and there may be more.
    MayHaveMore,
    /// Nothing, and more may arrive.
    Empty,
    /// The end: the worker has closed the pipe, or there never was one.
    Closed,
}
