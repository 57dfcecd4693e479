//! Tasks that borrow from a scope, for back-ends that run tasks in this process.
#![allow(unsafe_code)]

use std::{fmt, marker::PhantomData, ptr::NonNull};

use crate::{
    Error, Future, Task, TaskOptions, catch,
    running::{self, Running, current_name},
    task::{kinds::Scoped, rare::Rare},
    unread,
};

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
    let (task, typed) =
        Task::new(Scoped { closure, name: PhantomData::<fn() -> N> }, Rare::with_options(options), true);
    (task, Future::new(typed))
}

/// Runs user code of the current task, and returns its panic as the error of that task. The future of the task does not
/// print it: the caller raises it, or calls [`report_unread`].
pub fn catch<R>(code: impl FnOnce() -> R) -> Result<R, Error> {
    catch::catch(code).map_err(|panic| Error::panicked(&current_name(), panic.silent(true)))
}

/// The task that a thread runs, for other threads that run a part of it while that thread waits for them.
pub struct Current(Option<NonNull<dyn Running>>);

impl Current {
    /// Returns the task that the calling thread runs.
    #[inline]
    pub fn of_this_thread() -> Current {
        Current(running::current())
    }

    /// Runs code as a part of this task.
    ///
    /// # Safety
    ///
    /// - The thread that made this is still inside of the call in which it did.
    #[inline]
    pub unsafe fn run<R>(&self, code: impl FnOnce() -> R) -> R {
        match self.0 {
            // SAFETY: by the contract the thread is still inside of the task, which lives so long.
            Some(running) => running::run_as(unsafe { running.as_ref() }, code),
            None => code(),
        }
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

/// Prints the panic in an error that no one will read.
pub fn report_unread(error: &Error) {
    unread::print(error);
}
