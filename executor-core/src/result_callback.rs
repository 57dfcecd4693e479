//! Adding a result callback, at any time in the life of its task.

use crate::{
    Error,
    task::{
        state::{Event, Late},
        typed::Typed,
        view,
    },
    waiting::{WaitEnd, taken, wait_for, wait_until},
};

/// Adds a result callback, or runs it on this thread if the task is done.
pub(crate) fn add<T: Send + 'static>(typed: &Typed<T>, callback: impl FnOnce(Result<&T, &Error>) + Send + 'static) {
    let task = &typed.task;
    let mut view = typed.view(callback);
    loop {
        let Err((late, returned)) = task.waiters.add_view(task, view) else { return };
        view = returned;
        match late {
            Late::Reserved => return view::show(task, [view]),
            Late::Unavailable => {
                let error = match wait_for(task, None, || typed.error()) {
                    Ok(error) => error.unwrap_or_else(|| taken(task)),
                    Err(error) => error,
                };
                return view::refuse(view, &error);
            }
            // A callback that adds another one to its own task has the output already.
            Late::Busy if view::is_shown_by_this_thread(task) => return view::show_inside_another(task, view),
            Late::Busy => {
                if let Err(WaitEnd::Forked(error)) = wait_until(task, None, Event::Readable) {
                    return view::refuse(view, &error);
                }
            }
        }
    }
}
