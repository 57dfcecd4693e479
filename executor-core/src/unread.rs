//! Panics that no one has read.
//!
//! A future delivers the panic of its task as an error. If all handles of the task are dropped and none of them has
//! returned that error, the panic would be lost. So it is printed then, once.

use crate::{Error, catch};

/// Prints the panic in the error of a task whose last handle is dropped, unless it was printed or is raised elsewhere.
/// Other errors are not printed, because the task did not fail by itself.
#[cold]
pub(crate) fn report(error: &Error) {
    if error.panic().is_some_and(|panic| !panic.is_silent()) {
        print(error);
    }
}

/// Prints the first of the panics in the errors of a chunk of a map, and how many others there are. As in [`report`],
/// other errors are not printed.
#[cold]
pub(crate) fn report_chunk(errors: impl Iterator<Item = Error>) {
    let mut panics = errors.filter(|error| error.panic().is_some_and(|panic| !panic.is_silent()));
    let Some(first) = panics.next() else { return };
    let more = match panics.count() {
        0 => String::new(),
        more => format!(", nor of {more} more that panicked"),
    };
    catch::contain(|| eprintln!("{first}\nnote: no one has read the result of this item of a map{more}"));
}

/// Prints the panic in an error.
///
/// `eprintln` is what the standard library captures in tests. The hook of the program is not called, because it would
/// receive this place instead of that of the panic.
#[cold]
pub(crate) fn print(error: &Error) {
    let Some(panic) = error.panic() else { return };
    let backtrace = panic.backtrace().map_or_else(String::new, |backtrace| format!("\nstack backtrace:\n{backtrace}"));
    // If the standard error cannot be written, `eprintln` panics.
    catch::contain(|| {
        eprintln!("{error}\nnote: no one has read the result of this task; call `result` on its future{backtrace}");
    });
}
