//! What a worker takes out of a queue.

use executor_core::Task;

use crate::join::half::HalfRef;

/// Something that a worker can run.
pub(crate) enum Job {
    Task(Task),
    /// The second half of a join.
    Half(HalfRef),
}
