//! The submitters of a bounded pool.

use std::collections::HashSet;

use executor_core::{TaskId, submit_line::SubmitLine};

/// The submitters of a bounded pool.
#[derive(Default)]
pub(super) struct Submitters {
    /// Those that wait, in the order of their arrival.
    pub(super) line: SubmitLine,
    /// The tasks for which there is room, and which are not in the queue yet.
    pub(super) admitted: HashSet<TaskId>,
}
