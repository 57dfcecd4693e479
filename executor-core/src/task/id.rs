//! The id of a task.

use std::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};

/// The number of ids that a thread takes in one step, so that submitting threads do not contend for one counter.
const IN_ONE_STEP: u64 = 1024;

/// The number of ids that a thread has in reserve when it gets a block for its tasks, so that those need no check. No
/// block has more tasks.
pub(super) const RESERVE: u64 = 128;

thread_local! {
    /// The next of the ids that the thread still has.
    static NEXT: Cell<u64> = const { Cell::new(0) };
    /// The end of their range.
    static END: Cell<u64> = const { Cell::new(0) };
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
    /// Returns the next id. The calling thread has [reserved](TaskId::reserve) it.
    #[inline]
    pub(super) fn next_reserved() -> TaskId {
        let next = NEXT.get();
        NEXT.set(next + 1);
        TaskId(next)
    }

    /// Ensures that the calling thread has the ids for a task that is allocated alone, and then for all those of its
    /// block.
    pub(super) fn reserve() {
        if END.get() - NEXT.get() <= RESERVE {
            static FIRST: AtomicU64 = AtomicU64::new(1);
            // ORDERING: the counter only has to give distinct numbers.
            let first = FIRST.fetch_add(IN_ONE_STEP, Relaxed);
            NEXT.set(first);
            END.set(first + IN_ONE_STEP);
        }
    }

    /// Returns an id that is greater than those of all tasks that the calling thread has made.
    pub(crate) fn end_of_own() -> TaskId {
        TaskId(NEXT.get())
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
