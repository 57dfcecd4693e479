//! Tasks that borrow from the caller.
//!
//! # Why this is sound
//!
//! A scoped closure may borrow what lives for `'scope`, but a pool only takes `'static` tasks. So [`Scope::spawn`]
//! erases the lifetime, which is the only unsafe code of this crate. Four rules make it sound:
//!
//! 1. Each closure is stored beside a [`Ticket`], which is dropped after the closure and everything that it captured:
//!    when it has run or panicked, was cancelled or refused, or is dropped with its pool.
//! 2. [`scope`] neither returns nor unwinds before every ticket is dropped. If its own code panics, the program aborts.
//! 3. `'scope` contains the whole call of [`scope`], because the user's closure is generic over it. So borrowed values
//!    outlive that call. `'scope` can neither shrink nor grow, because [`Scope`] is invariant in it.
//! 4. A result does not outlive `'scope` either: the handle has that lifetime, and the pool's share of the result is
//!    dropped before the ticket.
//!
//! A task that is never dropped blocks `scope` forever, which is safe. The child of a fork is an exception to rule 2:
//! it has none of the threads that could run or drop the closures, and never touches its copy of the pool again.
#![allow(unsafe_code)]

use std::{
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use executor_core::{Backend, Error, ErrorKind, SharedFuture, Task, TaskId, TaskOptions, task};
use parking_lot::{Condvar, Mutex};

use crate::{pool::Pool, unwind::AbortOnUnwind};

/// Spawns tasks that may borrow from outside of the scope; see
/// [`ThreadPoolExecutor::scope`](crate::ThreadPoolExecutor::scope).
///
/// `'scope` is the lifetime in which the tasks run: from the call of the closure until `scope` returns. `'env` is the
/// lifetime of the values that are borrowed from outside of the scope.
pub struct Scope<'scope, 'env: 'scope> {
    pool: Arc<Pool>,
    shared: Arc<Shared>,
    /// Makes `Scope` invariant in `'scope`, so that `'scope` cannot shrink. Otherwise a task could borrow a value that
    /// does not outlive the scope:
    ///
    /// ```compile_fail,E0373
    /// # use thread_pool::ThreadPoolExecutor;
    /// # let pool = ThreadPoolExecutor::new(1)?;
    /// pool.scope(|scope| {
    ///     scope.spawn(|| {
    ///         let text = String::from("gone");
    ///         scope.spawn(|| println!("{text}")); // might run after `text` is dropped
    ///     });
    /// });
    /// # Ok::<(), executor_core::Error>(())
    /// ```
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// The handle of a task that a [`Scope`] has spawned.
#[must_use = "a scoped future has the result of its task, or its panic"]
pub struct ScopedFuture<'scope, R> {
    /// The error if the pool did not accept the task.
    accepted: Result<SharedFuture<()>, Error>,
    output: Output<R>,
    scope: PhantomData<&'scope ()>,
}

/// Where a scoped task stores its result.
type Output<R> = Arc<Mutex<Option<R>>>;

/// What the tasks of a scope and the thread that waits for them share.
struct Shared {
    state: Mutex<State>,
    /// Notified when the last ticket is dropped, and when `may_run_inline` gets a task.
    changed: Condvar,
    /// Whether the waiting thread is a worker of the pool, so that it must run tasks that have not started.
    runs_inline: bool,
}

struct State {
    tickets: usize,
    /// Tasks that may not have started. It stays empty unless `runs_inline` is set.
    may_run_inline: Vec<SharedFuture<()>>,
}

/// Exists as long as a scoped closure.
struct Ticket(Arc<Shared>);

/// A scoped closure in the pool. Its fields are dropped in this order.
struct Work<F, R> {
    closure: F,
    output: Output<R>,
    /// It is dropped last, by rule 1.
    _ticket: Ticket,
}

