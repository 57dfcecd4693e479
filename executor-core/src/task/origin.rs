//! The task in another process that a task of this process stands for.

use super::TaskId;

/// Where a forwarded task comes from: what it sees of itself in [`task::current`](crate::task::current).
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; }
/// use concurrent_futures::{TaskId, task::Origin};
/// let second_try = Origin { task: TaskId::from_u64(7), attempt: 2 };
/// assert_eq!(second_try.attempt_after(1), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The id of the task in the process that submitted it.
    pub task: TaskId,
    /// The number of the attempt with which the executor of this process begins. It is 1 if no other has tried before.
    pub attempt: u32,
}

impl Origin {
    /// Returns the number of an attempt, if the executor of this process has made `retries` attempts before it.
    pub fn attempt_after(self, retries: u32) -> u32 {
        self.attempt.saturating_add(retries)
    }
}
