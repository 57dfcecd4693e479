//! The number of a task.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};

/// Tells tasks of one process from each other. Later tasks of a thread have greater ids.
///
/// ```
/// use executor_core::{TaskId, promise};
/// let ((_, one), (_, other)) = (promise::<u64>(), promise::<u64>());
/// assert!(one.id() < other.id());
/// assert_eq!(TaskId::from_u64(one.id().as_u64()), one.id());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId(u64);

impl TaskId {
    #[inline]
    pub(crate) fn next() -> TaskId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // ORDERING: the counter only has to give different numbers.
        TaskId(NEXT.fetch_add(1, Relaxed))
    }

    /// The number, for a protocol.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The id with this number, from a protocol.
    pub fn from_u64(number: u64) -> TaskId {
        TaskId(number)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
