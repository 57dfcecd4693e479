//! What a worker process does: it reads a request, runs it, and writes the outcome, until it is told to leave.
//!
//! It never leaves by itself. It ends when the parent says so, when a task takes it down, or, at the hands of its
//! [`lifeline`], when the parent is gone.

mod boundary;
mod buffers;
mod children;
mod functions;
#[cfg(target_os = "linux")]
mod group;
#[cfg(not(target_os = "linux"))]
#[path = "no_group.rs"]
mod group;
mod lifeline;
mod limits;
mod name;
mod overflow;
mod refuse;
mod serve;
mod signals;
mod terminal;

use std::{
    io::{self, Write as _},
    sync::OnceLock,
};

use crate::transport::Report;
pub(crate) use overflow::STACK_OVERFLOW;
pub(crate) use refuse::refuse_to_start;
pub(crate) use serve::serve;

/// Ends a worker that cannot serve.
pub(crate) fn fail_to_start(error: &io::Error) -> ! {
    // Not `eprintln`, which panics where the parent is gone.
    let _ = writeln!(io::stderr(), "a worker could not start: {error}");
    std::process::exit(EXIT_NOT_STARTED)
}

/// Ends a worker that can neither read from its parent nor write to it, with what it has started.
fn lose_link(error: &io::Error) -> ! {
    if let Some(report) = REPORT.get() {
        report.note_lost_link();
    }
    let _ = writeln!(io::stderr(), "{LINK_LOST}: {error}");
    lifeline::end_group()
}

/// The last words of a worker that can neither read from its parent nor write to it.
pub(crate) const LINK_LOST: &str = "the worker has lost the link to its parent";

/// The exit code of a worker that could not begin to serve. The reason is in its standard error.
pub(crate) const EXIT_NOT_STARTED: i32 = 97;

/// What this process tells its parent of its end, if there is memory for that. Signal handlers look here too, so it is
/// never unmapped.
static REPORT: OnceLock<Report> = OnceLock::new();
