//! The reason for killing a worker because of a task.

use executor_core::Error;

/// Why a worker is killed, and with which error its task fails.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The task because of which the worker is killed.
    pub(crate) sequence: u64,
    /// The first item whose outcome no longer counts. Later items do not count either.
    pub(super) item: u64,
    pub(crate) error: Error,
}

/// Whether a task was condemned.
#[must_use = "the worker of a condemned task must be killed"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condemned {
    Yes,
    /// It was condemned before, has finished, or runs another item.
    No,
}
