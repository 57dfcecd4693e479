//! Adding a result callback, at any time in the life of its task.

use crate::{
    Error,
    task::{
        state::{Event, Late},
        typed::Typed,
        view::{self, View},
    },
    waiting::{WaitEnd, taken, wait_for, wait_until},
};

/// Adds a result callback, or runs it on this thread if the task is done. If the value is gone or shared, the callback
/// receives an error instead.
pub(crate) fn add<T: Send + 'static>(typed: &Typed<T>, callback: impl FnOnce(Result<&T, &Error>) + Send + 'static) {
    let Err(view) = offer(typed, callback) else { return };
    let error = match wait_for(&typed.task, None, || typed.error()) {
        Ok(error) => error.unwrap_or_else(|| taken(&typed.task)),
        Err(error) => error,
    };
    view::refuse(view, &error);
}

/// Adds a result callback, or runs it on this thread if the task is done.
///
/// # Errors
///
/// Returns the callback if the task is done and its value was moved out or is shared.
pub(crate) fn offer<T: Send + 'static>(
    typed: &Typed<T>,
    callback: impl FnOnce(Result<&T, &Error>) + Send + 'static,
) -> Result<(), View> {
    let task = &typed.task;
    let mut view = typed.view(callback);
    loop {
        let Err((late, returned)) = task.waiters().add_view(task, view) else { return Ok(()) };
        view = returned;
        match late {
            Late::Reserved => view::show(task, [view]),
            Late::Unavailable => return Err(view),
            // A callback that adds another one to its own task has the output already.
            Late::Busy if view::is_shown_by_this_thread(task) => view::show_inside_another(task, view),
            Late::Busy => match wait_until(task, None, Event::Readable) {
                Err(WaitEnd::Forked(error)) => view::refuse(view, &error),
                _ => continue,
            },
        }
        return Ok(());
    }
}
