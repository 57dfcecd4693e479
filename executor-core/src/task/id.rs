//! The id of a task.

use std::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};

/// The number of ids that a thread takes in one step, so that submitting threads do not contend for one counter.
const IN_ONE_STEP: u64 = 1024;

thread_local! {
    /// The ids that the thread still has: the next one, and the end of the range.
    static OWN: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Identifies a task within its process. Of two tasks that one thread makes, the later one has the greater id.
///
/// ```
/// # use executor_core as concurrent_futures;
/// use concurrent_futures::{TaskId, promise};
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

    /// Returns an id that is greater than those of all tasks that the calling thread has made.
    pub(crate) fn end_of_own() -> TaskId {
        TaskId(OWN.get().0)
    }

    #[cold]
    fn first_of_more() -> TaskId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // ORDERING: the counter only has to give distinct numbers.
        let first = NEXT.fetch_add(IN_ONE_STEP, Relaxed);
        OWN.set((first + 1, first + IN_ONE_STEP));
        TaskId(first)
    }

    /// Returns the number, for a protocol.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the id with this number, from a protocol.
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
