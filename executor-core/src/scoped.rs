//! Tasks that borrow from a scope, for back-ends that run tasks in this process.
#![allow(unsafe_code)]

use std::marker::PhantomData;

use crate::{Error, Future, Task, TaskOptions, catch, running::current_name, task::kinds::Scoped, unread};

/// Makes a task from a closure that may borrow. It is named after `N`, which may borrow too.
///
/// # Safety
///
/// - What the closure borrows lives until the closure was run or dropped.
pub unsafe fn task<'scope, N, C>(options: TaskOptions, closure: C) -> (Task, Future<()>)
where
    N: 'scope,
    C: FnOnce() -> Result<(), Error> + Send + 'scope,
{
    let (task, typed) = Task::new(Scoped { closure, name: PhantomData::<fn() -> N> }, options, true);
    (task, Future::new(typed))
}

/// Runs user code of the current task, and returns its panic as the error of that task. The future of the task does not
/// print it: the caller raises it, or calls [`report_unread`].
pub fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Error> {
    catch::catch(code).map_err(|panic| Error::panicked(&current_name(), panic.silent(true)))
}

/// Prints the panic in an error that no one will read.
pub fn report_unread(error: &Error) {
    unread::print(error);
}
