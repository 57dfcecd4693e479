//! The initializer, which each thread of a pool runs first.

use std::sync::Arc;

use executor_core::{Error, Future, Task, TaskOptions};
use parking_lot::{Condvar, Mutex};

/// Makes one run of the initializer, with a clone of the arguments.
pub(crate) type Make = Box<dyn Fn() -> Run + Send>;

/// One run of the initializer.
pub(crate) type Run = Box<dyn FnOnce() -> Result<(), Error> + Send>;

/// The task of one run, and its future.
pub(crate) type RunTask = (Task, Future<Result<(), Error>>);

/// The initializer of a pool, for threads that are started after `build`.
pub(crate) struct Initializer {
    /// `None` while a thread uses it. Cloning the arguments is user code, so it happens outside of the lock.
    make: Mutex<Option<Make>>,
    /// Notified when `make` is back.
    returned: Condvar,
}

impl Initializer {
    pub(crate) fn new(make: Make) -> Arc<Initializer> {
        Arc::new(Initializer { make: Mutex::new(Some(make)), returned: Condvar::new() })
    }

    /// Returns a task that makes one run and runs it.
    pub(crate) fn task(self: &Arc<Initializer>) -> RunTask {
        let initializer = self.clone();
        task(Box::new(move || initializer.make()()))
    }

    fn make(&self) -> Run {
        /// Puts `make` back, even if the clone panics.
        struct Taken<'a>(&'a Initializer, Option<Make>);
        impl Drop for Taken<'_> {
            fn drop(&mut self) {
                *self.0.make.lock() = self.1.take();
                self.0.returned.notify_one();
            }
        }
        let mut slot = self.make.lock();
        let make = loop {
            match slot.take() {
                Some(make) => break make,
                None => self.returned.wait(&mut slot),
            }
        };
        drop(slot);
        let taken = Taken(self, Some(make));
        taken.1.as_ref().map_or_else(|| -> Run { Box::new(|| Ok(())) }, |make| make())
    }
}

/// Runs the task of an initializer in the calling thread.
///
/// # Errors
///
/// Returns the panic of the initializer, or the error that it has returned.
pub(crate) fn initialize((task, future): RunTask) -> Result<(), Error> {
    task.run();
    future.result(None)?
}

/// Returns a run as a task, so that a panic is caught and described like that of any other task.
pub(crate) fn task(run: Run) -> RunTask {
    Task::from_closure(TaskOptions::new().name("initializer"), run)
}
