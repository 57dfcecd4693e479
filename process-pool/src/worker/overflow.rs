//! Reporting a stack overflow of a worker's main thread.

use super::report::report;
use crate::sys::stack;

/// The stderr tail of a worker whose main thread's stack overflowed contains this text.
pub(crate) const STACK_OVERFLOW: &str = "has overflowed its stack";

const MESSAGE: &[u8] = b"\nthe worker's main thread has overflowed its stack\n";

/// Makes an overflow of the calling thread's stack be reported to the parent, in shared memory and on the standard
/// error.
pub(super) fn watch() {
    stack::watch(MESSAGE, || {
        if let Some(report) = report() {
            report.note_stack_overflow();
        }
    });
}
