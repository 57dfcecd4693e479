//! The limit on how deep waits may be nested on one stack.
//!
//! A worker that waits for a queued task runs it inline, on top of the waiting task. The awaited task may wait in turn,
//! so the stack grows with each level. Once half of the stack is used, the awaited task gets a fresh stack. If there is
//! none, tasks go on running on top of each other, and the wait fails once little is left.

use std::cell::Cell;

use crate::{Error, ErrorKind, stack};

/// The rest of the stack of the calling thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StackLeft {
    /// More than half: a task may run on top of this one.
    Much,
    /// Less than half: a task should get a fresh stack.
    Some,
    /// Less than a quarter or [`LEAST`]: no task may run on top of this one.
    Little,
}

thread_local! {
    /// The number of tasks that run on top of each other on this thread.
    static LEVELS: Cell<u32> = const { Cell::new(0) };
}

/// While more bytes than this are left, no task is refused, however large the stack is.
const LEAST: usize = 512 << 10;

/// Even if other code has used up the stack of a thread, it may run this many tasks on top of each other.
const FREE_LEVELS: u32 = 4;

/// Where the end of the stack is not known, this many levels count as half of it, and twice as many as nearly all of
/// it.
const HALF: u32 = 100;

/// Returns how much is left of the stack of the calling thread.
#[inline]
pub(crate) fn stack_left() -> StackLeft {
    let (left, size) = match (stack::remaining(), stack::size()) {
        (Some(left), Some(size)) => (left, size),
        _ => return left_by_levels(LEVELS.get()),
    };
    match left {
        left if left > size / 2 => StackLeft::Much,
        left if left > (size / 4).min(LEAST) || LEVELS.get() < FREE_LEVELS => StackLeft::Some,
        _ => StackLeft::Little,
    }
}

#[cold]
fn left_by_levels(levels: u32) -> StackLeft {
    match levels {
        0..HALF => StackLeft::Much,
        HALF..=FULL => StackLeft::Some,
        _ => StackLeft::Little,
    }
}

const FULL: u32 = 2 * HALF;

/// Runs code one level deeper.
#[inline]
pub(crate) fn deeper<R>(code: impl FnOnce() -> R) -> R {
    /// Goes back one level, even if the code unwinds.
    struct Back;
    impl Drop for Back {
        #[inline]
        fn drop(&mut self) {
            LEVELS.set(LEVELS.get() - 1);
        }
    }
    LEVELS.set(LEVELS.get() + 1);
    let _back = Back;
    code()
}

/// Returns the error that a task is nested too deep. The task is unchanged.
#[cold]
pub(crate) fn too_deep(task: &str, cause: Option<&Error>) -> Error {
    let cause = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
    Error::new(
        ErrorKind::InvalidState,
        format!(
            "task `{task}` was not run: tasks that run on top of each other have used up most of the stack of this \
             thread{cause}; nest them less deep, or give the thread a larger stack"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_count_where_the_end_of_the_stack_is_not_known() {
        let seen: Vec<StackLeft> = [0, HALF - 1, HALF, FULL, FULL + 1].map(left_by_levels).into();
        assert_eq!(seen, [StackLeft::Much, StackLeft::Much, StackLeft::Some, StackLeft::Some, StackLeft::Little]);
        deeper(|| deeper(|| assert_eq!(LEVELS.get(), 2)));
        assert!(std::panic::catch_unwind(|| deeper(|| panic!("one level deeper"))).is_err());
        assert_eq!(LEVELS.get(), 0);
    }
}