/// Implements [`ThreadPoolExecutor::scope`](crate::ThreadPoolExecutor::scope).
pub(crate) fn scope<'env, F, T>(pool: &Arc<Pool>, body: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let shared = Arc::new(Shared {
        state: Mutex::new(State { tickets: 0, may_run_inline: Vec::new() }),
        changed: Condvar::new(),
        runs_inline: task::worker_host() == pool.host(),
    });
    let scope = Scope { pool: pool.clone(), shared, scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
    let guard = AbortOnUnwind;
    if !pool.is_forked_copy() {
        scope.shared.wait();
    }
    guard.disarm();
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

impl<'scope> Scope<'scope, '_> {
    /// Runs a closure on the pool. It may borrow values that outlive the scope. Blocks while a bounded queue is full.
    ///
    /// If the pool refuses the task because it is shut down or broken, the handle contains the error.
    pub fn spawn<F, R>(&'scope self, closure: F) -> ScopedFuture<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        // The name is taken from the closure here, because the task is made from the erased one.
        self.spawn_with(TaskOptions::new().name(std::any::type_name::<F>()), closure)
    }

    /// Runs a closure like [`spawn`](Scope::spawn), with a name or a priority.
    pub fn spawn_with<F, R>(&'scope self, options: TaskOptions, closure: F) -> ScopedFuture<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        let output = Output::default();
        let work = Work { closure, output: output.clone(), _ticket: Ticket::new(&self.shared) };
        let erased: Box<dyn FnOnce() + Send + 'scope> = Box::new(move || work.run());
        // SAFETY: the two types differ only in a lifetime. Nothing of the box is used after `'scope`, by the rules in
        // "Why this is sound" above.
        let erased = unsafe {
            std::mem::transmute::<Box<dyn FnOnce() + Send + 'scope>, Box<dyn FnOnce() + Send + 'static>>(erased)
        };
        let (task, future) = Task::from_closure(options, erased);
        let future = future.shared();
        let accepted = self.pool.schedule(task).map(|()| future);
        if let Ok(future) = &accepted {
            self.shared.remember(future);
        }
        ScopedFuture { accepted, output, scope: PhantomData }
    }
}

impl<R: Send> ScopedFuture<'_, R> {
    /// Returns the id of the task, or `None` if the pool did not accept it.
    pub fn id(&self) -> Option<TaskId> {
        self.accepted.as_ref().ok().map(SharedFuture::id)
    }

    /// Returns `true` if the task has ended or was cancelled, like [`Future::done`](executor_core::Future::done), or if
    /// the pool did not accept it.
    pub fn done(&self) -> bool {
        self.accepted.as_ref().map_or(true, SharedFuture::done)
    }

    /// Returns `true` while the task runs, like [`Future::running`](executor_core::Future::running).
    pub fn running(&self) -> bool {
        self.accepted.as_ref().is_ok_and(SharedFuture::running)
    }

    /// Returns `true` if the task was cancelled, like [`Future::cancelled`](executor_core::Future::cancelled).
    pub fn cancelled(&self) -> bool {
        self.accepted.as_ref().is_ok_and(SharedFuture::cancelled)
    }

    /// Cancels the task unless it has started, like [`Future::cancel`](executor_core::Future::cancel). Returns `true`
    /// if it will not run, even if the pool did not accept it.
    pub fn cancel(&self) -> bool {
        self.accepted.as_ref().map_or(true, SharedFuture::cancel)
    }

    /// Waits for the task and moves its value out. With `None` it waits without a time-out; with a zero duration it
    /// does not wait.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Future::result`](executor_core::Future::result), and the error with which the pool
    /// refused the task.
    pub fn result(&self, timeout: impl Into<Option<Duration>>) -> Result<R, Error> {
        self.accepted.as_ref().map_err(Error::clone)?.result(timeout)?;
        let value = self.output.lock().take();
        value.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidState,
                "the result of this scoped task was moved out before: store it at the first call",
            )
        })
    }
}

impl<F: FnOnce() -> R, R> Work<F, R> {
    fn run(self) {
        let Work { closure, output, _ticket: ticket } = self;
        // If the closure panics, variables are dropped in the reverse order of their binding, so the ticket is last.
        let _ticket = ticket;
        let output = output;
        let value = closure();
        *output.lock() = Some(value);
        drop(output);
    }
}

impl Shared {
    /// Keeps a handle of a task if the waiting thread may have to run it.
    fn remember(&self, future: &SharedFuture<()>) {
        if !self.runs_inline {
            return;
        }
        let mut state = self.state.lock();
        if state.may_run_inline.len() == state.may_run_inline.capacity() {
            state.may_run_inline.retain(|future| !future.done());
        }
        state.may_run_inline.push(future.clone());
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until every ticket is dropped.
    fn wait(&self) {
        let mut state = self.state.lock();
        while state.tickets > 0 {
            match state.may_run_inline.pop() {
                Some(future) => {
                    drop(state);
                    // If it has started, another thread will end it and drop its ticket. If the stack is too small to
                    // run it, it must fail, because the scope cannot return before all tasks have ended.
                    future.run_inline_or_fail();
                    state = self.state.lock();
                }
                None => self.changed.wait(&mut state),
            }
        }
    }
}

impl Ticket {
    fn new(shared: &Arc<Shared>) -> Ticket {
        shared.state.lock().tickets += 1;
        Ticket(shared.clone())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.tickets -= 1;
        let last = state.tickets == 0;
        drop(state);
        // The waiting thread may return before the notification. The ticket keeps the condition variable alive.
        if last {
            self.0.changed.notify_all();
        }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("pool", &self.pool.name).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for ScopedFuture<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedFuture").field(&self.accepted).finish()
    }
}
