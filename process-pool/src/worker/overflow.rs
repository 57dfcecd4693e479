//! What a worker does when its main thread overflows its stack.

use super::report::report;
use crate::sys::stack;

/// What the stderr tail of a worker contains whose stack overflowed. The standard library says the same of other
/// threads.
pub(crate) const STACK_OVERFLOW: &str = "has overflowed its stack";

const MESSAGE: &[u8] = b"\nthe worker's main thread has overflowed its stack\n";

/// Has an overflow of the calling thread's stack reported to the parent, in shared memory and on the standard error.
pub(super) fn watch() {
    stack::watch(MESSAGE, || {
        if let Some(report) = report() {
            report.note_stack_overflow();
        }
    });
}
