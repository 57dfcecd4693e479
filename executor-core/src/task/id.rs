//! The number of a task.

use std::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};

/// How many numbers a thread takes for itself at once, so that threads which submit do not fight over one counter.
const AT_ONCE: u64 = 1024;

thread_local! {
    /// The numbers that the thread still has: the next one, and the end of them.
    static OWN: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

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
        let (next, end) = OWN.get();
        if next == end {
            return TaskId::first_of_more();
        }
        OWN.set((next + 1, end));
        TaskId(next)
    }

    /// Of the tasks that the calling thread makes, those before this moment have lesser ones than this.
    pub(crate) fn end_of_own() -> TaskId {
        TaskId(OWN.get().0)
    }

    #[cold]
    fn first_of_more() -> TaskId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // ORDERING: the counter only has to give different numbers.
        let first = NEXT.fetch_add(AT_ONCE, Relaxed);
        OWN.set((first + 1, first + AT_ONCE));
        TaskId(first)
    }

    /// The number, for a protocol.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The id with this number, from a protocol.
    pub const fn from_u64(number: u64) -> TaskId {
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
