//! Result callbacks: they see the outcome of a task before any other reader does, and leave it in place.
//!
//! A callback that is added before the task is done reserves the output, and the thread that finishes the task runs the
//! callbacks. One that is added later reserves the output for itself, unless the value is gone or shared. While the
//! output is reserved, all other readers wait for it, as they do while it is unpacked.
#![allow(unsafe_code)]

use std::{any::Any, cell::RefCell, mem::ManuallyDrop};

use super::{cell::TaskRef, state::Owed};
use crate::{Error, catch, sync::thread_local};

/// A result callback, without the type of the result.
pub(crate) struct View(pub(super) Box<dyn FnOnce(Shown<'_>) + Send>);

/// What a result callback is given.
pub(super) enum Shown<'a> {
    /// The outcome, which the output has.
    Output(&'a Reserved<'a>),
    /// The value of a shared task, which this thread may read.
    Value(&'a dyn Any),
    /// Why the outcome cannot be shown.
    Error(&'a Error),
}

/// The right to read the output of a done task: this thread has reserved the output and unpacked it.
pub(super) struct Reserved<'a> {
    task: &'a TaskRef,
}

// The addresses of the tasks whose result callbacks run on this thread, outermost first.
thread_local! {
    static SHOWN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Returns whether a result callback of this task runs on this thread.
pub(crate) fn is_shown_by_this_thread(task: &TaskRef) -> bool {
    SHOWN.try_with(|shown| shown.borrow().contains(&task.address())).unwrap_or(false)
}

impl<'a> Reserved<'a> {
    /// Begins to show a done task whose output is reserved. Only one thread calls this for each reservation: the one
    /// that took the callbacks out of the list, or the one whose `reserve` returned `Late::Reserved`.
    fn begin(task: &'a TaskRef) -> Reserved<'a> {
        // A thread whose thread-locals are gone is ending. It only loses the error for a callback that waits for
        // itself.
        let _ = SHOWN.try_with(|shown| shown.borrow_mut().push(task.address()));
        let reserved = Reserved { task };
        if task.state.snapshot().is_packed() {
            // SAFETY: this thread has the reservation, so it owns the output (rule 3), which PACKED says is packed.
            let end = unsafe { task.unpack() };
            task.state.unpacked_while_reserved(end);
        }
        reserved
    }

    pub(super) fn task(&self) -> &TaskRef {
        self.task
    }

    fn run(&self, view: View) {
        catch::contain(|| view.0(Shown::Output(self)));
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let _ = SHOWN.try_with(|shown| shown.borrow_mut().pop());
        if self.task.state.unreserve() == Owed::Notification {
            self.task.waiters().notify_readers(self.task);
        }
    }
}

/// Runs result callbacks for the thread that has the reservation, and ends the reservation.
pub(crate) fn show(task: &TaskRef, views: impl IntoIterator<Item = View>) {
    let reserved = Reserved::begin(task);
    views.into_iter().for_each(|view| reserved.run(view));
}

/// Runs a result callback inside another one of the same task, which ends the reservation.
pub(crate) fn show_inside_another(task: &TaskRef, view: View) {
    ManuallyDrop::new(Reserved { task }).run(view);
}

/// Runs a result callback with the value of a shared task.
pub(crate) fn show_value<T: 'static>(view: View, value: &T) {
    catch::contain(|| view.0(Shown::Value(value)));
}

/// Runs a result callback that cannot be shown the outcome.
pub(crate) fn refuse(view: View, error: &Error) {
    catch::contain(|| view.0(Shown::Error(error)));
}
