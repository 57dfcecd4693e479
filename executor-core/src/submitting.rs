//! Submitting from async code, which must not block.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{Backend, Error, ErrorKind, Future, Task};

/// Submits a task once there is room for it. [`Executor::submit_async`](crate::Executor::submit_async) makes it.
///
/// Nothing is submitted before the first poll. While the queue is full, the thread of the runtime is not blocked: the
/// waker is woken when there is room. Submitters get room in the order in which they came, blocked threads included.
/// Room that a woken submitter was given stays its own until it is polled again or dropped.
///
/// If it is dropped before it is ready, the task never runs, and the next submitter gets its room.
#[must_use = "futures do nothing unless they are polled"]
pub struct Submitting<'a, B: Backend + ?Sized, R> {
    backend: &'a B,
    /// `None` once the task was accepted or refused.
    pending: Option<(Task, Future<R>)>,
    /// Whether the back-end may have the task in its line, or have room for it.
    has_asked: bool,
}

impl<'a, B: Backend + ?Sized, R> Submitting<'a, B, R> {
    /// Makes the future that submits a task, which [must not wait](Task::may_wait). This is for authors of back-ends.
    pub fn new(backend: &'a B, task: Task, future: Future<R>) -> Submitting<'a, B, R> {
        Submitting { backend, pending: Some((task, future)), has_asked: false }
    }
}

impl<B: Backend + ?Sized, R: Send + 'static> std::future::Future for Submitting<'_, B, R> {
    type Output = Result<Future<R>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some((task, _)) = &this.pending else {
            return Poll::Ready(Err(Error::new(ErrorKind::InvalidState, "this task was submitted before")));
        };
        this.has_asked = true;
        match this.backend.poll_room(task, context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                this.pending = None;
                return Poll::Ready(Err(error));
            }
        }
        let Some((task, future)) = this.pending.take() else { return Poll::Pending };
        Poll::Ready(this.backend.schedule(task).map(|()| future))
    }
}

impl<B: Backend + ?Sized, R> Unpin for Submitting<'_, B, R> {}

impl<B: Backend + ?Sized, R> Drop for Submitting<'_, B, R> {
    fn drop(&mut self) {
        if let (Some((task, _)), true) = (&self.pending, self.has_asked) {
            self.backend.give_up_room(task);
        }
    }
}

impl<B: Backend + ?Sized, R> fmt::Debug for Submitting<'_, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitting").field("task", &self.pending.as_ref().map(|(task, _)| task)).finish()
    }
}
