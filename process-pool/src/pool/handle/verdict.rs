//! Why a worker is killed for a task.

use executor_core::Error;

/// Why a worker is killed, and what the error of its task will be.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The task that the worker is killed for.
    pub(crate) sequence: u64,
    /// The item. Outcomes of this one and of those behind it do not count any more.
    pub(super) item: u64,
    pub(crate) error: Error,
}

/// Whether a task was condemned.
#[must_use = "the worker of a condemned task must be killed"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condemned {
    Yes,
    /// It was condemned before, has finished, or is at another item.
    No,
}
