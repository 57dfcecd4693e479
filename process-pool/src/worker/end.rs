//! The ways in which a worker process ends.

use std::io::{self, Write as _};

use executor_core::fork;

use super::report::report;
use crate::sys::{children, control_group, exit};

/// The exit code of a worker that could not begin to serve. The reason is in its standard error.
pub(crate) const EXIT_NOT_STARTED: i32 = 97;

/// The last output of a worker that can neither read from its parent nor write to it.
pub(crate) const LINK_LOST: &str = "the worker has lost the link to its parent";

/// Ends a worker that cannot serve.
pub(crate) fn fail_to_start(error: &io::Error) -> ! {
    // Not `eprintln`, which panics if the parent is gone.
    let _ = writeln!(io::stderr(), "a worker could not start: {error}");
    std::process::exit(EXIT_NOT_STARTED)
}

/// Ends a process that must not be a worker although it was started as one, with the reason on its standard error. No
/// exit handler runs: the process may have more rights than its caller, which chose everything that a handler may read.
pub(crate) fn refuse_to_start(reason: &str) -> ! {
    let _ = writeln!(io::stderr(), "a worker could not start: {reason}");
    exit::exit_without_handlers(EXIT_NOT_STARTED)
}

/// Ends a worker that can neither read from its parent nor write to it, with everything that it has started.
pub(super) fn lose_link(error: &io::Error) -> ! {
    if let Some(report) = report() {
        report.note_lost_link();
    }
    let _ = writeln!(io::stderr(), "{LINK_LOST}: {error}");
    end_group()
}

/// Ends this process if it is not the worker but a child that a task has forked. The link belongs to the worker, which
/// sends the reply.
pub(super) fn end_copy(worker: fork::Generation) {
    if worker.check().is_err() {
        exit::kill_this_process();
    }
}

/// Ends this process and everything that it has started, and the rest of its group if the group is its own.
pub(super) fn end_group() -> ! {
    children::end();
    control_group::leave();
    exit::kill_own_group()
}
