//! Tasks of closures, which only this process can run.

use super::{Task, kinds::Closure, rare::Rare, work::Work};
use crate::{Future, TaskOptions};

impl Task {
    /// Makes a task from a closure that only this process can run. This is for authors of back-ends that run tasks in
    /// this process.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Backend, InlineExecutor, Task, TaskOptions};
    /// let text = String::from("captured");
    /// let (task, future) = Task::from_closure(TaskOptions::new(), move || text.len());
    /// InlineExecutor::new().schedule(task)?;
    /// assert_eq!(future.result(None)?, 8);
    /// # Ok::<(), concurrent_futures::Error>(())
    /// ```
    #[inline]
    pub fn from_closure<R: Send + 'static>(
        options: TaskOptions,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> (Task, Future<R>) {
        with_future(Closure(closure), options, true)
    }

    /// Makes a task as [`from_closure`](Task::from_closure) does, for a `try_` entry point:
    /// [`schedule`](crate::Backend::schedule) must not block while the queue is full.
    #[inline]
    pub fn from_closure_without_waiting<R: Send + 'static>(
        options: TaskOptions,
        closure: impl FnOnce() -> R + Send + 'static,
    ) -> (Task, Future<R>) {
        with_future(Closure(closure), options, false)
    }
}

#[inline]
fn with_future<W: Work>(work: W, options: TaskOptions, may_wait: bool) -> (Task, Future<W::Output>) {
    let (task, typed) = Task::new(work, Rare::with_options(options), may_wait);
    (task, Future::new(typed))
}
